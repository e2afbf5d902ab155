"""Cost and attachments of real BPF programs, as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.test_supervise import run
from tests.support.plans import plan_for
from toolkit.launch.held import read_process
from toolkit.launch.meter import Meter
from toolkit.runs import Outcome

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
    result, collected = run(plan_for("/usr/bin/bpftrace", "-e", SCRIPT, deadline=4.0, asked=True, grace=5))
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
    def count_programs() -> int:
        done = subprocess.run(["bpftool", "prog", "list"], capture_output=True, text=True, check=True)
        return done.stdout.count("name sched_switch") + done.stdout.count("name interval_s_1")

    run(plan_for("/usr/bin/bpftrace", "-e", SCRIPT, deadline=1.5, asked=True, grace=5))
    end = time.monotonic() + 3  # the kernel frees programs after a grace period of its own
    while count_programs() and time.monotonic() < end:
        time.sleep(0.05)
    assert count_programs() == 0


def test_a_process_that_is_gone_holds_nothing() -> None:
    seen = read_process(1 << 22)
    assert (seen.programs, seen.attached) == ({}, ())


def test_a_tool_without_bpf_costs_nothing() -> None:
    result, _ = run(plan_for("/bin/true"))
    assert (result.cost.programs, result.cost.run_ns, result.cost.attached) == (0, 0, ())
