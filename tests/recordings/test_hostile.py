"""Recordings that somebody else made: links are not followed, FIFOs not waited for, and no file is too large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.recordings.test_recordings import RESULT, make_run
from toolkit.errors import StateError, UsageError
from toolkit.recordings.files import LARGEST
from toolkit.recordings.read import find_recording, list_recordings
from toolkit.recordings.replay import read_pieces
from toolkit.recordings.tags import add_tags
from toolkit.recordings.write import Recorder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    recorder = Recorder(tmp_path / "recordings", make_run())
    recorder.take_output("O", b"one\n")
    recorder.finish(RESULT)
    return recorder.path


def put_a_fifo(file: Path) -> None:
    os.mkfifo(file)


def put_a_link(file: Path) -> None:
    secret = file.parent.parent / "secret"
    secret.write_text("secret")
    file.symlink_to(secret)


def put_a_folder(file: Path) -> None:
    file.mkdir()


def put_too_much(file: Path) -> None:
    with file.open("wb") as large:
        large.truncate(LARGEST + 1)


@pytest.mark.parametrize("put", [put_a_fifo, put_a_link, put_a_folder, put_too_much])
def test_what_is_no_file_of_ours_is_not_read(recording: Path, put: object) -> None:
    assert callable(put)
    for name, left in (("tags", 1), ("result.json", 1), ("run.json", 0)):
        (recording / name).unlink(missing_ok=True)
        put(recording / name)
        found = list(list_recordings(recording.parent))
        assert len(found) == left
    assert not found


@pytest.mark.parametrize("put", [put_a_fifo, put_a_link, put_a_folder])
def test_its_output_is_not_read_from_elsewhere(recording: Path, put: object) -> None:
    (recording / "stdout").unlink()
    assert callable(put)
    put(recording / "stdout")
    with pytest.raises(StateError):
        list(read_pieces(recording))


def test_a_link_in_place_of_a_recording_is_none(recording: Path) -> None:
    (recording.parent / "20270101T000000Z-x-0001").symlink_to(recording)
    assert len(list(list_recordings(recording.parent))) == 1
    with pytest.raises(StateError, match="Not a directory"):
        find_recording(recording.parent, "20270101")


def test_tags_are_words(recording: Path, tmp_path: Path) -> None:
    for bad in ("", "two words", "\x1b[31m", "a" * 65, "-x", "ü"):
        with pytest.raises(UsageError):
            add_tags(recording, tmp_path / "index", (bad,))
    with pytest.raises(UsageError, match="at most"):
        add_tags(recording, tmp_path / "index", tuple(f"t{number}" for number in range(40)))
    (recording / "tags").write_text("good\n\x1b[31m\nalso good\n" + "x" * 100)
    assert find_recording(recording.parent, "last").tags == ("good",)
