"""The tools that ship with this project: inhouse/<category>/<tool>.bt in the catalog's folder."""

from __future__ import annotations

from pathlib import Path

from toolkit import __version__
from toolkit.model import Engine, Found
from toolkit.sources.packages import STEM

NAME = "inhouse"


def discover(root: Path) -> tuple[Found, ...]:
    """Name the scripts under root/inhouse; the folder's name is the category."""
    return tuple(
        Found(
            upstream=NAME,
            source=NAME,
            stem=path.stem,
            engine=Engine.BPFTRACE,
            path=str(path),
            revision=__version__,
            category=path.parent.name,
        )
        for path in sorted((root / NAME).glob("*/*.bt"))
        if STEM.fullmatch(path.stem)
    )


def watched(root: Path) -> tuple[Path, ...]:
    """The category folders: adding or removing a script changes their mtime."""
    return (root / NAME, *sorted(path for path in (root / NAME).glob("*") if path.is_dir()))
