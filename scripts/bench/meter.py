"""What watching a run costs: the tool's BPF programs, by the kernel's own accounts, and the launcher.

A loop of system calls is traced by a bpftrace of ours. In turn the meter looks as often as in a run, or not at all;
the kernel's statistics are on both ways. What turning them on costs each event is told apart: it has no budget.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.measure import Options, judge, print_line
from toolkit.host import bpf
from toolkit.launch.held import read_process
from toolkit.launch.meter import Meter

HOT = Path(__file__).parents[2] / "tests" / "fake_tools" / "hot.py"
SECONDS = 1.0  # of a turn, and from one sample to the next
BUDGET = 1.0  # percent
MANY = 100  # probes of a tool that has many
LOOKS = 8


def measure(options: Options) -> None:
    """BPF time an event with and without the meter, and the CPU that the meter takes."""
    if os.geteuid() != 0 or not Path("/usr/bin/bpftrace").exists():
        print_line("meter", "skipped: it needs root and bpftrace")
        return
    with _spawn(sys.executable, str(HOT)) as load:
        with _trace(f"tracepoint:raw_syscalls:sys_enter /pid == {load}/ {{ @ = count(); }}") as tracer:
            _compare_events(tracer, options.runs)
            _measure_meter("1 probe", tracer)
        probes = ",".join(f"tracepoint:syscalls:sys_enter_{name}" for name in _list_calls()[:MANY])
        with _trace(f"{probes} /pid == {load}/ {{ @ = count(); }}") as tracer:
            _measure_meter(f"{MANY} probes", tracer)


def _compare_events(tracer: int, runs: int) -> None:
    """The median of the ratios of two turns that follow each other: the machine is never the same for long."""
    ratios, watched, alone = [], [], []
    statistics_on = bpf.enable_stats()
    try:
        for number in range(runs):
            turns = (True, False) if number % 2 else (False, True)
            found = {watching: _time_events(tracer, watching=watching) for watching in turns}
            ratios.append(found[True] / found[False])
            watched.append(found[True])
            alone.append(found[False])
    finally:
        os.close(statistics_on)
    more = (statistics.median(ratios) - 1) * 100
    figures = f"{statistics.median(watched):9.1f} ns  against {statistics.median(alone):9.1f} ns an event"
    print_line("BPF time, watched and not", f"{figures}, {more:+.2f} %{judge(more, BUDGET, ' %')}")


def _time_events(tracer: int, *, watching: bool) -> float:
    """Nanoseconds an event over one turn."""
    before = _read_figures(tracer)
    if watching:
        with Meter() as meter:
            meter.sample(os.getpid(), 0.0)
            time.sleep(SECONDS)
            meter.sample(os.getpid(), SECONDS)
    else:
        time.sleep(SECONDS)
    after = _read_figures(tracer)
    return (after[0] - before[0]) / max(after[1] - before[1], 1)


def _measure_meter(title: str, tracer: int) -> None:
    """The share of a CPU that sampling takes, as often as a run does it."""
    with Meter() as meter:
        meter.sample(os.getpid(), 0.0)
        began, used = time.monotonic(), time.process_time()
        for number in range(1, LOOKS + 1):
            time.sleep(max(0.0, began + number * SECONDS - time.monotonic()))
            cost = meter.sample(os.getpid(), number * SECONDS)
        share = (time.process_time() - used) / (time.monotonic() - began) * 100
    text = f"{share:9.2f} % of one CPU, {len(cost.attached)} attached{judge(share, BUDGET, ' %')}"
    print_line(f"the meter itself, a tool with {title}", text)


def _read_figures(tracer: int) -> tuple[int, int]:
    figures = read_process(tracer).programs.values()
    return sum(one.run_ns for one in figures), sum(one.run_count for one in figures)


def _list_calls() -> list[str]:
    folder = Path("/sys/kernel/tracing/events/syscalls")
    return sorted(one.name.removeprefix("sys_enter_") for one in folder.glob("sys_enter_*"))


@contextmanager
def _trace(program: str) -> Iterator[int]:
    """A bpftrace of this program, once it traces."""
    with _spawn("/usr/bin/bpftrace", "-e", program) as tracer:
        end = time.monotonic() + 60
        while not read_process(tracer).attached and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(2 * SECONDS)
        yield tracer


@contextmanager
def _spawn(*argv: str) -> Iterator[int]:
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
