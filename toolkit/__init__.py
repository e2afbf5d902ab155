"""The one command for all BPF performance tools on Linux hosts."""

__version__ = "0.1.0"
