"""Read recordings back, newest first; a damaged one is passed over, never an error for the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from toolkit.errors import DAMAGED, NoSuchRecording, StateError
from toolkit.recordings.files import is_written, open_folder, read_file
from toolkit.recordings.layout import ID, MOST_TAGS, TAG, Recording, ResultRecord, RunRecord

_RUN = msgspec.json.Decoder(RunRecord)
_RESULT = msgspec.json.Decoder(ResultRecord)


def list_recordings(folder: Path) -> Iterator[Recording]:
    """Every readable recording, newest first, read one by one so that a caller can stop early. Raises StateError."""
    for name in list_ids(folder):
        recording = read_recording(folder / name)
        if recording is not None:
            yield recording


def list_ids(folder: Path) -> tuple[str, ...]:
    """The names of the recordings, newest first; their names begin with the time. Raises StateError."""
    return tuple(sorted(filter(ID.fullmatch, list_names(folder)), reverse=True))


def list_names(folder: Path) -> tuple[str, ...]:
    """All that is in a folder of recordings, in no order. Raises StateError."""
    return tuple(map(os.fsdecode, list_raw_names(folder)))


def list_raw_names(folder: Path) -> list[bytes]:
    """Like `list_names`, as bytes."""
    try:
        return os.listdir(os.fsencode(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(
            f"cannot read {folder}: {error.strerror}", fix="recordings are readable by their owner only"
        ) from error


def find_recording(folder: Path, name: str) -> Recording:
    """The recording of this name, of this unambiguous beginning, or of `last`. Raises NoSuchRecording."""
    ids = list_ids(folder)
    matching = ids[:1] if name == "last" else tuple(one for one in ids if one == name or one.startswith(name))
    if name in matching:
        matching = (name,)
    if len(matching) > 1:
        raise NoSuchRecording(f"{name!r} could be any of {len(matching)} recordings", fix=f"such as {matching[0]}")
    recording = read_recording(folder / matching[0]) if matching and name else None
    if recording is None and not ids:
        raise NoSuchRecording("nothing is recorded yet", fix="`toolkit run runqlat 10 1` makes the first")
    if recording is None:
        raise NoSuchRecording(f"there is no recording {name!r}", fix="`toolkit recordings list` shows them")
    return recording


def read_recording(path: Path | str) -> Recording | None:
    """One recording, or None where there is none that can be read."""
    try:
        with open_folder(path) as place:
            return _read(path, place)
    except (OSError, *DAMAGED):
        return None


def read_tags(place: int) -> tuple[str, ...]:
    """The tags in the folder of a recording, sorted; what is no tag is passed over."""
    try:
        words = read_file("tags", place, largest=1 << 16).decode("ascii", "replace").split("\n")
    except OSError:
        return ()
    return tuple(sorted({word for word in words if TAG.fullmatch(word)}))[:MOST_TAGS]


def _read(path: Path | str, place: int) -> Recording:
    run = _RUN.decode(read_file("run.json", place))
    record = _read_result(place)
    running = record is None and is_written(place)
    if record is None and not running:
        record = _read_result(place)  # it may have ended between the two looks
    return Recording(
        path=str(path),
        run=run,
        result=record.result if record else None,
        running=running,
        tags=read_tags(place),
        problem=record.problem if record else "",
    )


def _read_result(place: int) -> ResultRecord | None:
    try:
        return _RESULT.decode(read_file("result.json", place))
    except (OSError, *DAMAGED):
        return None
