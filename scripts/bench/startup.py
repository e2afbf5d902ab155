"""What a command costs before and after its own work: whole processes, against the least that they could cost."""

from __future__ import annotations

import os
import shutil
import sys

from scripts.bench.measure import TOOLKIT, Options, Pair, measure_pair, print_line

CLICK = (sys.executable, "-c", "import click")


def measure(options: Options) -> None:
    measure_pair(Pair("toolkit list disk, warm, and import click", (TOOLKIT, "list", "disk"), CLICK, 2.5), options.runs)
    measure_pair(Pair("toolkit list, warm, and import click", (TOOLKIT, "list"), CLICK), options.runs)
    measure_pair(Pair("toolkit --version and import click", (TOOLKIT, "--version"), CLICK), options.runs)
    _measure_overhead(options.runs)


def _measure_overhead(runs: int) -> None:
    """Start to exit of a tool that ends at once, through us and by itself."""
    native = shutil.which("runqlat", path="/usr/sbin")
    if os.geteuid() != 0 or native is None:
        print_line("run overhead", "skipped: it needs root and libbpf-tools")
        return
    own = (TOOLKIT, "run", "-q", "--no-record", "libbpf-tools/runqlat", "--help")
    measure_pair(Pair("toolkit run runqlat --help, and runqlat --help", own, (native, "--help")), runs)
