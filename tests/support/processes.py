"""The processes of this host that a test looks for."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.launch.processes import MARK


def find_marked(mark: str) -> list[int]:
    """The living processes whose command line holds this mark."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
            state = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if mark.encode() in command and state != b"Z" and int(name) != os.getpid():
            found.append(int(name))
    return found


def find_run(launcher: int) -> list[int]:
    """The living processes of the runs of a launcher: the tool, and what it started."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={launcher}.".encode() in environ:
            found.append(int(name))
    return found
