"""`toolkit ps`: the runs that are on, and what they cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import click
import msgspec

from toolkit.cli import render
from toolkit.cli.places import own_paths
from toolkit.errors import DAMAGED
from toolkit.launch.register import Entry, list_runs
from toolkit.model import Value
from toolkit.runs import Cost
from toolkit.trust import open_regular

TAIL = 1 << 14  # bytes at the end of cost.jsonl, in which the last sample is looked for


class Row(Value, frozen=True, omit_defaults=False):
    """One run, with the last sample of its meter; null where it is not recorded or has none yet."""

    run: Entry
    cost: Cost | None


class RunList(Value, frozen=True, omit_defaults=False):
    """The document of `ps --json`."""

    shape: int
    runs: tuple[Row, ...]


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(as_json: bool) -> None:
    """The runs that are on: yours, or as root those of root and of everybody behind sudo.

    BPF is the share of one CPU that its programs took so far.
    """
    rows = tuple(Row(run=one, cost=read_last_cost(one)) for one in list_runs(own_paths().runs))
    if as_json:
        render.print_json(RunList(shape=render.SHAPE, runs=rows))
    elif rows:
        render.print_lines(_format(rows))
    else:
        click.echo("No run is on.", err=True)


def read_last_cost(entry: Entry) -> Cost | None:
    """The last whole sample in a run's recording; None where there is none."""
    if not entry.recording:
        return None
    try:
        with open_regular(f"{entry.recording}/cost.jsonl") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            lines = file.read(TAIL).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines[:-1]):
        try:
            return msgspec.json.decode(line, type=Cost)
        except DAMAGED:
            continue
    return None


def _format(rows: tuple[Row, ...]) -> Iterator[str]:
    width, now = render.terminal_width(), time.monotonic()
    names = max(len(one.run.id) for one in rows)
    users = max(4, *(len(one.run.user) for one in rows))
    yield f"{'RUN':<{names}}  {'USER':<{users}}  {'SINCE':>8}  {'LEFT':>8}  {'BPF':>7}  VARIANT"
    for one in rows:
        run = one.run
        passed = now - run.began
        since, left = render.format_age(passed), render.format_age(run.ends - run.started - passed)
        marks = " ".join(filter(None, (run.arguments, "(detached)" if run.detached else "")))
        line = (
            f"{run.id:<{names}}  {render.printable(run.user):<{users}}  {since:>8}  {left:>8}  {_share(one.cost):>7}  "
            f"{run.variant} {render.printable(marks)}"
        ).rstrip()
        yield render.cut(line, width) if width else line


def _share(cost: Cost | None) -> str:
    if cost is None or cost.unknown or not cost.time:
        return "?"
    return f"{cost.run_ns / 1e7 / cost.time:.2f} %"
