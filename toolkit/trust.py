"""Whether a file may be executed as root: what it holds, and who else could have written it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from toolkit.model import Found

LARGEST_FILE = 64 << 20  # bytes; the largest tool of any distribution is 2 MB


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for a folder, a device or a FIFO, which could block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return open(descriptor, "rb")


def read_trusted(one: Found) -> tuple[bytes, str]:
    """The bytes of a variant's file, and why root must not run it (empty when it may). Raises OSError."""
    with open_regular(one.path) as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"larger than {LARGEST_FILE >> 20} MiB", one.path)
    distrust = find_distrust(Path(one.path)) if one.source == "packages" else _find_own_distrust(Path(one.path))
    return data, distrust


def _find_own_distrust(path: Path) -> str:
    """Why a file of ours or of a snapshot must not be run: it belongs to neither root, us, nor who installed us."""
    status = path.stat()
    if status.st_uid not in (0, os.geteuid(), Path(__file__).stat().st_uid):
        return f"{path} belongs to uid {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and os.geteuid() == 0:
        return f"{path} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def find_distrust(path: Path) -> str:
    """Why a packaged file must not be run as root: it, its target or a folder on the way is not only root's."""
    real = path.resolve()
    for place in (real, *real.parents):
        status = place.stat()
        if status.st_uid != 0:
            return f"{place} belongs to uid {status.st_uid}, not to root"
        sticky = place.is_dir() and status.st_mode & stat.S_ISVTX
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return f"{place} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""
