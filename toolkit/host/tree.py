"""Where facts are read: this host, or a folder that looks like one, with errors put into words for a person."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from toolkit.model import Fact


@dataclass(frozen=True)
class Tree:
    """A file system to read /proc, /sys, /boot and /lib from; paths are given, and reported, as on a host."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running host, so that the kernel itself can be asked."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """Where an absolute path of the host lies."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises OSError."""
        return self.at(path).read_bytes()

    def text(self, path: str) -> str:
        """A file as text, whatever its bytes are. Raises OSError."""
        return self.read(path).decode(errors="replace")

    def exists(self, path: str) -> bool:
        """Whether a path is there and may be looked at."""
        try:
            self.at(path).stat()
        except OSError:
            return False
        return True

    def entries(self, path: str) -> tuple[str, ...]:
        """The sorted names in a folder. Raises OSError."""
        return tuple(sorted(os.listdir(self.at(path))))

    def number(self, path: str) -> Fact[int]:
        """A file that holds one number, such as a sysctl."""
        try:
            text = self.text(path).strip()
        except OSError as error:
            return Fact(unknown=explain(path, error))
        try:
            return Fact(int(text), origin=path)
        except ValueError:
            return Fact(unknown=f"{path} holds {text[:40]!r}, which is no number")


def explain(path: str, error: OSError) -> str:
    """Why a path could not be read, in words: it is not there, it needs root, or the kernel's own code."""
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
