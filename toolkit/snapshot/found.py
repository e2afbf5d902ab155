"""The variants of a snapshot, as found files; and what it holds about those that a package manager installed."""

from __future__ import annotations

import posixpath
from pathlib import Path

import msgspec

from toolkit.model import Found, Source
from toolkit.revisions import match_tag, newest_tag
from toolkit.snapshot.layout import Entry, Role, Snapshot
from toolkit.sources.packages import name_native

# The paths of each role's documents, by source, revision, role and stem.
Documents = dict[tuple[str, str, Role, str], tuple[str, ...]]


def discover_snapshot(snapshot: Snapshot) -> tuple[Found, ...]:
    """Name the tools of a snapshot with their documents; a source may be held at several revisions."""
    documents = _list_documents(snapshot)
    return tuple(
        _make_found(entry, snapshot, documents) for entry in snapshot.manifest.entries if entry.role is Role.TOOL
    )


def document_packages(
    found: tuple[Found, ...], snapshot: Snapshot | None, sources: tuple[Source, ...]
) -> tuple[Found, ...]:
    """Give the programs that a distribution compiled the documents of upstream's release, as far as it is held."""
    if snapshot is None:
        return found
    documents = _list_documents(snapshot)
    upstreams = {upstream: source for source in sources for upstream in source.compiled}
    return tuple(
        _document(one, upstreams[one.upstream], snapshot, documents) if one.upstream in upstreams else one
        for one in found
    )


def _list_documents(snapshot: Snapshot) -> Documents:
    documents: Documents = {}
    for entry in snapshot.manifest.entries:
        if entry.role in (Role.EXAMPLE, Role.MAN, Role.TEXT):
            key = (entry.source, entry.revision, entry.role, entry.stem)
            documents[key] = (*documents.get(key, ()), f"{snapshot.path}/{entry.file}")
    return documents


def _make_found(entry: Entry, snapshot: Snapshot, documents: Documents) -> Found:
    if entry.engine is None:
        raise ValueError(f"{entry.path} is a tool without an engine")
    path = f"{snapshot.path}/{entry.file}"

    def find(role: Role) -> str:
        return _take_nearest(documents.get((entry.source, entry.revision, role, entry.stem), ()), path)

    return Found(
        upstream=entry.source,
        source=entry.source,
        stem=entry.stem,
        engine=entry.engine,
        path=path,
        revision=entry.revision,
        category=entry.category,
        made_for=entry.made_for,
        example=find(Role.EXAMPLE),
        man=find(Role.MAN),
    )


def _document(one: Found, source: Source, snapshot: Snapshot, documents: Documents) -> Found:
    revision = _fit_revision(one, source, snapshot)
    # ext4slower is a link to fsslower: its manual page is its own, its text is not.
    stems = (one.stem, name_native(Path(one.path).resolve()))

    def find(role: Role) -> tuple[str, ...]:
        every = (documents.get((source.name, revision, role, stem), ()) for stem in stems)
        return next(filter(None, every), ())

    texts = find(Role.TEXT)
    beside = next(iter(texts), "")
    return msgspec.structs.replace(
        one,
        example=one.example or _take_nearest(find(Role.EXAMPLE), beside),
        man=one.man or _take_nearest(find(Role.MAN), beside),
        texts={revision: texts} if texts else {},
    )


def _take_nearest(paths: tuple[str, ...], program: str) -> str:
    """The document that lies beside its program, or any; empty when there is none."""
    beside = (path for path in paths if posixpath.dirname(path) == posixpath.dirname(program))
    return next(beside, next(iter(paths), ""))


def _fit_revision(one: Found, source: Source, snapshot: Snapshot) -> str:
    """The release that a package was made from: v0.26.0 for 0.26.0+ds-1; where none fits, the newest that is held."""
    held = tuple(origin.revision for origin in snapshot.manifest.origins if origin.source == source.name)
    return match_tag(held, one.revision, source.tags) or newest_tag(held, source.tags) or next(iter(held), "")
