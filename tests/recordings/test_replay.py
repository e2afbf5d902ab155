"""Replay: the pieces and their times as they came, also from a recording that is damaged."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.recordings.test_recordings import RESULT, make_run
from toolkit.recordings.replay import read_pieces, read_steps, shorten_pause
from toolkit.recordings.write import Recorder


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Out at 1 s, err at 4 s, out at 4.5 s, err at 6 s."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    recorder = Recorder(tmp_path, make_run())
    for after, stream, data in ((1.0, "O", b"one\n"), (3.0, "E", b"oops\n"), (0.5, "O", b"two\n"), (1.5, "E", b"!\n")):
        clock[0] += after
        recorder.take_output(stream, data)
    recorder.finish(RESULT)
    monkeypatch.undo()
    return recorder.path


def test_both_streams_come_back_in_their_order_and_time(recording: Path) -> None:
    pieces = [(round(step.time, 3), step.stream, data) for step, data in read_pieces(recording)]
    assert pieces == [(1.0, "O", b"one\n"), (4.0, "E", b"oops\n"), (4.5, "O", b"two\n"), (6.0, "E", b"!\n")]


def test_a_player_that_knows_no_stderr_loses_no_time(recording: Path) -> None:
    lines = [line.split() for line in (recording / "timing").read_text().splitlines()]
    assert sum(float(delay) for letter, delay, _ in lines if letter == "O") == pytest.approx(4.5)


def test_scriptreplay_plays_stdout_of_it(recording: Path) -> None:
    # It passes over the first line of a log, where script(1) writes a header of its own.
    command = 'scriptreplay --maxdelay 0.01 -T "$1/timing" -O <(echo; cat "$1/stdout")'
    done = subprocess.run(["bash", "-c", command, "bash", str(recording)], capture_output=True, check=True)
    assert done.stdout.strip() == b"one\ntwo"
    assert not done.stderr


def test_damaged_lines_are_passed_over_and_no_byte_is_lost(recording: Path) -> None:
    lines = (recording / "timing").read_text().splitlines()
    damage = ["O nan 3", "O -1 3", "X 1 3", "O 1 -3", "O 1", "", "O inf 2", "O 1e300 1", "\x00" * 500, "O 0.1 999999"]
    (recording / "timing").write_text("\n".join([lines[0], *damage, *lines[1:]]))
    steps = list(read_steps(recording))
    assert [step.time for step in steps] == sorted(step.time for step in steps)
    output = {"O": b"", "E": b""}
    for step, data in read_pieces(recording):
        output[step.stream] += data
    assert output == {"O": b"one\ntwo\n", "E": b"oops\n!\n"}


def test_bytes_that_no_line_tells_of_come_last(recording: Path) -> None:
    (recording / "timing").write_text("O 1.0 4\n")
    assert [data for _, data in read_pieces(recording)] == [b"one\n", b"two\n", b"oops\n!\n"]


def test_without_its_times_all_of_it_comes_at_once(recording: Path) -> None:
    (recording / "timing").unlink()
    assert [(step.time, data) for step, data in read_pieces(recording)] == [(0.0, b"one\ntwo\n"), (0.0, b"oops\n!\n")]


def test_pauses_are_divided_and_cut() -> None:
    assert [shorten_pause(10.0, *pace) for pace in ((1.0, None), (4.0, None), (4.0, 1.0), (1.0, 0.0))] == [
        10,
        2.5,
        1,
        0,
    ]
