"""How long lists of 100,000 recordings take: the whole command, the question alone, and making the index."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from scripts.bench.measure import TOOLKIT, Options, measure_once, print_line, time_command
from toolkit.model import Status, Verdict
from toolkit.paths import find_paths
from toolkit.recordings.index import find_ids
from toolkit.recordings.layout import SHAPE, Query, ResultRecord, RunRecord, State
from toolkit.runs import Cost, Outcome, Result

NUMBER = 100_000
FIRST = 1_790_000_000
TOOLS = ("runqlat", "biolatency", "tcplife", "execsnoop", "opensnoop")
BUDGET = 100.0  # ms


def measure(options: Options) -> None:
    paths = find_paths(dict(os.environ), os.getuid())
    folder, index = paths.recordings, paths.recordings_index
    make_recordings(folder, NUMBER)
    print_line(
        "the first list, which makes the index", f"{time_command((TOOLKIT, 'recordings', 'list')) * 1000:9.1f} ms"
    )
    print_line("the index", f"{index.stat().st_size >> 10:9d} KiB")
    wait_until_settled()
    time_command((TOOLKIT, "recordings", "list"))
    for title, arguments in (
        ("the newest 20", ()),
        ("a tool, an outcome, a host", ("--tool", "tcplife", "--outcome", "limit", "--host", "web7")),
        ("none that matches", ("--tool", "none")),
        ("a tag", ("--tag", "incident")),
        ("since, as JSON", ("--since", "2026-09-22", "--json")),
    ):
        command = (TOOLKIT, "recordings", "list", *arguments)
        work = functools.partial(time_command, command)
        measure_once(f"toolkit recordings list: {title}", work, options.runs, budget=BUDGET)
    rare = Query(tool="tcplife", state=State.LIMIT, host="web7")
    measure_once("the question alone", lambda: find_ids(folder, index, rare, 20), options.runs)
    added = iter(range(NUMBER, 2 * NUMBER))
    measure_once(
        "toolkit recordings list, one was just added",
        lambda: time_command((TOOLKIT, "recordings", "list")),
        options.runs,
        prepare=lambda: write_recording(folder, next(added)),
    )


def wait_until_settled() -> None:
    """Until the folder has not changed for so long that its time tells the next change."""
    time.sleep(2.1)


def make_recordings(folder: Path, number: int) -> None:
    folder.mkdir(mode=0o700, parents=True)
    for one in range(number):
        write_recording(folder, one)


def write_recording(folder: Path, number: int) -> None:
    """One that a run of a minute made: small, but with every file."""
    run, result = make_run(number), make_result(number)
    path = f"{folder}/{run.id}"
    os.mkdir(path, 0o700)
    for name, data in make_files(run, result, number):
        descriptor = os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)


def make_files(run: RunRecord, result: Result, number: int) -> Iterator[tuple[str, bytes]]:
    yield "run.json", msgspec.json.format(msgspec.json.encode(run), indent=2)
    yield "stdout", b"x\n" * 50
    yield "stderr", b""
    yield "timing", b"O 1.000000 100\n"
    yield "frames.jsonl", json.dumps({"kind": "text", "offset": 0, "size": 100, "lines": 50}).encode() + b"\n"
    yield "cost.jsonl", b"{}\n"
    if number % 1000 == 7:
        yield "tags", b"incident\n"
    if number % 1000 != 11:  # its launcher died
        record = ResultRecord(shape=SHAPE, ended=run.started + 60, result=result)
        yield "result.json", msgspec.json.format(msgspec.json.encode(record), indent=2)


def make_run(number: int) -> RunRecord:
    tool = TOOLS[number % len(TOOLS)]
    started = FIRST + number * 60.0
    return RunRecord(
        shape=SHAPE,
        id=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{tool}-{number % 65536:04x}",
        started=started,
        host=f"web{number % 9}",
        user="ada",
        kernel="6.1.0-18-amd64",
        tool=tool,
        category="cpu",
        variant=f"libbpf-tools/{tool}",
        engine="native",
        revision="0.26.0",
        path=f"/usr/sbin/{tool}",
        sha256="0" * 64,
        argv=(f"/usr/sbin/{tool}", "60", "1"),
        arguments=("60", "1"),
        why="it is compiled ahead and starts at once",
        verdict=Verdict(status=Status.RUNS),
        deadline=90.0,
        asked=False,
        output_bytes=64 << 20,
        grace=10.0,
        nice=5,
    )


def make_result(number: int) -> Result:
    limit = number % 50 == 3
    return Result(
        outcome=Outcome.LIMIT if limit else Outcome.ENDED,
        status=124 if limit else 0,
        tool_status=0,
        seconds=60.0,
        stdout_bytes=100,
        stderr_bytes=0,
        dropped_bytes=0,
        cost=Cost(programs=3, attached=("raw_tracepoint sched_switch",) * 3, run_ns=10**9, run_count=10**6),
        peak_memory=10 << 20,
    )
