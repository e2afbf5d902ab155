"""A snapshot's files as types: what it was made of, which files it holds, and the receipt that says it is whole.

`<id>/manifest.json` is the snapshot's content and nothing else: the same sources at the same commits give the same
bytes, and so the same id, on every machine. `<id>/files/<source>/<revision>/<path>` are the files.
`<id>/receipt.json` is written last; a folder without it is not a snapshot.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from toolkit.model import Engine, Value

SHAPE = 1


class Role(StrEnum):
    """What a file of a source is for."""

    TOOL = "tool"
    EXAMPLE = "example"
    MAN = "man"
    TEXT = "text"  # C text of a program that the distribution compiled: runqlat.bpf.c
    PART = "part"  # a file that tools read or run: tools/lib/ucalls.py, netqtop.c


class Origin(Value, frozen=True):
    """One revision of a source: its name as people say it, and the commit that it is."""

    source: str
    revision: str
    commit: str


class Entry(Value, frozen=True, omit_defaults=False):
    """One file of a snapshot; `path` is the one in its repository."""

    source: str
    revision: str
    path: str
    role: Role
    stem: str  # the tool that it is, or that it documents; "" for a part
    engine: Engine | None
    category: str  # a hint from its folder
    made_for: str  # "bpftrace>=0.26.1" for a tool of that release; "" where the source has none
    executable: bool
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """Its path below the snapshot's folder."""
        return f"files/{self.source}/{self.revision}/{self.path}"


class Manifest(Value, frozen=True, omit_defaults=False):
    """The content of a snapshot, in order of source, revision and path."""

    shape: int
    rules: dict[str, str]  # of each source, by which its entries were chosen: others make others of the same commits
    origins: tuple[Origin, ...]
    entries: tuple[Entry, ...]


class Receipt(Value, frozen=True, omit_defaults=False):
    """When and by what a snapshot was built here; not part of its identity."""

    shape: int
    id: str
    built: float  # seconds since the epoch
    toolkit: str
    host: str
    serial: int = 0  # orders the snapshots of this host, since a clock may jump; 0 in those of before there was one
    notes: tuple[str, ...] = ()  # files that were refused, tags that moved


class Snapshot(Value, frozen=True, omit_defaults=False):
    """A whole snapshot."""

    id: str
    path: str
    manifest: Manifest
    receipt: Receipt

    @property
    def order(self) -> tuple[int, float]:
        """Sorts the snapshots of one host from old to new."""
        return self.receipt.serial, self.receipt.built


def current_name(current: Path) -> str | None:
    """The id that the link `current` names, or None."""
    try:
        return Path(os.readlink(current)).name
    except OSError:
        return None
