"""Runs that are on, as a user meets them: ps, stop, detach, attach, slots, and what the audit log tells afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.support.processes import find_marked
from tests.support.terminal import open_terminal
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace]

SCRIPT = str(ROOT / "catalog/inhouse/cpu/execsnoop.bt")


@pytest.fixture
def home(own_home: Path) -> Path:
    """The folder that TOOLKIT_HOME names."""
    return own_home / "toolkit"


def detach(toolkit: Toolkit, *options: str, tool: str = "inhouse/execsnoop") -> str:
    done = toolkit("run", "--detach", "--quiet", *options, tool)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def read_audit(home: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home / "state" / "audit.log").read_text().splitlines()]


@contextlib.contextmanager
def attached(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "toolkit", "attach", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",  # what others execute
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    text = ""
    while word not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return text


def test_a_detached_run_is_listed_followed_and_stopped(toolkit: Toolkit, home: Path) -> None:
    name = detach(toolkit, "-d", "50")
    assert re.fullmatch(r"\d{8}T\d{6}Z-execsnoop-[0-9a-f]{4}", name)
    (row,) = json.loads(toolkit("ps", "--json").stdout)["runs"]
    assert (row["run"]["id"], row["run"]["detached"], row["run"]["user"]) == (name, True, "root")
    assert row["run"]["ends"] - row["run"]["started"] == pytest.approx(50)
    assert name in toolkit("ps").stdout
    with attached(name) as follower:
        read_until(follower, "TIME")
        follower.send_signal(signal.SIGINT)
        _, told = follower.communicate(timeout=30)
        assert follower.returncode == 0
        assert f"{name} goes on" in told
    stopped = toolkit("stop", "execsnoop")
    assert stopped.returncode == 0
    assert f"{name}: interrupted (SIGTERM)" in stopped.stderr
    assert toolkit("ps").stderr == "No run is on.\n"
    assert find_marked(SCRIPT) == []
    (recording,) = (home / "state" / "recordings").iterdir()
    assert json.loads((recording / "result.json").read_text())["result"]["outcome"] == "interrupted"


def test_who_follows_a_run_to_its_end_gets_all_of_it_and_its_status(toolkit: Toolkit, home: Path) -> None:
    name = detach(toolkit, "-d", "1.5")
    done = toolkit("attach", "--quiet", name)
    assert done.returncode == 0
    recording = home / "state" / "recordings" / name
    assert done.stdout == (recording / "stdout").read_text()
    assert done.stderr == (recording / "stderr").read_text()
    gone = toolkit("attach", name)
    assert gone.returncode == 125
    assert f"no run '{name}' is on" in gone.stderr


def test_following_as_json_ends_with_the_result(toolkit: Toolkit) -> None:
    name = detach(toolkit, "-d", "1.5")
    events = [json.loads(line) for line in toolkit("attach", "--json", name).stdout.splitlines()]
    assert {event["event"] for event in events} == {"output", "result"}
    assert events[-1]["result"]["outcome"] == "duration"


def test_interrupting_attach_with_stop_ends_the_run(toolkit: Toolkit) -> None:
    name = detach(toolkit, "-d", "50")
    with attached("--stop", name) as follower:
        read_until(follower, "TIME")
        follower.send_signal(signal.SIGINT)
        _, told = follower.communicate(timeout=30)
        assert follower.returncode == 128 + signal.SIGTERM
        assert "interrupted (SIGTERM)" in told
    assert find_marked(SCRIPT) == []


def test_a_launcher_that_was_killed_is_said_to_have_died(toolkit: Toolkit) -> None:
    name = detach(toolkit, "-d", "50")
    pid = json.loads(toolkit("ps", "--json").stdout)["runs"][0]["run"]["pid"]
    with attached(name) as follower:
        read_until(follower, "TIME")
        os.kill(pid, signal.SIGKILL)
        _, told = follower.communicate(timeout=30)
        assert follower.returncode == 125
        assert f"the launcher of {name} died" in told
    assert json.loads(toolkit("ps", "--json").stdout)["runs"] == []
    assert wait_until(lambda: find_marked(SCRIPT) == [])


def test_a_detached_run_that_is_refused_says_why_and_its_status(toolkit: Toolkit, home: Path) -> None:
    for _ in range(2):
        detach(toolkit, "-d", "50")
    try:
        full = toolkit("run", "--detach", "inhouse/execsnoop")
        assert full.returncode == 126
        assert full.stdout == ""
        assert "2 runs of execsnoop at the same time are the limit" in full.stderr
        assert toolkit("run", "inhouse/execsnoop").returncode == 126
    finally:
        stopped = json.loads(toolkit("stop", "--all", "--json").stdout)["runs"]
    assert [one["ended"] for one in stopped] == [True, True]
    decisions = [(one["decision"], bool(one["recording"])) for one in read_audit(home)]
    assert decisions == [("allowed", True)] * 2 + [("refused", False)] * 2


def test_a_detached_run_whose_tool_fails_at_once_is_not_said_to_be_on(toolkit: Toolkit, home: Path) -> None:
    done = toolkit("run", "--detach", "--force", "inhouse/execsnoop", "bogus")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the run is not on: it failed with status 1 after" in done.stderr
    assert 'given "bogus"' in done.stderr  # bpftrace's own words
    (recording,) = (home / "state" / "recordings").iterdir()
    assert f"all that it printed: toolkit recordings show {recording.name}" in done.stderr
    assert toolkit("ps").stderr == "No run is on.\n"


@pytest.mark.packages
def test_a_detached_run_that_is_over_before_it_was_on_says_so(toolkit: Toolkit) -> None:
    done = toolkit("run", "--detach", "--force", "libbpf-tools/runqlat", "--help")
    assert done.returncode == 0
    assert f"it has ended already: toolkit recordings show {done.stdout.strip()}" in done.stderr


def test_interrupting_who_waits_for_a_detached_run_ends_it(warm_home: Path) -> None:
    code = (
        "import sys\n"
        "from toolkit.cli import app, course\n"
        "course.Course._announce = lambda self, sinks: sinks\n"  # as if it attached nothing
        "sys.argv = ['toolkit', 'run', '--detach', 'inhouse/execsnoop']\n"
        "app.main()"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert wait_until(lambda: find_marked(SCRIPT) != [])
    caller.send_signal(signal.SIGINT)
    stdout, _ = caller.communicate(timeout=30)
    assert (caller.returncode, stdout) == (130, b"")
    assert wait_until(lambda: find_marked(SCRIPT) == [])


def test_a_terminal_that_stands_still_delays_neither_limits_nor_stop(toolkit: Toolkit, warm_home: Path) -> None:
    argv = [sys.executable, "-m", "toolkit", "run", "--force", "--bpf-cost", "0", "-d", "50", "inhouse/execsnoop"]
    with open_terminal(argv, {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}) as terminal:
        terminal.wait_for("TIME")
        terminal.send(b"\x13")  # ^S
        wait_for_words(warm_home, "/bin/true")
        assert count_samples(warm_home) > 0
        before = count_samples(warm_home)
        assert wait_until(lambda: count_samples(warm_home) >= before + 2)
        assert b"/bin/true" not in terminal.raw
        stopped = toolkit("stop", "execsnoop")
        assert stopped.returncode == 0
        assert "interrupted (SIGTERM)" in stopped.stderr
        assert terminal.process.wait(30) == 128 + signal.SIGTERM


def test_a_terminal_that_stood_still_shows_all_when_it_goes_on(toolkit: Toolkit, warm_home: Path) -> None:
    argv = [sys.executable, "-m", "toolkit", "run", "--force", "--bpf-cost", "0", "-d", "3", "inhouse/execsnoop"]
    with open_terminal(argv, {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}) as terminal:
        terminal.wait_for("TIME")
        terminal.send(b"\x13")
        wait_for_words(warm_home, "/bin/true")
        assert wait_until(lambda: not json.loads(toolkit("ps", "--json").stdout)["runs"])  # its slot is free
        assert terminal.process.poll() is None
        terminal.send(b"\x11")  # ^Q
        assert terminal.finish() == 0
        assert b"/bin/true" in terminal.raw
        assert "its time was over" in terminal.text


def wait_for_words(home: Path, words: str) -> None:
    """Start such a process again and again until execsnoop's recording shows one."""
    (recording,) = (home / "toolkit" / "state" / "recordings").iterdir()

    def is_there() -> bool:
        subprocess.run([words], check=True)
        return words in (recording / "stdout").read_text()

    assert wait_until(is_there)


