"""Bring revisions of a source into memory: from the snapshot that holds it already, or from its repository."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping

from toolkit.errors import SourceError
from toolkit.model import Source, Value
from toolkit.revisions import parse_tag
from toolkit.snapshot.layout import Entry, Origin, Role, Snapshot
from toolkit.snapshot.origins import Wanted
from toolkit.sources.git import Place, Wish, fetch_files, list_files
from toolkit.sources.git_blobs import Blob
from toolkit.sources.git_names import tidy
from toolkit.sources.git_store import GitStore, renew_store
from toolkit.sources.git_tree import EntryKind, TreeEntry
from toolkit.sources.select import Selection, list_folders, select_files

MOST_NOTES = 20  # of one revision: a hostile tree can have 100,000 bad names


class Collected(Value, frozen=True):
    """The files of one revision: entries, their bytes by SHA-256, and what was refused."""

    entries: tuple[Entry, ...]
    contents: dict[str, bytes]
    notes: tuple[str, ...] = ()
    fetched: bool = False  # out of the repository, not out of a snapshot


def reuse_origins(snapshot: Snapshot | None, source: str = "") -> dict[Origin, Collected]:
    """What a snapshot holds, of one source or of all, but for origins of which a file is not what it was."""
    if snapshot is None:
        return {}
    entries: dict[tuple[str, str], list[Entry]] = {}
    for entry in snapshot.manifest.entries:
        entries.setdefault((entry.source, entry.revision), []).append(entry)
    kept: dict[Origin, Collected] = {}
    for origin in snapshot.manifest.origins:
        mine = tuple(entries.get((origin.source, origin.revision), ()))
        contents = _read_files(snapshot, mine) if source in ("", origin.source) else None
        if contents is not None:
            kept[origin] = Collected(entries=mine, contents=contents)
    return kept


def _read_files(snapshot: Snapshot, entries: tuple[Entry, ...]) -> dict[str, bytes] | None:
    """The bytes of these files by SHA-256; None when one of them is not what it was."""
    contents: dict[str, bytes] = {}
    for entry in entries:
        try:
            # A pathlib.Path and a file object would take three times as long, on every night that brings nothing.
            descriptor = os.open(f"{snapshot.path}/{entry.file}", os.O_RDONLY | os.O_NOFOLLOW)
            try:
                data = os.read(descriptor, entry.size + 1)
            finally:
                os.close(descriptor)
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            return None
        contents[entry.sha256] = data
    return contents


class Gathered(Value, frozen=True):
    """The files of several revisions of a source, and the bytes that it took."""

    files: dict[Origin, Collected]
    received: int


def fetch_origins(store: GitStore, source: Source, wanted: tuple[Wanted, ...], *, seconds: float) -> Gathered:
    """Fetch the files of some origins that the source's rules choose, and no others. Raises SourceError.

    A store that turns out to be damaged, at whichever step, is made anew, once.
    """
    end = time.monotonic() + seconds
    try:
        return _fetch_origins(store, source, wanted, end)
    except SourceError as error:
        if not error.damaged:
            raise
    return _fetch_origins(renew_store(store), source, wanted, end)


def _fetch_origins(store: GitStore, source: Source, wanted: tuple[Wanted, ...], end: float) -> Gathered:
    places = tuple(Place(url=source.url, commit=one.origin.commit, ref=one.ref) for one in wanted)
    listed = list_files(store, places, list_folders(source), seconds=end - time.monotonic())
    selections = tuple(
        select_files(source, tuple(one.path for one in entries if not one.problem)) for entries in listed.entries
    )
    wishes = tuple(
        Wish(listed=entries, paths=selection.paths)
        for entries, selection in zip(listed.entries, selections, strict=True)
    )
    fetched = fetch_files(store, places, wishes, seconds=end - time.monotonic(), fresh=listed.fresh)
    each = zip(wanted, wishes, fetched.entries, selections, strict=True)
    files = {
        one.origin: _collect(source, one.origin, wish.listed, entries, selection, fetched.blobs)
        for one, wish, entries, selection in each
    }
    return Gathered(files=files, received=listed.received + fetched.received)


def _collect(
    source: Source,
    origin: Origin,
    listed: tuple[TreeEntry, ...],
    fetched: tuple[TreeEntry, ...],
    selection: Selection,
    blobs: Mapping[str, Blob],
) -> Collected:
    """The files of one revision, and notes on what was refused."""
    refused = (entry for entry in (*listed, *fetched) if entry.problem)
    # bcc has libraries as submodules in libbpf-tools; to a source without rules, a folder is a category of tools.
    notes = [
        f"{tidy(one.path)}: {one.problem}" for one in refused if not (source.tools and one.kind is EntryKind.SUBMODULE)
    ]
    notes += _note_missing(source, selection)
    entries: list[Entry] = []
    contents: dict[str, bytes] = {}
    tools = {one.path: one for one in selection.tools}
    made_for = _find_engine_release(source, origin)
    for one in fetched:
        if one.problem:
            continue
        blob = blobs[one.blob]
        if blob.problem:
            notes.append(f"{tidy(one.path)}: {blob.problem}")
            continue
        tool = tools.get(one.path)
        role, stem = (Role.TOOL, tool.stem) if tool else _find_document(selection, one.path)
        entry = Entry(
            source=origin.source,
            revision=origin.revision,
            path=one.path,
            role=role,
            stem=stem,
            engine=tool.engine if tool else None,
            category=tool.category if tool else "",
            made_for=made_for if tool else "",
            executable=one.executable,
            size=len(blob.data),
            sha256=hashlib.sha256(blob.data).hexdigest(),
        )
        entries.append(entry)
        contents[entry.sha256] = blob.data
    return Collected(entries=tuple(entries), contents=contents, notes=_shorten(source, notes), fetched=True)


def _note_missing(source: Source, selection: Selection) -> Iterator[str]:
    """What a person may miss who put it there. In a source of the catalog what is hidden is meant to be."""
    if not selection.tools:
        yield (
            "no file in it is a tool" if source.tools else "no file in it is a tool, such as disk/slowio.bt, .py or .sh"
        )
    if not source.tools:
        for path, first in selection.hidden.items():
            yield f"{tidy(path)}: a name is one tool, and {tidy(first)} has it"


def _find_engine_release(source: Source, origin: Origin) -> str:
    version = parse_tag(origin.revision, source.tags) if source.follows and source.tags else None
    return f"{source.follows}>={'.'.join(map(str, version))}" if version else ""


def _find_document(selection: Selection, path: str) -> tuple[Role, str]:
    documents = ((Role.EXAMPLE, selection.examples), (Role.MAN, selection.man), (Role.TEXT, selection.texts))
    return next(((role, stems[path]) for role, stems in documents if path in stems), (Role.PART, ""))


def _shorten(source: Source, notes: list[str]) -> tuple[str, ...]:
    shown = tuple(f"{source.name}: {note}" for note in notes[:MOST_NOTES])
    more = len(notes) - MOST_NOTES
    return (*shown, f"{source.name}: and {more} more") if more > 0 else shown
