"""Measure what a person waits for, side by side in one run, and print medians and ratios.

Each pair runs in turn, A B A B …, so that a machine that slows down slows both. Nothing here is asserted: a ratio is
read by people, and a budget that is missed is marked.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLKIT = str(Path(sys.executable).parent / "toolkit")


@dataclass(frozen=True)
class Pair:
    """Two commands whose wall times are compared, and the ratio that we want to stay under."""

    title: str
    command: tuple[str, ...]
    against: tuple[str, ...]
    budget: float | None = None


def time_command(command: tuple[str, ...]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def measure_pair(pair: Pair, runs: int) -> None:
    time_command(pair.command)
    time_command(pair.against)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        ours.append(time_command(pair.command))
        theirs.append(time_command(pair.against))
    ratio = statistics.median(ours) / statistics.median(theirs)
    budget = "" if pair.budget is None else f"  (budget {pair.budget:g}){'' if ratio <= pair.budget else '  MISSED'}"
    print(
        f"{pair.title:<44} {statistics.median(ours) * 1000:8.1f} ms  against "
        f"{statistics.median(theirs) * 1000:8.1f} ms  ratio {ratio:5.2f}{budget}"
    )


def measure_once(
    title: str, work: Callable[[], object], runs: int, prepare: Callable[[], object] = lambda: None
) -> None:
    times: list[float] = []
    for _ in range(runs):
        prepare()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    print(
        f"{title:<44} {statistics.median(times) * 1000:8.1f} ms  ({min(times) * 1000:.1f} to {max(times) * 1000:.1f})"
    )


def measure_overhead(runs: int) -> None:
    """Start to exit of a tool that ends at once, through us and by itself."""
    native = shutil.which("runqlat", path="/usr/sbin")
    if os.geteuid() != 0 or native is None:
        print("run overhead: skipped (needs root and libbpf-tools)")
        return
    own = (TOOLKIT, "run", "-q", "--no-record", "libbpf-tools/runqlat", "--help")
    measure_pair(Pair("toolkit run runqlat --help, and runqlat --help", own, (native, "--help")), runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOOLKIT_HOME"] = home
        click = (sys.executable, "-c", "import click")
        measure_pair(Pair("toolkit list disk, warm, and import click", (TOOLKIT, "list", "disk"), click, 2.5), runs)
        measure_pair(Pair("toolkit list, warm, and import click", (TOOLKIT, "list"), click), runs)
        measure_pair(Pair("toolkit --version and import click", (TOOLKIT, "--version"), click), runs)
        measure_overhead(runs)
        measure_library(Path(home), max(3, runs // 5))


def measure_library(home: Path, runs: int) -> None:
    from toolkit.catalog.query import list_tools
    from toolkit.choose import judge_all
    from toolkit.host import fingerprint, load_facts, probe_facts
    from toolkit.paths import Paths
    from toolkit.snapshot.index import load_index

    paths = Paths(settings=home / "config.yaml", state=home / "bench")
    measure_once("index: first build", lambda: load_index(paths), runs, lambda: paths.index.unlink(missing_ok=True))
    measure_once("index: load", lambda: load_index(paths), runs * 5)
    measure_once("facts: fingerprint", fingerprint, runs * 5)
    measure_once("facts: asked of the host", probe_facts, runs)
    load_facts(paths.facts)
    measure_once("facts: from this boot's cache", lambda: load_facts(paths.facts), runs * 5)
    index, facts = load_index(paths), load_facts(paths.facts)
    count = f"judge all {len(index.variants)} variants of {len(list_tools(index, None))} tools"
    measure_once(count, lambda: judge_all(index.variants, facts), runs * 5)


if __name__ == "__main__":
    main()
