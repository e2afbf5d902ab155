"""`toolkit run` on the real kernel: the histogram, the reasons, the refusals, the recording, and what ^C does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.support.processes import find_run
from tests.support.waiting import wait_for_events, wait_until
from toolkit.launch.held import read_process

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace, pytest.mark.packages]


def recordings(home: Path) -> list[Path]:
    return sorted((home / "toolkit" / "state" / "recordings").iterdir())


def test_runqlat_prints_a_histogram_and_says_what_ran_and_what_it_cost(toolkit: Toolkit, own_home: Path) -> None:
    done = toolkit("run", "runqlat", "2", "1")
    assert done.returncode == 0, done.stderr
    assert "|" in done.stdout
    assert "@" in done.stdout or "*" in done.stdout
    first, *_, last = done.stderr.splitlines()
    assert "libbpf-tools/runqlat" in first or "inhouse/runqlat" in first
    assert "it ended by itself after 2." in done.stderr
    assert "attached" in done.stderr
    assert "of one CPU" in done.stderr
    (recording,) = recordings(own_home)
    assert recording.name in last
    assert (recording / "stdout").read_text() == done.stdout
    frames = [json.loads(line) for line in (recording / "frames.jsonl").read_text().splitlines()]
    assert [frame["kind"] for frame in frames].count("histogram") == 1
    result = json.loads((recording / "result.json").read_text())["result"]
    assert result["cost"]["run_count"] > 0
    assert len(result["cost"]["attached"]) >= 3


def list_running(toolkit: Toolkit, tool: str) -> list[str]:
    variants = json.loads(toolkit("info", tool, "--json").stdout)["variants"]
    return [one["id"] for one in variants if one["verdict"]["status"] == "runs"]


@pytest.mark.parametrize("tool", ["runqlat", "biolatency"])
def test_interval_count_means_the_same_for_every_variant_that_runs(toolkit: Toolkit, tool: str) -> None:
    running = list_running(toolkit, tool)
    assert f"inhouse/{tool}" in running

    def run(variant: str) -> float:
        started = time.monotonic()
        done = toolkit("run", "--bpf-cost", "0", variant, "2", "1")
        assert done.returncode == 0, (variant, done.stderr)
        return time.monotonic() - started

    with ThreadPoolExecutor(2) as pool:  # as many of a tool as may run at the same time
        took = dict(zip(running, pool.map(run, running), strict=True))
    assert min(took.values()) >= 2, took


def test_one_that_cannot_run_is_refused_with_the_reason_and_the_alternative(toolkit: Toolkit, own_home: Path) -> None:
    variants = json.loads(toolkit("info", "runqlat", "--json").stdout)["variants"]
    blocked = [one["id"] for one in variants if one["verdict"]["status"] == "blocked"]
    if not blocked:
        pytest.skip("every variant of runqlat runs on this host")
    for variant in blocked:
        done = toolkit("run", variant)
        assert (done.returncode, done.stdout) == (126, "")
        assert f"{variant} cannot run here: " in done.stderr
        assert "instead: toolkit run runqlat: `" in done.stderr
        assert "answers the same through " in done.stderr
    assert not (own_home / "toolkit" / "state" / "recordings").exists()


def test_a_time_that_is_asked_for_ends_it_with_success(toolkit: Toolkit) -> None:
    done = toolkit("run", "-d", "1.5", "inhouse/execsnoop")
    assert done.returncode == 0, done.stderr
    assert "its time was over" in done.stderr


def test_a_limit_from_the_settings_ends_it_with_124(toolkit: Toolkit, own_home: Path) -> None:
    (own_home / "toolkit").mkdir(mode=0o700)
    (own_home / "toolkit" / "config.yaml").write_text("limits:\n  duration: 1.5\n")
    done = toolkit("run", "inhouse/opensnoop")
    assert done.returncode == 124
    assert "the limit of 1.5 s was reached" in done.stderr


def test_arguments_that_ask_for_more_than_the_limit_are_warned_about(toolkit: Toolkit) -> None:
    done = toolkit("run", "--dry-run", "--json", "runqlat", "300", "1")
    plan = json.loads(done.stdout)
    assert plan["deadline"] == 60
    assert plan["choice"]["duration"] == 300
    assert "the arguments ask for 300 s, the limit is 60 s: add `--duration 305`" in done.stderr
    assert toolkit("run", "--dry-run", "runqlat", "60", "1").stderr == ""


def test_a_dry_run_prints_the_decision_and_starts_nothing(toolkit: Toolkit, own_home: Path) -> None:
    done = toolkit("run", "--dry-run", "runqlat", "10", "1")
    assert done.returncode == 0
    for word in (
        "variant",
        "verdict",
        "command",
        "environ",
        "duration",
        "limits",
        "sha256",
        "risk       heavy: it traces",
    ):
        assert f"\n{word}" in f"\n{done.stdout}"
    assert not (own_home / "toolkit" / "state" / "recordings").exists()


def test_json_lines_tell_the_whole_run(toolkit: Toolkit) -> None:
    done = toolkit("run", "--json", "runqlat", "1", "1")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "result"
    assert {"output", "frame"} <= {event["event"] for event in events}
    frames = [event["frame"] for event in events if event["event"] == "frame"]
    assert "text" in {frame["kind"] for frame in frames}
    histogram = next(frame for frame in frames if frame["kind"] == "histogram")
    assert (histogram["unit"], bool(histogram["slots"])) == ("us", True)
    assert done.stderr == ""


def test_without_recording_there_are_frames_all_the_same(toolkit: Toolkit, own_home: Path) -> None:
    done = toolkit("run", "--json", "--no-record", "runqlat", "1", "1")
    assert any(json.loads(line)["event"] == "frame" for line in done.stdout.splitlines())
    assert not (own_home / "toolkit" / "state" / "recordings").exists()


def test_quiet_says_nothing_of_its_own(toolkit: Toolkit) -> None:
    done = toolkit("run", "--quiet", "runqlat", "1", "1")
    assert "toolkit:" not in done.stderr


def test_what_was_recorded_can_be_listed_and_shown(toolkit: Toolkit) -> None:
    printed = toolkit("run", "runqlat", "1", "1").stdout
    assert "runqlat" in toolkit("recordings", "list").stdout
    shown = toolkit("recordings", "show", "last").stdout
    assert "it ended by itself" in shown
    assert shown.endswith(printed)
    assert toolkit("recordings", "show", "--raw").stdout == printed


def start_run(*arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "toolkit",
        "run",
        "--bpf-cost",
        "0",
        "--force",
        *arguments,
    ]  # however busy this machine is
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def find_tool(run: subprocess.Popen[str]) -> int:
    """The process of the tool of a run that was just started."""
    assert wait_until(lambda: bool(find_run(run.pid)))
    return find_run(run.pid)[0]


def test_interrupting_prints_the_histogram_and_ends_with_130(warm_home: Path) -> None:
    run = start_run("inhouse/runqlat")
    wait_for_events(find_tool(run), "tracepoint sched_switch", 200)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=30)
    assert run.returncode == 130, stderr
    assert "interrupted (SIGINT)" in stderr
    assert "|" in stdout


@pytest.mark.parametrize("variant", ["inhouse/runqlat", "libbpf-tools/runqlat"])
def test_killing_the_launcher_leaves_nothing_of_the_tool(warm_home: Path, variant: str) -> None:
    run = start_run(variant, "600", "1")
    tool = find_tool(run)
    assert wait_until(lambda: bool(read_process(tool).attached))
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert wait_until(lambda: find_run(run.pid) == [])
    (recording,) = recordings(warm_home)
    assert not (recording / "result.json").exists()


def test_a_file_that_changed_behind_our_back_is_not_started(warm_home: Path) -> None:
    code = (
        "import toolkit.launch.guard as g, toolkit.cli.app as a, sys\n"
        "real = g.read_trusted\n"
        "g.read_trusted = lambda found: (b'something else', '')\n"
        "sys.argv = ['toolkit', 'run', 'inhouse/runqlat', '1', '1']\na.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert "changed since it was analysed" in done.stderr


def test_a_full_disk_does_not_keep_the_tool_from_running(own_home: Path) -> None:
    home = own_home / "small"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(home)], check=True)
    with contextlib.suppress(OSError):
        (home / "filler").write_bytes(b"x" * (64 << 10))
    try:
        environ = {**os.environ, "TOOLKIT_HOME": str(home)}
        command = [sys.executable, "-m", "toolkit", "run", "--force", "runqlat", "1", "1"]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["umount", str(home)], check=True)
    assert done.returncode == 0, done.stderr
    assert "not recorded" in done.stderr or "recording stopped" in done.stderr
    assert "|" in done.stdout
