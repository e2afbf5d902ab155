"""The variants of a snapshot, as found files: what its manifest names, where it lies."""

from __future__ import annotations

from pathlib import Path

from toolkit.model import Found
from toolkit.snapshot.layout import Entry, Role, Snapshot


def discover_snapshot(snapshot: Snapshot) -> tuple[Found, ...]:
    """Name the tools of a snapshot with their documents; a source may be held at several revisions."""
    folder = Path(snapshot.path)
    documents: dict[tuple[str, str, Role, str], str] = {
        (entry.source, entry.revision, entry.role, entry.stem): str(folder / entry.file)
        for entry in snapshot.manifest.entries
        if entry.role in (Role.EXAMPLE, Role.MAN)
    }
    return tuple(
        _make_found(entry, folder, documents) for entry in snapshot.manifest.entries if entry.role is Role.TOOL
    )


def _make_found(entry: Entry, folder: Path, documents: dict[tuple[str, str, Role, str], str]) -> Found:
    if entry.engine is None:
        raise ValueError(f"{entry.path} is a tool without an engine")
    return Found(
        upstream=entry.source,
        source=entry.source,
        stem=entry.stem,
        engine=entry.engine,
        path=str(folder / entry.file),
        revision=entry.revision,
        category=entry.category,
        made_for=entry.made_for,
        example=documents.get((entry.source, entry.revision, Role.EXAMPLE, entry.stem), ""),
        man=documents.get((entry.source, entry.revision, Role.MAN, entry.stem), ""),
    )
