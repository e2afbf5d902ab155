"""What a file looks like: enough to notice that it changed, without reading it."""

from __future__ import annotations

import os

from toolkit.model import Value


class Stamp(Value, frozen=True):
    """What a path looked like: enough to notice an upgrade, not a proof; a launch checks the hash."""

    path: str
    seen: tuple[int, int, int]  # ctime in ns, size, inode; zeros when it was not there


def take_stamp(path: str) -> Stamp:
    """What a path looks like now."""
    try:
        status = os.stat(path)
    except OSError:
        return Stamp(path=path, seen=(0, 0, 0))
    return Stamp(path=path, seen=(status.st_ctime_ns, status.st_size, status.st_ino))
