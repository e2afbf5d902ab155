"""What this host offers: kernel, engines and rights, each fact a value or unknown with its reason.

Importing this costs little: the probes themselves are imported when the host is really asked.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.host.cache import load_facts
from toolkit.host.fingerprint import fingerprint
from toolkit.model import Facts

__all__ = ["fingerprint", "load_facts", "probe_facts"]


def probe_facts(root: Path = Path("/")) -> Facts:
    """Ask the kernel, /proc, /sys and the engines now; never raises for what a host lacks or forbids.

    With another root, a captured tree of /proc, /sys, /boot and /lib is read, and nothing is tried or started.
    """
    from toolkit.host.probe import probe
    from toolkit.host.tree import Tree

    return probe(Tree(root)).facts
