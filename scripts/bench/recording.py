"""1 GiB of output through `toolkit run`, which records and reads it, against the same through `tee FILE`."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from scripts.bench.measure import TOOLKIT, Options, find_peak, judge, print_line

SIZE = 1 << 30
ROW = "123456 systemd-journald        12345  W  8  4096  sda   0.12"
LEAST = 0.8  # of tee's throughput
RUNS = 3  # each moves a GiB to the disk


def measure(options: Options) -> None:
    home = Path(os.environ["TOOLKIT_HOME"])
    tool = make_source(home)
    subprocess.run((TOOLKIT, "sync", "--quiet", "acme"), check=True, stdin=subprocess.DEVNULL)
    # Forced: on a few CPUs the flood before is pressure enough to have the next one refused.
    ours = (TOOLKIT, "run", "--quiet", "--force", "--duration", "10m", "--output-limit", "2048", "acme/flood")
    # The tool is as nice as `run` makes it, or on a busy machine tee would get more of it.
    piped = f"nice -n 5 {shlex.quote(str(tool))} | tee {shlex.quote(str(home / 'tee.out'))}"
    pairs = [(_time(ours, home), _time(("sh", "-c", piped), home)) for _ in range(min(options.runs, RUNS))]
    for title, number in (("seconds", 0), ("seconds of CPU, with the tool's", 1)):
        mine, tees = (statistics.median(pair[side][number] for pair in pairs) for side in (0, 1))
        missed = "" if tees / mine >= LEAST else "  MISSED"
        rate = f"{tees / mine * 100:.0f} % of tee's (at least {LEAST * 100:.0f} %){missed}"
        print_line(f"1 GiB, {title}", f"{mine:9.2f}     against {tees:9.2f}     {rate}")
    peak, _ = find_peak(ours)
    print_line("the launcher's peak memory", f"{peak / (1 << 20):9.1f} MiB{judge(peak / (1 << 20), 80, ' MiB')}")


def make_source(home: Path) -> Path:
    """A repository with a tool that prints 1 GiB of rows, as a source of the settings; gives the tool's file."""
    repository = home / "acme"
    tool = repository / "disk" / "flood.sh"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\n# flood: Prints 1 GiB.\nyes "{ROW}" | head -c {SIZE}\n')
    tool.chmod(0o755)
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for arguments in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "A tool that floods")):
        subprocess.run(("git", "-C", str(repository), *arguments), check=True)
    settings = home / "config.yaml"
    settings.write_text(f'sources: {{acme: {{url: "file://{repository}"}}}}\n')
    return tool


def _time(command: tuple[str, ...], home: Path) -> tuple[float, float]:
    """Seconds of wall time and of CPU of a command with all that it started; the recording goes afterwards."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} failed with status {done.returncode}")
    shutil.rmtree(home / "state" / "recordings", ignore_errors=True)
    (home / "tee.out").unlink(missing_ok=True)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
