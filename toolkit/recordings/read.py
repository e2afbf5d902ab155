"""Read recordings back, newest first; a damaged one is passed over, never an error for the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from toolkit.errors import DAMAGED, NoSuchRecording, StateError
from toolkit.recordings.files import is_written, open_folder, read_file
from toolkit.recordings.layout import ID, MOST_TAGS, SHAPE, TAG, Recording, ResultRecord, RunRecord

MAKE_FIRST = "`toolkit run runqlat 10 1` makes the first"
_RUN = msgspec.json.Decoder(RunRecord)
_RESULT = msgspec.json.Decoder(ResultRecord)
Record = TypeVar("Record", RunRecord, ResultRecord)


def list_recordings(folder: Path) -> Iterator[Recording]:
    """Every readable recording, newest first, read one by one so that a caller can stop early. Raises StateError."""
    for name in list_ids(folder):
        recording = read_recording(folder / name)
        if recording is not None:
            yield recording


def list_ids(folder: Path) -> tuple[str, ...]:
    """The names of the recordings, newest first; their names begin with the time. Raises StateError."""
    return tuple(sorted(filter(ID.fullmatch, map(os.fsdecode, list_raw_names(folder))), reverse=True))


def list_raw_names(folder: Path) -> list[bytes]:
    """All that is in a folder of recordings, in no order. Raises StateError."""
    try:
        return os.listdir(os.fsencode(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(
            f"cannot read {folder}: {error.strerror}", fix="recordings are readable by their owner only"
        ) from error


def find_recording(folder: Path, name: str) -> Recording:
    """The recording of this name, of this unambiguous beginning, or of `last`. NoSuchRecording, StateError."""
    if name == "last":
        newest = next(list_recordings(folder), None)
        if newest is None:
            raise NoSuchRecording("nothing is recorded yet", fix=MAKE_FIRST)
        return newest
    ids = list_ids(folder)
    matching = (name,) if name in ids else tuple(one for one in ids if name and one.startswith(name))
    if len(matching) > 1:
        raise NoSuchRecording(f"{name!r} could be any of {len(matching)} recordings", fix=f"such as {matching[0]}")
    if not ids:
        raise NoSuchRecording(f"there is no recording {name!r}: nothing is recorded yet", fix=MAKE_FIRST)
    if not matching:
        raise NoSuchRecording(f"there is no recording {name!r}", fix="`toolkit recordings list` shows them")
    return open_recording(folder / matching[0])


def read_recording(path: Path | str) -> Recording | None:
    """One recording, or None where there is none that can be read."""
    try:
        return open_recording(path)
    except StateError:
        return None


def open_recording(path: Path | str) -> Recording:
    """One recording. Raises StateError, which says why it cannot be read."""
    try:
        with open_folder(path) as place:
            return _read(path, place)
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}", fix="it holds no recording that is whole") from error
    except _Unreadable as error:
        raise StateError(f"cannot read {path}: {error}", fix="what it printed is in its file stdout") from error


def read_tags(place: int) -> tuple[str, ...]:
    """The tags in the folder of a recording, sorted; what is no tag is passed over."""
    try:
        words = read_file("tags", place, largest=1 << 16).decode("ascii", "replace").split("\n")
    except OSError:
        return ()
    return tuple(sorted({word for word in words if TAG.fullmatch(word)}))[:MOST_TAGS]


def _read(path: Path | str, place: int) -> Recording:
    run = _read_record(_RUN, "run.json", place)
    record, problem = _read_result(place)
    running = record is None and not problem and is_written(place)
    if record is None and not problem and not running:
        record, problem = _read_result(place)  # it may have ended between the two looks
    return Recording(
        path=str(path),
        run=run,
        result=record.result if record else None,
        running=running,
        tags=read_tags(place),
        problem=record.problem if record else problem,
    )


def _read_result(place: int) -> tuple[ResultRecord | None, str]:
    """How it ended, if it has; or why that cannot be told."""
    try:
        return _read_record(_RESULT, "result.json", place), ""
    except FileNotFoundError:
        return None, ""
    except _Unreadable as error:
        return None, f"how it ended cannot be read: {error}"


class _Unreadable(Exception):
    """A file of a recording that is there, and why nothing can be made of it."""


class _Shaped(msgspec.Struct):
    shape: int


_SHAPED = msgspec.json.Decoder(_Shaped)


def _read_record(decoder: msgspec.json.Decoder[Record], name: str, place: int) -> Record:
    """A record. Raises FileNotFoundError and _Unreadable, also for one of a newer shape, which means other things."""
    try:
        data = read_file(name, place)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _Unreadable(f"{name}: {error.strerror}") from error
    newer = f"a newer toolkit wrote {name}"
    try:
        record = decoder.decode(data)
    except DAMAGED as error:
        raise _Unreadable(newer if _read_shape(data) > SHAPE else f"{name} is damaged") from error
    if record.shape > SHAPE:
        raise _Unreadable(newer)
    return record


def _read_shape(data: bytes) -> int:
    try:
        return _SHAPED.decode(data).shape
    except DAMAGED:
        return 0
