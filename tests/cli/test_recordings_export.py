"""`toolkit recordings export` and `diff` as a person calls them: files, streams, terminals, and wrong calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Toolkit
from tests.recordings.test_recordings import RESULT, make_run
from tests.support.terminal import open_terminal
from toolkit.cli.recordings.diff_report import show_factor, show_number
from toolkit.cli.recordings.export import FORMATS, write_file
from toolkit.errors import StateError
from toolkit.recordings.write import Recorder
from toolkit.runs import Form

ROWS = ("     0 -> 1   : {}   |**  |", "     2 -> 3   : {}   |****|", "     4 -> 7   : {}   |*   |")


@pytest.fixture
def folder(own_home: Path) -> Path:
    place = own_home / "toolkit" / "state" / "recordings"
    place.mkdir(parents=True, mode=0o700)
    return place


def record(folder: Path, day: int, *counts: int, seconds: float = 10.0, **changes: object) -> None:
    run = msgspec.structs.replace(make_run(f"202611{day}T100000Z-runqlat-00{day}"), **changes)
    recorder = Recorder(folder, run)
    drawn = (row.format(count) for row, count in zip(ROWS, counts, strict=False))
    text = "\n".join(("     usecs   : count    distribution", *drawn, ""))
    recorder.take_output("O", text.encode() if counts else b"words\x1b]0;evil\x07\n")
    recorder.finish(msgspec.structs.replace(RESULT, seconds=seconds))


def test_every_format_goes_to_stdout(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21, 10, 20)
    for form in FORMATS:
        done = toolkit("recordings", "export", "last", "--format", form)
        assert (done.returncode, bool(done.stdout)) == ((125, False) if form == "folded" else (0, True)), form
        assert "Traceback" not in done.stderr


def test_a_file_is_private_whole_and_never_written_over(toolkit: Toolkit, folder: Path, tmp_path: Path) -> None:
    record(folder, 21, 10, 20)
    target = tmp_path / "out.csv"
    call = ("recordings", "export", "last", "-f", "csv", "-o", str(target))
    assert toolkit(*call).returncode == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text().count("\n") == 3
    target.write_text("mine")
    refused = toolkit(*call)
    assert (refused.returncode, target.read_text()) == (125, "mine")
    assert "--force" in refused.stderr
    assert toolkit(*call, "--force").returncode == 0
    assert target.read_text().startswith("table,")
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == ["out.csv"]


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise StateError("the disk went away")

    with pytest.raises(StateError, match="went away"):
        write_file(tmp_path / "out", broken(), force=False)
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_an_export_that_is_interrupted_leaves_nothing(
    folder: Path, tmp_path: Path, number: signal.Signals, force: tuple[str, ...]
) -> None:
    record(folder, 21)
    os.truncate(next(folder.iterdir()) / "stdout", 1 << 40)  # all of it is a hole
    place = tmp_path / "place"
    place.mkdir()
    call = ("recordings", "export", "last", "--format", "jsonl", "-o", str(place / "out"), *force)
    process = subprocess.Popen((sys.executable, "-m", "toolkit", *call), stderr=subprocess.PIPE)
    while not list(place.iterdir()) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, said) == (128 + number, b"")
    assert list(place.iterdir()) == []


def test_a_device_a_folder_and_a_link_stay_what_they_are(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for place in (fifo, tmp_path):
        with pytest.raises(StateError, match="no file"):
            write_file(place, [b"x"], force=True)
    kept = tmp_path / "kept"
    kept.write_text("kept")
    link = tmp_path / "link"
    link.symlink_to(kept)
    write_file(link, [b"new"], force=True)
    assert (link.read_text(), link.is_symlink(), kept.read_text()) == ("new", False, "kept")
    with pytest.raises(StateError, match="No such file"):
        write_file(tmp_path / "absent" / "out", [b"x"], force=False)


def test_wrong_calls_say_what_is_wrong(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21, 10, 20)
    for arguments in (
        ("export", "last"),
        ("export", "last", "-f", "pdf"),
        ("export", "none", "-f", "csv"),
        ("export", "-f", "csv", "--table", "0"),
        ("export", "-f", "csv", "--table", "9"),
        ("export", "-f", "text", "--table", "1"),
        ("diff", "none"),
        ("diff",),
    ):
        done = toolkit("recordings", *arguments)
        assert (done.returncode, done.stdout) == (125, ""), arguments
        assert "Traceback" not in done.stderr


def test_diff_says_what_moved_and_what_differs_in_the_runs(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21, 100, 20, kernel="6.1.0")
    record(folder, 22, 0, 240, 960, kernel="6.6.0", seconds=20.0, variant="bcc/runqlat")
    done = toolkit("recordings", "diff", "20261121", "last")
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    for part in (
        "kernel    6.1.0 -> 6.6.0",
        "different variants",
        "count/s",
        "x5.0",
        "moved right",
        "by about 1.6 slots",
    ):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 80
    found = json.loads(toolkit("recordings", "diff", "20261121", "last", "--json").stdout)
    assert found["seconds"] == [10.0, 20.0]
    (pair,) = found["comparison"]["histograms"]
    assert (pair["before"]["count"], pair["after"]["count"], pair["factor"]) == (120, 1200, 5.0)
    assert {one["name"] for one in found["changes"]} == {"kernel", "variant"}


def test_diff_of_tables_shows_the_rows_that_changed(toolkit: Toolkit, folder: Path) -> None:
    for day, counts in ((21, {"dd": 5, "cp": 100}), (22, {"dd": 50, "cp": 101, "mv": 7})):
        run = msgspec.structs.replace(make_run(f"202611{day}T100000Z-x-00{day}"), form=Form.BPFTRACE_JSON)
        recorder = Recorder(folder, run)
        recorder.take_output("O", json.dumps({"type": "map", "data": {"@io": counts}}).encode() + b"\n")
        recorder.finish(RESULT)
    shown = toolkit("recordings", "diff", "20261121").stdout
    assert "@io  by key; 1 added" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("  ")][1:] == [
        ["dd", "5", "50", "x10.0"],
        ["mv", "-", "7", "added"],
    ]


def test_diff_says_when_nothing_is_data_and_when_both_are_the_same(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21)
    done = toolkit("recordings", "diff", "last", "last")
    assert done.returncode == 0
    assert "the same recording" in done.stdout
    assert "understood as data" in done.stdout


def test_no_escape_reaches_a_terminal_and_lines_fit_it(folder: Path) -> None:
    evil = "\x1b]0;evil\x07"
    record(folder, 21, 3, 5, tool=evil, host=evil * 20, kernel=evil, arguments=(evil,))
    record(folder, 22, 9, 1, revision=evil * 30)
    calls = (("export", "20261121", "-f", "text"), ("export", "20261121", "-f", "jsonl"), ("diff", "20261121"))
    for arguments in calls:
        command = [sys.executable, "-m", "toolkit", "recordings", *arguments]
        with open_terminal(command, os.environ, columns=80, lines=50) as terminal:
            assert terminal.finish() == 0
        assert b"\x1b]" not in terminal.raw
        assert b"\x07" not in terminal.raw


def test_factors_and_numbers_are_short() -> None:
    assert [show_factor(one) for one in (None, 1.0, 1.04, 0.5, 0.012, 1.31, 2.96, 1234.5)] == [
        *("", "same", "same", "x0.50", "x0.012", "x1.31", "x3.0", "x1,234"),
    ]
    assert [show_number(one) for one in (5.0, 0.3333, 12345.6)] == ["5", "0.333", "12,346"]