def count_samples(home: Path) -> int:
    (recording,) = (home / "toolkit" / "state" / "recordings").iterdir()
    return len((recording / "cost.jsonl").read_text().splitlines())


JUMPING = """\
import itertools, sys, time
real, calls = time.time, itertools.count()
time.time = lambda: real() + {jump} * (1 + next(calls) % 2)
from toolkit.cli import app
sys.argv = ["toolkit", *{arguments!r}]
app.main()
"""


def run_jumping(jump: float, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of ours whose clock is set again and again."""
    code = JUMPING.format(jump=jump, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="backslashreplace",  # what others execute
        check=False,
    )


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_is_set_changes_no_time_of_a_run(warm_home: Path, toolkit: Toolkit, jump: float) -> None:
    done = run_jumping(jump, "run", "--force", "-d", "1.5", "inhouse/execsnoop")
    assert done.returncode == 0, done.stderr
    (recording,) = (warm_home / "toolkit" / "state" / "recordings").iterdir()
    result = json.loads((recording / "result.json").read_text())["result"]
    assert (result["outcome"], 1.5 <= result["seconds"] < 60) == ("duration", True)
    delays = [float(line.split()[1]) for line in (recording / "timing").read_text().splitlines()]
    assert all(0 <= delay < 60 for delay in delays)
    samples = [json.loads(line)["time"] for line in (recording / "cost.jsonl").read_text().splitlines()]
    assert samples == sorted(samples)
    detach(toolkit, "-d", "50")
    row = run_jumping(jump, "ps").stdout.splitlines()[1].split()
    toolkit("stop", "--all")
    assert re.fullmatch(r"\d+s", row[2])  # since
    assert re.fullmatch(r"[1-5]\ds", row[3])  # left


def test_a_detached_run_needs_its_recording(toolkit: Toolkit) -> None:
    for options in (("--no-record",), ("--allow", "sensitive")):
        tool = "inhouse/execsnoop" if options[0] == "--no-record" else "bashreadline"
        done = toolkit("run", "--detach", "--force", *options, tool)
        assert done.returncode == 125
        assert "prints into its recording, and this one has none" in done.stderr


def test_the_terminal_of_a_detached_run_may_close(toolkit: Toolkit) -> None:
    name = detach(toolkit, "-d", "50")
    pid = json.loads(toolkit("ps", "--json").stdout)["runs"][0]["run"]["pid"]
    assert os.getsid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{standard}") for standard in range(3)} == {"/dev/null"}
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.3)
    assert len(json.loads(toolkit("ps", "--json").stdout)["runs"]) == 1
    assert toolkit("stop", "--now", "--quiet", name).stderr == ""


def test_stop_wants_names_or_all(toolkit: Toolkit) -> None:
    assert toolkit("stop").returncode == 125
    assert toolkit("stop", "--all", "x").returncode == 125
    assert toolkit("stop", "--all").returncode == 0
    missing = toolkit("stop", "nothing")
    assert missing.returncode == 125
    assert "no run 'nothing' is on" in missing.stderr


def test_a_run_in_the_foreground_is_stopped_too_and_says_so(toolkit: Toolkit, warm_home: Path) -> None:
    command = [sys.executable, "-m", "toolkit", "run", "--force", "inhouse/execsnoop"]
    pipe = subprocess.PIPE
    run = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, errors="backslashreplace")
    read_until(run, "TIME")
    assert toolkit("stop", "execsnoop").returncode == 0
    _, told = run.communicate(timeout=30)
    assert run.returncode == 128 + signal.SIGTERM
    assert "interrupted (SIGTERM)" in told
