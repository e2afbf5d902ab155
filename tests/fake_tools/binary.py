"""Prints every byte there is, and a line without an end."""

import sys

sys.stdout.buffer.write(bytes(range(256)) * 4 + b"no newline at the end")
sys.stderr.buffer.write(b"\xff\xfe on stderr")
