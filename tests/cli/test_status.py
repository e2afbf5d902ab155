"""The line below a tool's output: it tears nothing, leaves nothing, and is silent where it would disturb."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.conftest import ROOT
from tests.support.terminal import Terminal, open_terminal
from toolkit.cli.status import format_status
from toolkit.runs import Cost
from toolkit.trials import Points

SHOWN = str(ROOT / "tests/support/shown.py")
COST = Cost(time=12.4, programs=3, attached=("a", "b", "c"), memory=13 << 20, lost=12)
RATES = {"ns": 4.2e6, "events": 41234.4, "cpu": 0.012}
POINTS = Points(expected=4, attached=3)
WARNING = "a.c:1:2: warning: no [-Wx]\\n#define X\\n        ^\\n"


def show(code: str, *, keep: str = "keep", deadline: float = 20, columns: int = 80) -> AbstractContextManager[Terminal]:
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    argv = [sys.executable, SHOWN, keep, str(deadline), sys.executable, "-uc", code]
    return open_terminal(argv, environ, columns=columns, lines=24)


def test_all_of_it_fits_eighty_columns() -> None:
    cost = replace(COST, lost=0)
    assert format_status(cost, RATES, POINTS, 60, 79) == (
        "12 s of 60  3/4 probes  41,234 events/s  BPF 0.42 %  CPU 1.20 %  13.0 MiB"
    )


def test_what_matters_least_goes_first() -> None:
    lines = [format_status(COST, RATES, POINTS, 60, width) for width in range(120)]
    assert all(len(line) <= width for width, line in enumerate(lines))
    assert lines[119].count("  ") == 6
    assert format_status(COST, RATES, POINTS, 60, 33) == "12 s of 60  BPF 0.42 %  12 lost"
    assert format_status(COST, RATES, POINTS, 60, 10) == "12 s of 60"
    assert lines[9] == ""


def test_what_is_not_known_is_not_shown_as_a_figure() -> None:
    line = format_status(Cost(time=1, unknown="no right"), {}, Points(), 60, 120)
    assert line.startswith("1 s of 60  0 attached")
    assert "BPF unknown" in line


def wait_for(file: Path) -> str:
    """Code of a tool that waits until the test makes this file."""
    return f"import os, time\nwhile not os.path.exists({str(file)!r}): time.sleep(0.02)\n"


def test_it_stands_below_the_output_and_nothing_of_it_stays(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with show(f"print('first')\n{wait_for(first)}print('second')\n{wait_for(second)}print('third')") as terminal:
        terminal.wait_until(lambda: len(terminal.lines) == 2 and "probes" in terminal.lines[1])
        assert terminal.lines[0] == "first"
        first.touch()
        terminal.wait_until(lambda: "second" in terminal.lines and "probes" in terminal.lines[-1])
        second.touch()
        assert terminal.finish() == 0
        assert terminal.lines == ["first", "second", "third", "END ended folded 0 kept 0"]
        assert terminal.shows_cursor


def test_a_line_that_is_not_ended_is_not_torn() -> None:
    with show("import time\nprint('half', end='')\ntime.sleep(1.5)\nprint(' whole')") as terminal:
        assert terminal.finish() == 0
        assert terminal.raw.startswith(b"half whole")


@pytest.mark.parametrize("command", ["\\x1b[H\\x1b[2J", "\\x1bc", "\\x1b[?1049h"])
def test_a_tool_that_commands_the_screen_has_it_for_itself(command: str) -> None:
    with show(f"import time\nprint('{command}mine')\ntime.sleep(1.5)") as terminal:
        assert terminal.finish() == 0
        assert b"mine" in terminal.raw
        assert b"probes" not in terminal.raw


def test_a_narrow_terminal_gets_a_short_line(tmp_path: Path) -> None:
    with show(f"print('x')\n{wait_for(tmp_path / 'go')}", columns=24) as terminal:
        terminal.wait_until(lambda: any("BPF" in line for line in terminal.lines))
        assert len(terminal.lines) == 2
        (tmp_path / "go").touch()
        assert terminal.finish() == 0


def test_without_a_terminal_there_is_no_line(tmp_path: Path) -> None:
    with open_terminal(
        ["/bin/sh", "-c", f"exec {sys.executable} {SHOWN} keep 20 sleep 1.5 2>{tmp_path}/stderr"],
        {**os.environ, "TERM": "xterm"},
    ) as terminal:
        assert terminal.finish() == 0
        assert terminal.raw == b""
    assert (tmp_path / "stderr").read_text() == "END ended folded 0 kept 0\n"


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_compiler_warnings_are_folded_when_it_works_and_are_kept() -> None:
    traced = "tracepoint:sched:sched_switch { @ = count(); } interval:s:1 { exit(); }"
    argv = ["/usr/bin/bpftrace", "-e", traced]
    code = f"import os, sys\nsys.stderr.write('{WARNING}real\\n')\nos.execv({argv[0]!r}, {argv!r})"
    with show(code) as terminal:
        assert terminal.finish() == 0
        assert "real" in terminal.lines
        assert "warning: no" not in terminal.text
        assert terminal.lines[-1].startswith("END ended folded 3 kept ")
        assert int(terminal.lines[-1].split()[-1]) > 50


def test_they_are_shown_after_all_where_they_may_tell_why_nothing_was_traced() -> None:
    with show(f"import sys\nsys.stderr.write('{WARNING}real\\n')") as terminal:
        assert terminal.finish() == 0
        assert terminal.lines[0] == "real"
        assert terminal.lines[1].startswith("a.c:1:2: warning")
        assert terminal.lines[-1].startswith("END ended folded 0 kept ")


def test_what_is_not_recorded_is_not_folded() -> None:
    code = f"import sys\nsys.stderr.write('{WARNING}')"
    with show(code, keep="forget") as terminal:
        terminal.finish()
        assert terminal.lines[0].startswith("a.c:1:2: warning")


def test_a_prompt_on_stderr_is_shown_although_it_has_no_end() -> None:
    with show("import sys, time\nsys.stderr.write('ready? ')\ntime.sleep(60)") as terminal:
        terminal.wait_for("ready?")
        assert terminal.process.poll() is None
