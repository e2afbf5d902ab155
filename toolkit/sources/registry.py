"""The sources of variants on this host: each is a module.

`discover(root)` names the files that a source offers, without reading what is in them; `watched(root)` names the
paths whose change means that discovering again may give another answer. Neither starts a process that could fail
for want of a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from toolkit.model import Found
from toolkit.sources import inhouse, packages


class SourceModule(Protocol):
    """What a module in this folder offers."""

    NAME: str

    def discover(self, root: Path) -> tuple[Found, ...]:
        """Name the files that it offers."""
        ...

    def watched(self, root: Path) -> tuple[Path, ...]:
        """Name the paths whose change may change what it offers."""
        ...


# `root` of packages is the file system's, that of inhouse the catalog's folder: each module says which.
PACKAGES: SourceModule = packages
INHOUSE: SourceModule = inhouse
