"""`run --chart`, `run --json` and `recordings show` with real tools: drawn on a terminal and in a pipe, and as data."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.support.terminal import open_terminal
from toolkit.cli.chart import ChartOutlet
from toolkit.cli.sinks import Tap
from toolkit.launch.outgoing import Outgoing
from toolkit.remarks import Remarks
from toolkit.runs import Cost, Form, Outcome, Result

TABLE = b"     usecs   : count    distribution\n     0 -> 1   : 3        |****  |\n"


def draw(*pieces: bytes) -> None:
    """Pass these through an outlet as a tool's stdout."""
    outgoing = Outgoing()
    outlet = ChartOutlet(Tap(None, Form.TEXT, Remarks()), outgoing, Form.TEXT)
    sinks = outlet.sinks()
    for piece in pieces:
        assert sinks.stdout(piece) == ""
    ended = Result(
        outcome=Outcome.ENDED,
        status=0,
        tool_status=0,
        seconds=1.0,
        stdout_bytes=0,
        stderr_bytes=0,
        dropped_bytes=0,
        cost=Cost(),
        peak_memory=None,
    )
    outlet.finish(ended)
    outgoing.drain()


def test_the_map_has_lines_of_its_own_whatever_the_tool_ends_with(capfd: pytest.CaptureFixture[str]) -> None:
    draw(TABLE, b"\n", TABLE, b"half a line")
    lines = capfd.readouterr().out.splitlines()
    at = lines.index("half a line")
    assert lines[at + 1 : at + 3] == ["", "2 intervals  (us)"]


def test_bytes_that_are_no_text_pass_unchanged(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    noise = bytes(range(256)) * 40
    draw(noise[:777], noise[777:])
    assert capfdbinary.readouterr().out == noise


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_in_a_pipe_blocks_come_as_they_are_and_the_map_at_the_end(toolkit: Toolkit, own_home: Path) -> None:
    done = toolkit("run", "--chart", "-q", "inhouse/runqlat", "1", "2", environ={"NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert "Tracing run queue latency" in done.stdout
    blocks = [line for line in done.stdout.splitlines() if line.startswith(" count ")]
    assert len(blocks) == 2
    assert all("p50 ~" in line and "p99 ~" in line and "max " in line for line in blocks)
    assert done.stdout.count("2 intervals") == 1
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    (recording,) = (own_home / "toolkit" / "state" / "recordings").iterdir()
    assert "[" in (recording / "stdout").read_text()  # what it printed itself, not what was drawn
    again = toolkit("recordings", "show", "--chart", environ={"NO_COLOR": "1"})
    assert again.stdout.endswith(done.stdout)


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_on_a_terminal_the_map_stays_below_what_came_last(toolkit: Toolkit) -> None:
    toolkit("list")  # makes the cache
    argv = (sys.executable, "-m", "toolkit", "run", "--chart", "-q", "--bpf-cost", "0", "inhouse/runqlat", "1", "3")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    with open_terminal(argv, environ, columns=100, lines=60) as terminal:
        assert terminal.finish() == 0
        raw, lines = terminal.raw, terminal.lines
    assert raw.count(b"2 intervals") >= 1
    titles = [at for at, line in enumerate(lines) if "intervals" in line]
    assert len(titles) == 1  # those of before were wiped
    assert "3 intervals" in lines[titles[0]]
    assert "count " in lines[titles[0] - 1]
    assert "+" in lines[-1]
    assert b"\x1b[38;5;" in raw
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_json_asks_bpftrace_for_json_and_its_recording_is_read_back(toolkit: Toolkit, own_home: Path) -> None:
    done = toolkit("run", "--json", "inhouse/runqlat", "1", "1")
    assert done.returncode == 0, done.stderr
    start, *events = [json.loads(line) for line in done.stdout.splitlines()]
    assert start["plan"]["argv"][1:3] == ["-f", "json"]
    assert start["plan"]["form"] == "bpftrace json"
    (histogram,) = [
        event["frame"] for event in events if event["event"] == "frame" and event["frame"].get("title") == "@usecs"
    ]
    assert (histogram["title"], histogram["unit"]) == ("@usecs", "us")
    (recording,) = (own_home / "toolkit" / "state" / "recordings").iterdir()
    assert json.loads((recording / "run.json").read_text())["form"] == "bpftrace json"
    stdout = (recording / "stdout").read_text()
    assert stdout[histogram["offset"] :].startswith('{"type": "hist"')
    assert toolkit("recordings", "show", "--raw").stdout == stdout
    shown = toolkit("recordings", "show").stdout
    assert '"type"' not in shown
    assert "Tracing run queue latency" in shown
    assert "p50 ~" in shown


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_a_native_tool_prints_the_same_either_way(toolkit: Toolkit) -> None:
    plan = json.loads(toolkit("run", "--json", "--dry-run", "libbpf-tools/runqlat", "1", "1").stdout)
    assert "json" not in plan["argv"]
    assert "form" not in plan  # text, the default


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_one_way_to_show_it_at_a_time(toolkit: Toolkit) -> None:
    done = toolkit("run", "--chart", "--json", "runqlat")
    assert done.returncode == 125
    assert "--chart draws for people" in done.stderr
