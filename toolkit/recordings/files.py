"""Open a recording's files, whoever made them: no link is followed, no FIFO waited for, no file of any size read whole.

A folder of recordings may have been copied from another host, or unpacked from somebody's archive.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LARGEST = 8 << 20  # bytes of run.json and of result.json: an argument list has at most 2 MiB


@contextmanager
def open_folder(path: Path | str) -> Iterator[int]:
    """A descriptor of a recording's folder, to open its files by. Raises OSError, also for a link."""
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield place
    finally:
        os.close(place)


def open_file(name: Path | str, place: int | None = None) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for a link, and for a FIFO, which could block."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=place)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(name))
    return open(descriptor, "rb")


def read_file(name: str, place: int, largest: int = LARGEST) -> bytes:
    """All of a small file. Raises OSError, also for one that is larger than it should be."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=place)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        if found.st_size > largest:
            raise OSError(errno.EFBIG, "larger than it should be", name)
        return os.read(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def is_written(place: int) -> bool:
    """Whether the writer of the recording in this folder still lives: the kernel drops its lock when it dies."""
    try:
        with open_file("run.json", place) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
