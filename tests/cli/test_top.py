"""`toolkit top` on the real kernel: runs and strangers, as lines, as JSON, and on a terminal that it gives back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Toolkit
from tests.support.plans import fake_tool
from tests.support.terminal import open_terminal
from tests.support.waiting import wait_until
from toolkit.cli.screen import ENTER, LEAVE
from toolkit.cli.top import LoadLine, format_load
from toolkit.launch.census import name_tool
from toolkit.launch.load import Held, Holder, Loaded, Owner, measure_load

HOT = "tracepoint:raw_syscalls:sys_enter { @ = count(); }"
TOP = [sys.executable, "-m", "toolkit", "top", "--interval", "0.3"]


@pytest.fixture
def traced() -> Iterator[int]:
    """A load and a bpftrace that nobody here started; its PID."""
    load = subprocess.Popen(fake_tool("hot"))
    tracer = subprocess.Popen(["/usr/bin/bpftrace", "-e", HOT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert tracer.stdout is not None
        assert b"Attaching" in tracer.stdout.readline()
        held = Path(f"/proc/{tracer.pid}/fd")
        assert wait_until(lambda: any(os.readlink(one) == "anon_inode:bpf-prog" for one in held.iterdir()))
        yield tracer.pid
    finally:
        for process in (tracer, load):
            process.send_signal(signal.SIGINT)
            process.kill()
            process.wait()


def find_owner(line: str, pid: int) -> Owner:
    load = msgspec.json.decode(line, type=LoadLine).load
    return next(one for one in load.owners if one.pids == (pid,))


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_what_a_stranger_traces_is_shown_with_its_cost(toolkit: Toolkit, traced: int) -> None:
    done = toolkit("top", "--interval", "0.5", "--count", "2", "--json")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert json.loads(first)["shape"] == 1
    owner = find_owner(second, traced)
    assert (owner.held, owner.name) == (Held.PROCESS, "bpftrace")
    (program,) = owner.programs
    assert (program.attached, program.type) == (("tracepoint sys_enter",), "tracepoint")
    assert program.events > 1000
    assert 0 < program.percent < 1000
    assert 1 < program.ns < 1e6


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_in_a_pipe_it_prints_blocks(toolkit: Toolkit, traced: int) -> None:
    done = toolkit("top", "--interval", "0.3", "--once")
    assert f"bpftrace (process {traced})" in done.stdout
    assert "sys_enter" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.packages
def test_a_run_is_known_as_one(toolkit: Toolkit, warm_home: Path) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "run", "-q", "--bpf-cost", "0", "-d", "50", "inhouse/runqlat"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: "run of runqlat.bt" in toolkit("top", "--once", "--interval", "0.2").stdout)
    finally:
        launcher.send_signal(signal.SIGINT)
        launcher.wait()


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.parametrize("end", [b"q", b"\x03", signal.SIGTERM])
def test_on_a_terminal_it_redraws_until_it_is_ended_and_gives_the_screen_back(
    traced: int, end: bytes | signal.Signals
) -> None:
    with open_terminal(TOP, {**os.environ, "TERM": "xterm"}) as terminal:
        terminal.wait_for("sys_enter")
        assert ENTER.encode() in terminal.raw
        terminal.resize(40, 3)  # one program has four lines
        terminal.wait_for("more lines")
        assert all(len(line) <= 40 for line in terminal.lines)
        terminal.process.send_signal(end) if isinstance(end, signal.Signals) else terminal.send(end)
        assert terminal.finish() == 0
        assert terminal.raw.endswith(LEAVE.encode())
        assert terminal.shows_cursor


@pytest.mark.root
@pytest.mark.bpf
def test_a_terminal_that_stands_still_does_not_keep_it_from_ending(traced: int) -> None:
    with open_terminal(TOP, {**os.environ, "TERM": "xterm"}) as terminal:
        terminal.wait_for("sys_enter")
        terminal.send(b"\x13")  # ^S
        looked = count_written(terminal.process.pid)
        assert wait_until(lambda: count_written(terminal.process.pid) != looked)  # it has tried to draw
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(30) == 0


@pytest.mark.root
@pytest.mark.bpf
def test_stopping_gives_the_terminal_back_until_it_goes_on(traced: int) -> None:
    with open_terminal(TOP, {**os.environ, "TERM": "xterm"}) as terminal:
        terminal.wait_for("sys_enter")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait_until(lambda: terminal.raw.endswith(LEAVE.encode()))
        assert wait_until(lambda: b"T" in read_state(terminal.process.pid))
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_until(lambda: terminal.raw.count(ENTER.encode()) == 2)
        terminal.send(b"q")
        assert terminal.finish() == 0


def count_written(pid: int) -> str:
    """How often a process asked to write."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(line for line in lines if line.startswith("syscw"))


def read_state(pid: int) -> bytes:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]


def test_without_the_right_it_says_what_is_missing(toolkit: Toolkit) -> None:
    command = [sys.executable, "-m", "toolkit", "top", "--once"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 126
    assert "Operation not permitted" in done.stderr
    assert "CAP_SYS_ADMIN" in done.stderr


def test_a_screen_that_is_too_small_says_how_much_is_left_out() -> None:
    loaded = [Loaded(id=number, name=f"p{number}", type="xdp") for number in range(50)]
    lines = list(format_load(measure_load([], loaded, 1.0), 60, 10))
    assert len(lines) == 10
    assert lines[-1].startswith("… 44 more lines")
    assert all(len(line) <= 60 for line in lines)
    assert "no process: pinned" in lines[2]


def test_no_bpf_program_is_an_answer_too() -> None:
    (line,) = format_load(measure_load([], [], 1.0))
    assert "0 BPF programs, 0 events a second" in line


def test_names_of_others_cannot_command_the_terminal() -> None:
    evil = Loaded(id=1, name="a\x1b[2J", type="xdp", holders=(Holder(pid=1, name="b\x1b]0;x\x07"),))
    assert not any("\x1b" in line or "\x07" in line for line in format_load(measure_load([], [evil], 1.0)))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/bin/bpftrace /x/runqlat.bt 5", "runqlat.bt"),
        ("/usr/bin/python3.11 -u /usr/sbin/tcplife-bpfcc -L 80", "tcplife-bpfcc"),
        ("/usr/sbin/runqlat 10 1", "runqlat"),
        ("bpftrace -e tracepoint:x{}", ""),
        ("/bin/bash /usr/sbin/collect.sh", "collect.sh"),
        ("", ""),
    ],
)
def test_a_tool_is_named_by_its_file(command: str, name: str) -> None:
    assert name_tool(command.split()) == name
