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


class Trust:
    """What may be believed by root, as it is now: places that were found good are not looked at again.

    An index asks for ten places of each of 700 files: for one look at many files, and never for longer.
    """

    def __init__(self) -> None:
        self._good: dict[tuple[int, ...], set[str]] = {}  # by who may own them

    def read(self, one: Found) -> tuple[bytes, str]:
        """The bytes of a variant's file, and why root must not run it (empty when it may). Raises OSError."""
        with open_regular(one.path) as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"larger than {LARGEST_FILE >> 20} MiB", one.path)
        path = os.path.abspath(one.path)
        return data, self.find_distrust(path) if one.source == "packages" else self._find_own_distrust(path)

    def find_distrust(self, path: str, owners: tuple[int, ...] = (0,)) -> str:
        """Why an absolute path must not be believed: others than its owners can change it, or what its name leads to.

        That is the file, and every link and folder on the way to it and to what these lead to. Raises OSError.
        """
        os.stat(path)  # raises where links lead nowhere, or back to themselves
        # As text: a Path takes longer than its stat(2).
        good, seen, places = self._good.setdefault(owners, set()), set[str](), [path]
        while places:
            place = places.pop()
            if place in good or place in seen:
                continue
            status = os.lstat(place)
            distrust = _judge_place(place, status, owners)
            if distrust:
                return distrust
            seen.add(place)
            above = os.path.dirname(place)
            places.append(above)
            if stat.S_ISLNK(status.st_mode):
                places.append(os.path.join(above, os.readlink(place)))
        good |= seen
        return ""

    def _find_own_distrust(self, path: str) -> str:
        """Why a file of ours or of a snapshot must not be run: it, or a folder on the way, can be changed by strangers.

        Whoever installed us could have changed us as well.
        """
        owners = (0, os.geteuid(), os.stat(__file__).st_uid)
        if os.geteuid() == 0:
            return self.find_distrust(path, owners)
        owner = os.stat(path).st_uid
        return "" if owner in owners else f"{path} belongs to uid {owner}"


def read_trusted(one: Found) -> tuple[bytes, str]:
    """The bytes of a variant's file, and why root must not run it (empty when it may). Raises OSError."""
    return Trust().read(one)


def find_distrust(path: Path, owners: tuple[int, ...] = (0,)) -> str:
    """Why a path must not be believed by root (empty when it may): see Trust. Raises OSError."""
    return Trust().find_distrust(str(path.absolute()), owners)


def _judge_place(place: str, status: os.stat_result, owners: tuple[int, ...]) -> str:
    """Why others than these owners can change it. A link has no mode, but an owner, who can replace it in /tmp, too."""
    if status.st_uid not in owners:
        wanted = "root" if owners == (0,) else f"uid {' or '.join(map(str, sorted(set(owners))))}"
        return f"{place} belongs to uid {status.st_uid}, not to {wanted}"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky and not stat.S_ISLNK(status.st_mode):
        return f"{place} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""
