"""Cost and attachments of real BPF programs, as the kernel counts them."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.launch.test_supervise import Collected, run
from tests.support.plans import fake_tool, plan_for
from tests.support.waiting import wait_until
from toolkit.host import bpf
from toolkit.launch.held import read_process
from toolkit.launch.meter import Meter
from toolkit.launch.supervise import Sinks, supervise
from toolkit.runs import Outcome, Result

SCRIPT = "tracepoint:sched:sched_switch { @switches = count(); } interval:s:1 { @seconds = count(); }"


@pytest.fixture
def busy() -> Iterator[None]:
    """A process of ours that makes the scheduler work."""
    child = subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 0.002; done"])
    yield
    child.kill()
    child.wait()


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_a_run_says_what_it_attached_and_what_that_cost(busy: None) -> None:
    result, collected = run(plan_for("/usr/bin/bpftrace", "-e", SCRIPT), enough=lambda seen: has_counted(seen, 1))
    assert result.outcome is Outcome.DURATION
    assert b"@switches" in collected.stdout
    assert "tracepoint sched_switch" in " ".join(result.cost.attached)
    assert result.cost.run_count > 20
    assert result.cost.run_ns > result.cost.run_count  # a program takes more than a nanosecond
    assert result.cost.programs >= 2
    assert result.peak_memory is not None
    assert result.peak_memory > 1 << 20
    counts = [cost.run_count for cost in collected.costs]
    assert counts == sorted(counts)
    assert result.cost.unknown == ""
    assert 0 < result.cost.cpu < 60
    accounts = {one.attached: one for one in result.accounts}
    assert accounts[("tracepoint sched_switch",)].run_count > 20
    assert accounts[("perf_event",)].name != accounts[("tracepoint sched_switch",)].name


def has_counted(collected: Collected, least: int) -> bool:
    """Whether it had counted as much a sample ago: at the first, bpftrace 0.17 may not yet heed a signal."""
    return len(collected.costs) > 1 and collected.costs[-2].run_count >= least


@pytest.mark.root
@pytest.mark.bpf
def test_statistics_are_on_only_while_somebody_measures() -> None:
    def statistics_are_on() -> bool:
        return any("bpf-stats" in os.readlink(f"/proc/self/fd/{name}") for name in list_own_descriptors())

    assert not statistics_are_on()
    with Meter() as meter:
        assert statistics_are_on()
        assert meter.unknown == ""
    assert not statistics_are_on()


def list_own_descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if Path(f"/proc/self/fd/{name}").is_symlink()]


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_nothing_stays_loaded_after_a_run() -> None:
    script = "interval:ms:977 { @intervals = count(); }"  # nobody else has one of this name

    def is_loaded() -> bool:
        done = subprocess.run(["bpftool", "prog", "list"], capture_output=True, text=True, check=True)
        return re.search(r"name (interval_ms_)?977\b", done.stdout) is not None

    seen: list[bool] = []

    def saw_it(collected: Collected) -> bool:
        seen.append(is_loaded())
        return seen[-1]

    run(plan_for("/usr/bin/bpftrace", "-e", script), enough=saw_it)
    assert seen[-1]
    assert wait_until(lambda: not is_loaded())  # the kernel frees programs after a grace period of its own


def test_a_process_that_is_gone_holds_nothing() -> None:
    seen = read_process(1 << 22)
    assert (seen.programs, seen.attached) == ({}, ())


def test_a_tool_without_bpf_costs_nothing() -> None:
    result, _ = run(plan_for("/bin/true"))
    assert (result.cost.programs, result.cost.run_ns, result.cost.attached) == (0, 0, ())


HOT = 'tracepoint:raw_syscalls:sys_enter { @calls[comm] = count(); } END { printf("its map\\n"); }'


@pytest.fixture
def hot() -> Iterator[None]:
    """A process of ours that makes system calls."""
    child = subprocess.Popen(fake_tool("hot"))
    yield
    child.kill()
    child.wait()


def run_hot(limit: float, deadline: float) -> tuple[Result, Collected]:
    plan = plan_for("/usr/bin/bpftrace", "-e", HOT, deadline=deadline, asked=True, grace=5)
    return run(replace(plan, limits=replace(plan.limits, bpf_cost=limit)))


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_one_that_costs_too_much_is_stopped_and_the_program_is_named(hot: None) -> None:
    result, collected = run_hot(limit=0.5, deadline=30)
    assert (result.outcome, result.status, result.limit) == (Outcome.LIMIT, 124, "bpf_cost")
    assert re.match(
        r"\S+ on tracepoint sys_enter ran [\d,]{5,} times a second, \d+(\.\d+)? % of one CPU", result.detail
    )
    assert result.detail.endswith("the limit is 0.5 %")
    assert 3 <= result.seconds < 25  # no less than a window, no matter how hot
    assert b"its map" in collected.stdout  # it was asked first
    assert collected.costs[-1].memory > 1 << 20


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.parametrize(("limit", "deadline"), [(0.0, 4.5), (0.5, 2.5)])
def test_without_a_limit_or_a_whole_window_it_is_not(hot: None, limit: float, deadline: float) -> None:
    result, _ = run_hot(limit, deadline)
    assert (result.outcome, result.limit) == (Outcome.DURATION, "")
    assert result.cost.run_count > 1000


def test_statistics_that_are_off_are_said_and_stop_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = tmp_path / "bpf_stats_enabled"
    monkeypatch.setattr("toolkit.host.bpf.STATS_SETTING", str(setting))

    def refuse() -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(bpf, "enable_stats", refuse)
    setting.write_text("1\n")  # somebody turned them on for all
    with Meter() as meter:
        assert meter.sample(os.getpid(), 1.0).unknown == ""
        setting.write_text("0\n")
        assert "needs CAP_SYS_ADMIN" in meter.sample(os.getpid(), 9.0).unknown
        assert meter.read_burns() == ()


def test_looking_often_at_many_descriptors_would_cost_more_than_it_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(ancestor: int) -> tuple[int, ...]:
        looks.append(ancestor)
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return ()

    monkeypatch.setattr("toolkit.launch.meter.list_descendants", look)
    with Meter() as meter:
        for second in range(1, 5):
            meter.sample(1, float(second))
        assert len(looks) == 1
        meter.sample(1, 5.0, thoroughly=True)
        assert len(looks) == 2


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_wrapper_script_does_not_keep_the_signal_from_the_tool(shell: str, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!{shell}\n/usr/bin/bpftrace -e '{SCRIPT}' \"$@\"\ntrue\n")
    wrapper.chmod(0o755)
    result, collected = run(plan_for(str(wrapper)), enough=lambda seen: has_counted(seen, 1))
    assert result.outcome is Outcome.DURATION
    assert b"@switches: " in collected.stdout  # it printed its map, and had the time to
    assert "tracepoint sched_switch" in result.cost.attached


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_each_interval_shows_when_it_is_printed() -> None:
    pieces: list[bytes] = []

    def take(data: bytes) -> str:
        pieces.append(data)
        return ""

    plan = plan_for("/usr/bin/bpftrace", "-e", 'interval:ms:200 { printf("%d\\n", 1); }')
    enough = lambda _: pieces.count(b"1\n") >= 4  # noqa: E731
    supervise(plan, Sinks(stdout=take, stderr=take, cost=lambda _: None, enough=enough))
    assert pieces.count(b"1\n") >= 4  # as they are printed, not all at the end
