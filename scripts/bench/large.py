"""The index of the real upstreams, and that of 10,000 tools more: fetched, built and swapped in, then loaded."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from scripts.bench.measure import TOOLKIT, Options, find_peak, measure_once, print_line, run_timed
from scripts.bench.server import serve
from scripts.bench.sync import write_settings
from scripts.bench.upstreams import copy_upstreams, make_bare, run_git
from toolkit.catalog.query import list_tools
from toolkit.choose import judge_all
from toolkit.host import load_facts
from toolkit.paths import find_paths
from toolkit.snapshot.index import load_index

MANY = 10_000
CATEGORIES = ("cpu", "mem", "disk", "fs", "net", "kernel")
REAL_BUDGET = 5  # ms
JUDGE_BUDGET = 150
MANY_BUDGET = 60


def measure(options: Options) -> None:
    """First the real catalog, then ours alone."""
    home = Path(os.environ["TOOLKIT_HOME"])
    served = copy_upstreams(options)
    if served:
        with serve(served) as server:
            write_settings(home, server)
            run_timed((TOOLKIT, "sync", "--quiet"))
        _measure_index(options.runs, REAL_BUDGET)
        _measure_judging(options.runs)
    else:
        print_line("the real catalog", "skipped: there is nothing to serve")
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-many-") as folder:
        write_many(Path(folder) / "many.git")
        (home / "config.yaml").write_text(json.dumps({"sources": {"many": {"url": f"file://{folder}/many.git"}}}))
        seconds, _ = run_timed((TOOLKIT, "sync", "--quiet", "many"))
        print_line(f"first sync of {MANY:,} tools, whole process", f"{seconds * 1000:9.1f} ms")
    _measure_index(options.runs, MANY_BUDGET)


def _measure_index(runs: int, budget: float) -> None:
    paths = find_paths(dict(os.environ), os.getuid())
    index = load_index(paths)
    what = f"{len(list_tools(index, None)):,} tools, {len(index.variants):,} variants"
    del index
    measure_once(f"index: load, {what}", lambda: load_index(paths), runs, budget=budget)
    listing = (TOOLKIT, "list")
    measure_once("  toolkit list, whole process", lambda: run_timed(listing), runs)
    print_line("  peak memory of toolkit list", f"{find_peak(listing)[0] / 1e6:9.1f} MB")


def _measure_judging(runs: int) -> None:
    paths = find_paths(dict(os.environ), os.getuid())
    index, facts = load_index(paths), load_facts(paths.facts)
    judge_all(index.variants, facts)  # the sets of names are made when they are first asked
    measure_once("  judge all of them", lambda: judge_all(index.variants, facts), runs, budget=JUDGE_BUDGET)


def write_many(path: Path) -> None:
    """A repository of many small bpftrace tools, a folder a category."""
    make_bare(path)
    files = "".join(_write_file(number) for number in range(MANY))
    head = "commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nx\n"
    run_git(path, "fast-import", "--quiet", stdin=(head + files).encode())


def _write_file(number: int) -> str:
    name = f"wake{number}"
    text = (
        f"#!/usr/bin/env bpftrace\n/*\n * {name} - Count who is woken, but for process {number}\n *\n"
        f" * Usage: {name}.bt\n */\n\n"
        f"tracepoint:sched:sched_wakeup /args->pid != {number}/ {{ @[comm] = count(); }}\n"
    )
    return f"M 100644 inline {CATEGORIES[number % len(CATEGORIES)]}/{name}.bt\ndata {len(text)}\n{text}\n"
