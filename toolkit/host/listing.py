"""What lies outside of a kernel, as far as its captures tell: a tree of paths that somebody listed, and a few files.

Where nothing was listed, only what every host has is known: a base system has bash and a C library.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from toolkit.host import places
from toolkit.host.capture_files import read_members, read_text
from toolkit.host.tree import Damaged, NotCaptured, Tree
from toolkit.model import Need, NeedKind

# Everybody's /bin/bash is a program, whatever was captured, and everybody's libc has these since POSIX has them.
BASE_PROGRAMS = frozenset(("bash", "/bin/bash", "/usr/bin/bash", "sh", "/bin/sh", "libc", "libc.so.6", "c"))
BASE_FUNCTIONS = frozenset(
    ("malloc", "free", "calloc", "realloc", "getaddrinfo", "gethostbyname", "fork", "open", "read", "write")
)
BASE_LIBRARIES = frozenset(("libc", "libc.so.6", "c"))
HEADER = re.compile(r"/lib/modules/[^/]+/(?:build|source)/include/", re.ASCII)
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib64/")  # links to the same below /usr on most hosts


@dataclass(frozen=True)
class Listing(Tree):
    """Paths that are there, folders of which all is listed, paths that are known not to be, and bytes of some files."""

    present: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Never: it is a list."""
        return False

    def at(self, path: str) -> str:
        """Nowhere."""
        raise Damaged(f"{path} is only listed")

    def exists(self, path: str) -> bool:
        """Whether a path is there. Raises NotCaptured when neither it nor a folder above it was looked at."""
        path = path.rstrip("/") or "/"
        if path in self.present or path in self.listed:
            return True
        folder = path
        while folder not in ("", "/"):
            above = folder.rpartition("/")[0] or "/"
            if folder in self.absent or (above in self.listed and folder not in self.present):
                return False
            folder = above
        raise NotCaptured(path)

    def entries(self, path: str) -> tuple[str, ...]:
        """The names in a listed folder. Raises OSError, or NotCaptured."""
        if path in self.listed:
            below = path.rstrip("/") + "/"
            return tuple(sorted(one[len(below) :] for one in self.present if one.rpartition("/")[0] + "/" == below))
        if not self.exists(path):
            raise FileNotFoundError(2, "No such file or directory", path)
        raise NotCaptured(path)

    def changed(self, path: str) -> int:
        """Never. Raises OSError for a folder that is not there."""
        try:
            there = self.exists(path)
        except NotCaptured:
            return 0  # whoever asks for its names will learn it
        if not there:
            raise FileNotFoundError(2, "No such file or directory", path)
        return 0

    def read(self, path: str) -> bytes:
        """The bytes of a file of which a copy was taken. Raises NotCaptured."""
        if path in self.files:
            return self.files[path]
        if path.startswith(MERGED) and f"/usr{path}" in self.files:
            return self.files[f"/usr{path}"]
        raise NotCaptured(path)

    def stamp(self, path: str) -> tuple[int, int, int]:
        """Nothing here changes. Raises NotCaptured."""
        return 0, len(self.read(path)), 0

    @contextmanager
    def view(self, path: str) -> Iterator[bytes | mmap.mmap]:
        """The bytes of a file of which a copy was taken. Raises NotCaptured."""
        yield self.read(path)


def open_listing(folder: Path) -> Listing:
    """What the captures in a folder tell of programs, libraries and headers."""
    present: set[str] = set()
    listed: set[str] = set()
    absent: set[str] = set()
    for line in read_text(folder, "paths.txt").split("\n"):
        if line.startswith("!/"):
            absent.add(line[1:])
        elif line.startswith("/") and line.endswith("/"):
            listed.add(line.rstrip("/") or "/")
        elif line.startswith("/"):
            present.add(line)
    files: dict[str, bytes] = {}
    try:
        for name, data in read_members(folder, "elf.tgz"):
            files[f"/{name}"] = data
    except Damaged:
        files.clear()  # a half of one would define nothing
    for header in filter(HEADER.match, files):
        above = tuple(map(str, PurePosixPath(header).parents))[:-1]
        present.update((header, *above))
        listed.update(one for one in above if one.count("/") < 4)  # /lib/modules/RELEASE has no other headers
    processors = read_text(folder, "cpuinfo.txt")
    if ":" in processors:
        files[places.PROCESSORS] = processors.encode()
    return Listing(folder, frozenset(present), frozenset(listed), frozenset(absent), files)


def answer_by_custom(need: Need) -> bool | None:
    """What every host has, for captures that list nothing: bash, a C library and its oldest functions."""
    if need.kind is NeedKind.PROGRAM and need.name in BASE_PROGRAMS:
        return True
    path, _, symbol = need.name.partition(":")
    if need.kind is NeedKind.UPROBE and path in BASE_LIBRARIES and symbol in BASE_FUNCTIONS:
        return True
    return None
