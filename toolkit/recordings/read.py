"""Read recordings back, newest first; a damaged one is passed over, never an error for the others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from toolkit.errors import NoSuchRecording, StateError
from toolkit.recordings.layout import Recording, ResultRecord, RunRecord

ID = re.compile(r"\d{8}T\d{6}Z-[\w.-]+", re.ASCII)  # what recordings.write.new_id makes


def list_recordings(folder: Path) -> Iterator[Recording]:
    """Every readable recording, newest first, read one by one so that a caller can stop early. Raises StateError."""
    for name in list_ids(folder):
        recording = _read(folder / name)
        if recording is not None:
            yield recording


def list_ids(folder: Path) -> tuple[str, ...]:
    """The names of the recordings, newest first; their names begin with the time."""
    try:
        return tuple(sorted(filter(ID.fullmatch, os.listdir(folder)), reverse=True))
    except FileNotFoundError:
        return ()
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
    recording = _read(folder / matching[0]) if matching and name else None
    if recording is None:
        raise NoSuchRecording(f"there is no recording {name!r}", fix="`toolkit recordings list` shows them")
    return recording


def _read(path: Path) -> Recording | None:
    try:
        run = msgspec.json.decode((path / "run.json").read_bytes(), type=RunRecord)
    except (OSError, msgspec.MsgspecError):
        return None
    try:
        result = msgspec.json.decode((path / "result.json").read_bytes(), type=ResultRecord).result
    except (OSError, msgspec.MsgspecError):
        result = None
    return Recording(path=str(path), run=run, result=result)
