"""Run things in turn, take medians, and print them against their budgets."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLKIT = str(Path(sys.executable).parent / "toolkit")
WIDTH = 54  # of a title


@dataclass(frozen=True)
class Options:
    """What the command line asks of every part."""

    runs: int
    mirrors: Path | None = None  # a folder with bcc.git, bpftrace.git and book.git


@dataclass(frozen=True)
class Pair:
    """Two commands whose wall times are compared, and the ratio that we want to stay under."""

    title: str
    command: tuple[str, ...]
    against: tuple[str, ...]
    budget: float | None = None


def run_timed(command: tuple[str, ...]) -> tuple[float, bytes]:
    """Seconds of wall time of a whole process, and what it printed.

    One that fails ends the bench: its time would mean nothing.
    """
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} failed with status {done.returncode}: {done.stderr.decode().strip()}")
    return seconds, done.stdout


def time_command(command: tuple[str, ...]) -> float:
    """Seconds of wall time of a whole process."""
    return run_timed(command)[0]


def find_peak(command: tuple[str, ...]) -> tuple[int, int]:
    """The peak resident memory of a process, and that of the largest git below it, in bytes.

    Looked at every few milliseconds: what wait4(2) gives would hold what the bench itself had when it forked.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    own = below = 0
    while process.poll() is None:
        own = max(own, _read_peak(process.pid))
        below = max([below, *(_read_peak(child, "git") for child in _find_below(process.pid))])
        time.sleep(0.005)
    if process.returncode:
        sys.exit(f"bench: {' '.join(command)} failed with status {process.returncode}")
    return own, below


def _read_peak(pid: int, name: str = "") -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in lines)
    # Between fork and exec a child is still a copy of its parent, and has its parent's name.
    wanted = "VmHWM" in fields and fields["Name"].strip().startswith(name)
    return int(fields["VmHWM"].split()[0]) << 10 if wanted else 0


def _find_below(pid: int) -> list[int]:
    try:
        listed = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return []
    children = [int(one) for one in listed.split()]
    return [*children, *(below for child in children for below in _find_below(child))]


def take_turns(runs: int, *works: Callable[[], float]) -> list[float]:
    """The median of what each work returns, all called in turn, after one round that does not count."""
    figures: list[list[float]] = [[] for _ in works]
    for number in range(runs + 1):
        for one, work in zip(figures, works, strict=True):
            figure = work()
            if number:
                one.append(figure)
    return [statistics.median(one) for one in figures]


def measure_pair(pair: Pair, runs: int) -> None:
    ours, theirs = take_turns(runs, lambda: time_command(pair.command), lambda: time_command(pair.against))
    print_ratio(pair.title, ours, theirs, pair.budget)


def measure_once(
    title: str,
    work: Callable[[], object],
    runs: int,
    prepare: Callable[[], object] = lambda: None,
    budget: float | None = None,
) -> None:
    """The median time of a call, in milliseconds, with the span; the budget is in milliseconds too."""
    times: list[float] = []
    for _ in range(runs):
        prepare()
        started = time.perf_counter()
        kept = work()
        times.append((time.perf_counter() - started) * 1000)
        del kept  # what it takes to let go of it is not part of it
    median = statistics.median(times)
    span = f"({min(times):.1f} to {max(times):.1f})"
    print_line(title, f"{median:9.1f} ms  {span}{judge(median, budget, ' ms')}")


def print_ratio(title: str, ours: float, theirs: float, budget: float | None = None) -> None:
    """Two times in seconds and their ratio."""
    ratio = ours / theirs
    figures = f"{ours * 1000:9.1f} ms  against {theirs * 1000:9.1f} ms  ratio {ratio:6.3f}"
    print_line(title, figures + judge(ratio, budget))


def print_line(title: str, text: str) -> None:
    print(f"  {title:<{WIDTH}} {text}", flush=True)


def judge(figure: float, budget: float | None, unit: str = "") -> str:
    """What to print behind a figure that has a budget."""
    if budget is None:
        return ""
    return f"  (budget {budget:g}{unit}){'' if figure <= budget else '  MISSED'}"
