"""What a run costs beside the tool: from the start to its first byte, and while it goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.bench.measure import TOOLKIT, Options, judge, print_line, take_turns

START_BUDGET = 80.0  # milliseconds
CPU_BUDGET = 1.0  # percent of one CPU
WARM, WATCHED = 3.0, 10.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


def measure(options: Options) -> None:
    native = shutil.which("runqlat", path="/usr/sbin")
    if os.geteuid() != 0 or native is None:
        print_line("launch", "skipped: it needs root and libbpf-tools")
        return
    run = (TOOLKIT, "run", "-q", "libbpf-tools/runqlat", "--help")
    kept = (TOOLKIT, "run", "-q", "--no-record", "libbpf-tools/runqlat", "--help")
    ours, bare, alone = take_turns(options.runs, *(_Timer(one) for one in (run, kept, (native, "--help"))))
    for title, figure in (("recorded", ours), ("not recorded", bare)):
        added = (figure - alone) * 1000
        print_line(
            f"first byte through toolkit run, {title}", f"{added:9.1f} ms more{judge(added, START_BUDGET, ' ms')}"
        )
    _measure_cpu()


class _Timer:
    """Seconds from a command's start to the first byte that it prints, which a tool does right after exec."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    def __call__(self) -> float:
        started = time.perf_counter()
        with subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            if not process.stdout.read(1):
                sys.exit(f"bench: {' '.join(self._command)} printed nothing")
            seconds = time.perf_counter() - started
            process.stdout.read()
        return seconds


def _measure_cpu() -> None:
    """The launcher's and the keeper's CPU while a tool prints once a second."""
    command = (TOOLKIT, "run", "-q", "libbpf-tools/runqlat", "1", str(int(WARM + WATCHED + 2)))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as launcher:
        time.sleep(WARM)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        own = (launcher.pid, *map(int, children))
        before = sum(map(_read_cpu, own))
        time.sleep(WATCHED)
        share = (sum(map(_read_cpu, own)) - before) / WATCHED * 100
    text = f"{share:9.2f} %  of one CPU{judge(share, CPU_BUDGET, ' %')}"
    print_line("launcher and keeper, a tool that prints each second", text)


def _read_cpu(pid: int) -> float:
    """Seconds of CPU, from what the scheduler counted: clock ticks are too coarse for a hundredth."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS
