"""`toolkit recordings …` as a person uses it: on a terminal, in a pipe, interrupted, and with hostile recordings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.conftest import ROOT, Toolkit
from tests.recordings.test_recordings import RESULT, make_run
from tests.support.terminal import open_terminal
from toolkit.cli.recordings.times import parse_age, parse_since, parse_size, parse_until
from toolkit.recordings.write import Recorder
from toolkit.runs import Outcome

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC).astimezone()
MIDNIGHT = NOW.replace(hour=0, minute=0)


@pytest.fixture
def folder(own_home: Path) -> Path:
    place = own_home / "toolkit" / "state" / "recordings"
    place.mkdir(parents=True, mode=0o700)
    return place


def record(folder: Path, day: int, **changes: object) -> Recorder:
    run = msgspec.structs.replace(make_run(f"202611{day}T100000Z-runqlat-00{day}"), **changes)
    recorder = Recorder(folder, run)
    recorder.take_output("O", b"out\n")
    recorder.take_output("E", b"err\n")
    return recorder


def list_names(toolkit: Toolkit, *arguments: str) -> list[str]:
    done = toolkit("recordings", "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [Path(one["path"]).name[6:8] for one in json.loads(done.stdout)["recordings"]]


def test_list_is_narrowed_by_every_option(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21, started=time.time() - 3 * 86400, host="web1", tool="tcplife").finish(RESULT)
    record(folder, 22, started=time.time() - 3600, user="bob").finish(RESULT)
    going_on = record(folder, 23, started=time.time())
    assert list_names(toolkit) == ["23", "22", "21"]
    assert list_names(toolkit, "--limit", "1") == ["23"]
    assert list_names(toolkit, "--since", "2h") == ["23", "22"]
    assert list_names(toolkit, "--until", "2 d ago") == ["21"]
    assert list_names(toolkit, "--host", "web1", "--tool", "tcplife") == ["21"]
    assert list_names(toolkit, "--user", "bob") == ["22"]
    assert list_names(toolkit, "--outcome", "running") == ["23"]
    assert list_names(toolkit, "--outcome", "ended", "--tool", "tcplife") == ["21"]
    assert (
        list_names(toolkit, "--category", "processor") == list_names(toolkit, "--category", "cpu") == ["23", "22", "21"]
    )
    going_on.finish(msgspec.structs.replace(RESULT, outcome=Outcome.OUTPUT_CLOSED))
    assert list_names(toolkit, "--outcome", "output closed") == ["23"]
    assert "  output closed  " in toolkit("recordings", "list", "--limit", "1").stdout
    nothing = toolkit("recordings", "list", "--tool", "none")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "No recording" in nothing.stderr
    for bad in (("--since", "soon"), ("--outcome", "good"), ("--limit", "0")):
        done = toolkit("recordings", "list", *bad)
        assert done.returncode == 125
        assert "Traceback" not in done.stderr


def test_list_says_that_some_cannot_be_read_and_show_says_why(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21).finish(RESULT)
    assert "cannot" not in toolkit("recordings", "list").stderr
    damaged = record(folder, 22)
    damaged.finish(RESULT)
    (damaged.path / "run.json").write_text("{")
    listed = toolkit("recordings", "list")
    assert (len(listed.stdout.splitlines()), listed.returncode) == (1, 0)
    assert (
        f"1 folder holds no recording that can be read: `toolkit recordings show {damaged.path.name}`" in listed.stderr
    )
    assert toolkit("recordings", "list", "--tool", "runqlat").stderr == ""
    shown = toolkit("recordings", "show", damaged.path.name)
    assert (shown.returncode, "run.json is damaged" in shown.stderr) == (125, True)


def test_list_fits_a_terminal_and_passes_no_escape_on(folder: Path) -> None:
    hostile = "\x1b[31mred\x07"
    record(folder, 21, arguments=(hostile, "x" * 100), variant=hostile, host=hostile, user=hostile).finish(RESULT)
    record(folder, 22).finish(RESULT)
    for arguments, shown in ((("list",), "ended"), (("show", "--raw"), "out"), (("show", "20261121"), "started")):
        command = (sys.executable, "-m", "toolkit", "recordings", *arguments)
        with open_terminal(command, os.environ, columns=80) as terminal:
            assert terminal.finish() == 0
            assert shown in terminal.text
            assert b"\x1b[31m" not in terminal.raw
            assert b"\x07" not in terminal.raw
    with open_terminal((sys.executable, "-m", "toolkit", "recordings", "list"), os.environ, columns=80) as terminal:
        terminal.finish()
        assert len(terminal.lines) == 2


def test_show_says_whether_it_goes_on_or_crashed(toolkit: Toolkit, folder: Path) -> None:
    recorder = record(folder, 21, started=time.time())
    assert "running" in toolkit("recordings", "show").stdout
    assert "running" in toolkit("recordings", "list").stdout
    del recorder
    assert "crashed" in toolkit("recordings", "show").stdout
    assert "crashed" in toolkit("recordings", "list").stdout


def test_tags_are_given_found_and_taken(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21).finish(RESULT)
    record(folder, 22).finish(RESULT)
    done = toolkit("recordings", "tag", "20261121", "keep", "incident-42", "--json")
    assert json.loads(done.stdout)["tags"] == ["incident-42", "keep"]
    assert list_names(toolkit, "--tag", "keep", "--tag", "incident-42") == ["21"]
    assert "#keep" in toolkit("recordings", "list").stdout
    toolkit("recordings", "untag", "20261121", "keep")
    assert list_names(toolkit, "--tag", "keep") == []
    assert toolkit("recordings", "tag", "last", "two words").returncode == 125
    assert toolkit("recordings", "tag", "nothing", "keep").returncode == 125


def test_replay_gives_each_stream_its_own(toolkit: Toolkit, folder: Path) -> None:
    record(folder, 21).finish(RESULT)
    done = toolkit("recordings", "replay", "--speed", "1000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_replay_as_json_has_each_piece_in_its_place(toolkit: Toolkit, folder: Path) -> None:
    recorder = record(folder, 21)
    recorder.take_output("O", "é".encode()[:1])
    recorder.take_output("E", b"\x9b")
    recorder.take_output("O", "é\n".encode()[1:])
    recorder.finish(RESULT)
    done = toolkit("recordings", "replay", "--speed", "1000", "--json")
    first, *outputs, last = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert (first["event"], first["run"]["id"]) == ("run", recorder.path.name)
    assert [(one["event"], one["stream"], one["text"]) for one in outputs] == [
        ("output", "stdout", "out\n"),
        ("output", "stderr", "err\n"),
        ("output", "stderr", "\ufffd"),
        ("output", "stdout", "é\n"),
    ]
    assert [one["seconds"] for one in outputs] == sorted(one["seconds"] for one in outputs)
    assert (last["event"], last["result"]["outcome"]) == ("result", "ended")


def test_interrupted_replay_ends_at_once_and_says_nothing(folder: Path) -> None:
    recorder = record(folder, 21)
    recorder.finish(RESULT)
    (recorder.path / "timing").write_text("O 0.0 4\nE 1000.0 4\n")
    with open_terminal((sys.executable, "-m", "toolkit", "recordings", "replay"), os.environ) as terminal:
        terminal.wait_for("out")
        terminal.send(b"\x03")
        assert terminal.finish() == 130
        assert "err" not in terminal.text
        assert "Traceback" not in terminal.text


def test_prune_removes_what_it_said_it_would(toolkit: Toolkit, folder: Path) -> None:
    for day in (21, 22, 23):
        record(folder, day).finish(RESULT)
    toolkit("recordings", "tag", "20261121", "keep")
    dry = json.loads(toolkit("recordings", "prune", "--keep", "1", "--dry-run", "--json").stdout)
    assert [one["id"][6:8] for one in dry["removed"]] == ["22"]
    assert list_names(toolkit) == ["23", "22", "21"]
    assert "removed 1 recording," in toolkit("recordings", "prune", "--keep", "1").stdout
    assert list_names(toolkit) == ["23", "21"]
    assert "removed 2 recordings" in toolkit("recordings", "prune", "--max-size", "1K", "--tagged").stdout
    for bad in (("--older-than", "old"), ("--max-size", "big"), ("--keep", "0")):
        assert toolkit("recordings", "prune", *bad).returncode == 125


@pytest.mark.parametrize("url", ["file:///nonexistent/acme.git", ""])
def test_a_sync_applies_the_settings_whatever_becomes_of_it(
    toolkit: Toolkit, folder: Path, own_home: Path, url: str
) -> None:
    for day in (21, 22, 23):
        record(folder, day).finish(RESULT)
    source = "sources: {acme: {url: 'file:///nonexistent/acme.git'}}\n"
    (own_home / "toolkit" / "config.yaml").write_text("recordings: {count: 1, days: 0}\n" + source)
    state = own_home / "toolkit" / "state"
    if not url:
        (state / "sync.lock").mkdir()  # nothing can be synced at all
    done = toolkit("sync", "--quiet", "acme")
    assert done.returncode == 1, done.stderr
    assert "recordings" not in done.stderr
    assert list_names(toolkit) == ["23"]
    assert "recordings: 2 removed" in (state / "sync.log").read_text()


@pytest.mark.parametrize(
    ("text", "ago"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1.5h", 5400), ("3d", 3 * 86400), ("1w ago", 7 * 86400)]
)
def test_ages_count_back_from_now(text: str, ago: float) -> None:
    assert parse_since(text, NOW) == parse_until(text, NOW) == NOW.timestamp() - ago
    if "ago" not in text:
        assert parse_age(text) == ago


def test_a_day_counts_whole() -> None:
    assert parse_since("today", NOW) == MIDNIGHT.timestamp()
    assert parse_until("yesterday", NOW) == MIDNIGHT.timestamp()
    assert parse_until("2026-11-24", NOW) - parse_since("2026-11-24", NOW) == 86400
    assert parse_since("2026-11-24T10:00:00Z", NOW) == datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()
    for bad in ("", "soon", "5", "2026-13-01", "99999999999d", "h"):
        with pytest.raises(ValueError, match="no time such as"):
            parse_since(bad, NOW)


def test_sizes_are_powers_of_1024() -> None:
    sizes = {"10": 10, "1K": 1024, "1.5k": 1536, "10G": 10 << 30, "10GiB": 10 << 30, "2TB": 2 << 40}
    assert {text: parse_size(text) for text in sizes} == sizes
    for bad in ("", "G", "-1", "1X", "1 2"):
        with pytest.raises(ValueError, match="no size"):
            parse_size(bad)


@pytest.mark.parametrize("arguments", [("show",), ("replay", "--speed", "1000"), ("export", "-f", "text")])
def test_a_full_disk_is_said_and_is_no_reader_that_left(folder: Path, arguments: tuple[str, ...]) -> None:
    record(folder, 23).finish(RESULT)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "toolkit", "recordings", *arguments],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 125
    assert "No space left on device" in done.stderr
