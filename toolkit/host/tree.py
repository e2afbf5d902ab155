"""Where facts are read: this host, or a folder that looks like one, with errors put into words for a person."""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.model import Fact
from toolkit.trust import open_regular

NUMBER = re.compile(r"-?[0-9]{1,18}")
PIECE = 1 << 20  # bytes
MOST_LINKS = 40  # as in the kernel's path lookup


class Damaged(OSError):
    """What stands for a file of the host is not whole."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EIO, what)


class NotCaptured(Exception):
    """Nobody looked there when the captures were made: whether it exists is not known."""


@dataclass(frozen=True)
class Tree:
    """A file system to read /proc, /sys, /boot and /lib from; paths are given, and reported, as on a host."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running host, so that the kernel itself can be asked."""
        return str(self.root) == "/"

    def at(self, path: str) -> str:
        """Where an absolute path of the host lies; links in a tree lead to what they mean there, as after chroot(2)."""
        return path if self.live else resolve_inside(str(self.root), path)

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises OSError."""
        # A file object takes twice as long, and there are 2,300 formats of tracepoints to read.
        descriptor = os.open(self.at(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return b"".join(iter(lambda: os.read(descriptor, PIECE), b""))
        finally:
            os.close(descriptor)

    def text(self, path: str) -> str:
        """A file as text, whatever its bytes are. Raises OSError."""
        return self.read(path).decode(errors="replace")

    def exists(self, path: str) -> bool:
        """Whether a path is there and may be looked at."""
        try:
            os.stat(self.at(path))
        except (OSError, ValueError):  # a path with a NUL in it is none
            return False
        return True

    def changed(self, path: str) -> int:
        """When a folder's names last changed, in ns. Raises OSError."""
        return os.stat(self.at(path)).st_mtime_ns

    def stamp(self, path: str) -> tuple[int, int, int]:
        """What changes whenever a regular file does: ctime in ns, size, inode. Raises OSError, also for a FIFO."""
        found = os.stat(self.at(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return found.st_ctime_ns, found.st_size, found.st_ino

    @contextmanager
    def view(self, path: str) -> Iterator[bytes | mmap.mmap]:
        """The bytes of a regular file without reading what nobody looks at. Raises OSError."""
        with open_regular(self.at(path)) as file:
            if os.fstat(file.fileno()).st_size == 0:
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data

    def entries(self, path: str) -> tuple[str, ...]:
        """The sorted names in a folder. Raises OSError."""
        return tuple(sorted(os.listdir(self.at(path))))

    def number(self, path: str) -> Fact[int]:
        """A file that holds one number, such as a sysctl."""
        try:
            text = self.text(path).strip()
        except OSError as error:
            return Fact(unknown=explain(path, error))
        if not NUMBER.fullmatch(text):
            return Fact(unknown=f"{path} holds {text[:40]!r}, which is no number")
        return Fact(int(text), origin=path)


def resolve_inside(root: str, path: str) -> str:
    """The place below `root` that a path means to whoever has `root` as its root: no link leads out of it."""
    done: list[str] = []
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            done = done[:-1]
            continue
        place = "/".join((root, *done, name))
        try:
            target = os.readlink(place)
        except (OSError, ValueError):  # no link, or not there at all
            done.append(name)
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = [] if target.startswith("/") else done
        todo += target.split("/")[::-1]
    return "/".join((root.rstrip("/"), *done))


def explain(path: str, error: OSError) -> str:
    """Why a path could not be read, in words: it is not there, it needs root, or the kernel's own code."""
    if isinstance(error, Damaged):
        return f"{path} was captured, but {error.strerror}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{path} does not exist"
    if error.errno == errno.EACCES and os.geteuid() != 0:
        return f"reading {path} needs root"
    return f"reading {path} gives {name_error(error)}"


def name_error(error: OSError) -> str:
    """The name of an errno as kernel people write it: EPERM."""
    # The kernel's internal ENOTSUPP leaks out of bpf(2) and perf_event_open(2); C libraries have no name for it.
    if error.errno == 524:
        return "ENOTSUPP"
    return errno.errorcode.get(error.errno or 0, f"error {error.errno}")
