"""`toolkit top`: what BPF programs cost on this host now, by run, and those that nobody here started."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
import msgspec

from toolkit.cli import render
from toolkit.cli.numbers import Amount, Number
from toolkit.cli.screen import Screen, open_screen
from toolkit.launch.census import Census
from toolkit.launch.load import Held, Load, Loaded, Owner, Row, measure_load
from toolkit.model import Value

HEADER = f"{'%CPU':>7}  {'EVENTS/S':>10}  {'NS/EVENT':>8}  RUN OR PROCESS, AND ITS PROGRAMS"


class LoadLine(Value, frozen=True, omit_defaults=False):
    """One line of `top --json`."""

    shape: int
    time: float
    load: Load


@click.command("top")
@click.option(
    "--interval",
    "-i",
    default=1.0,
    show_default=True,
    type=Amount(0.1, 3600),
    metavar="SECONDS",
    help="How long each look takes.",
)
@click.option("--count", "-n", type=Number(1), metavar="N", help="End after so many looks.")
@click.option("--once", is_flag=True, help="One look: --count 1.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line a look (docs/json.md).")
def command(interval: float, count: int | None, once: bool, as_json: bool) -> None:
    """What BPF programs cost on this host now, by run of toolkit, and those that nobody here started.

    The kernel counts only while somebody asks it to, which costs each event some ten nanoseconds. On a terminal `q`
    ends it.
    """
    looks = 1 if once else count
    with Census() as census:
        if not as_json and not once and looks is None and (screen := open_screen()):
            with screen:
                _show(screen, census, interval)
            return
        for load in _measure(census, interval, looks):
            if as_json:
                click.echo(msgspec.json.encode(LoadLine(shape=render.SHAPE, time=round(time.time(), 3), load=load)))
            else:
                render.print_lines((*format_load(load, render.terminal_width()), ""))
            sys.stdout.flush()


def _measure(census: Census, interval: float, looks: int | None) -> Iterator[Load]:
    began, before = time.monotonic(), census.look()
    while looks is None or looks > 0:
        time.sleep(interval)
        now, after = time.monotonic(), census.look()
        yield measure_load(before, after, now - began)
        began, before = now, after
        looks = None if looks is None else looks - 1


def _show(screen: Screen, census: Census, interval: float) -> None:
    """Draw a look every so often until a key or a signal ends it; a resize draws the last one anew."""
    began, before = time.monotonic(), census.look()
    load: Load | None = None
    while True:
        lines = ("measuring …",) if load is None else tuple(format_load(load, screen.columns, screen.rows))
        screen.draw(lines)
        left = began + interval - time.monotonic()
        if left > 0 and screen.wait(left):
            return
        now = time.monotonic()
        if now - began >= interval:
            after: tuple[Loaded, ...] = census.look()
            load, began, before = measure_load(before, after, now - began), now, after


def format_load(load: Load, width: int | None = None, rows: int | None = None) -> Iterator[str]:
    """The totals, then each owner with its programs below it; cut to a screen of this size, the rest is counted."""
    programs = "1 BPF program" if load.programs == 1 else f"{load.programs} BPF programs"
    cost = f"{load.events:,.0f} events a second, {render.format_percent(load.percent)} of one CPU"
    lines = [f"{time.strftime('%H:%M:%S')}  {programs}, {cost}", *([HEADER] if load.programs else [])]
    for owner in load.owners:
        lines.append(_format_figures(owner.percent, owner.events, None) + _name_owner(owner))
        lines += (_format_row(row) for row in owner.programs)
    if rows is not None and len(lines) > rows:
        lines = [*lines[: rows - 1], f"… {len(lines) - rows + 1} more lines: `toolkit top --once` prints all"]
    for line in lines:
        yield render.cut(line.rstrip(), width) if width else line.rstrip()


def _format_row(row: Row) -> str:
    name = render.printable(row.name) or f"program {row.id}"
    # Where it is attached says of which kind it is; where that is not known, its type does.
    places = ", ".join(map(render.printable, row.attached)) or row.type
    return _format_figures(row.percent, row.events, row.ns) + f"  {name:<15}  {places}"


def _format_figures(percent: float, events: float, ns: float | None) -> str:
    cost = "" if ns is None else f"{ns:,.0f}" if events else "-"
    return f"{percent:>7.2f}  {events:>10,.0f}  {cost:>8}  "


def _name_owner(owner: Owner) -> str:
    name = render.printable(owner.name)
    match owner.held:
        case Held.RUN:
            return f"run of {name} (process {', '.join(map(str, owner.pids))})"
        case Held.PROCESS:
            return f"{name} (process {owner.pids[0]})"
        case Held.NOBODY:
            return "no process: pinned, or kept by what it is attached to"
