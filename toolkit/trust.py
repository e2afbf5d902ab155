"""Whether a file may be executed as root: what it holds, and who else could have written it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolkit.model import Found

MOST_LINKS = 40  # as in Linux
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
    """Why a file of ours or of a snapshot must not be run: it, or a folder on the way, can be changed by strangers.

    Whoever installed us could have changed us as well.
    """
    owners = (0, os.geteuid(), Path(__file__).stat().st_uid)
    if os.geteuid() == 0:
        return find_distrust(path, owners)
    owner = path.stat().st_uid
    return "" if owner in owners else f"{path} belongs to uid {owner}"


def find_distrust(path: Path, owners: tuple[int, ...] = (0,)) -> str:
    """Why a file must not be believed by root: others than its owners can change it, or what its name leads to.

    That is the file, every link on the way to it, and all folders of these up to the root.
    """
    # As text: an index asks for ten places of each of 700 files, and a Path takes longer than its stat(2).
    places = dict.fromkeys(place for hop in _list_hops(str(path.absolute())) for place in _list_upwards(hop))
    for place in places:
        status = os.stat(place)
        if status.st_uid not in owners:
            wanted = "root" if owners == (0,) else f"uid {' or '.join(map(str, sorted(set(owners))))}"
            return f"{place} belongs to uid {status.st_uid}, not to {wanted}"
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return f"{place} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _list_hops(path: str) -> Iterator[str]:
    """A path, what it links to and what that links to, and last the file without any link in its name."""
    hop = path
    for _ in range(MOST_LINKS):
        yield hop
        if not os.path.islink(hop):
            break
        hop = os.path.join(os.path.dirname(hop), os.readlink(hop))
    yield os.path.realpath(path, strict=True)


def _list_upwards(path: str) -> Iterator[str]:
    """A path and all folders above it."""
    yield path
    while path != (above := os.path.dirname(path)):
        path = above
        yield path
