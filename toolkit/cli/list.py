"""`toolkit list [CATEGORY]`: what is there, and what runs on this kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import click

from toolkit.catalog.query import list_tools, require_category
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.names import complete_category
from toolkit.cli.session import Session, open_session
from toolkit.compat import find_missing_rights
from toolkit.model import Basis, Judged, Status, Tool, Value

NAME_WIDTH = 14
STATUS_WIDTH = 7
VERIFIED = "*"  # behind a verdict that a trial gave
BLIND = "!"  # behind `partial` where not one event would be seen, as in `check`


class Marked(Protocol):
    """What a verdict's word and the mark behind it are made of."""

    @property
    def status(self) -> Status | None: ...
    @property
    def basis(self) -> Basis | None: ...
    @property
    def blind(self) -> bool: ...


class Row(Value, frozen=True, omit_defaults=False):
    """One tool of the list; `best` is the variant that fits best, "" when none is on this host."""

    name: str
    category: str
    also: tuple[str, ...]
    summary: str
    risk: tuple[str, ...]
    curated: bool
    status: Status | None
    basis: Basis | None  # whether that was predicted, or verified by a trial on this kernel
    blind: bool  # partial, and not one event probe would attach: `run` refuses it
    best: str
    why: str
    variants: tuple[str, ...]


class Listing(Value, frozen=True, omit_defaults=False):
    """The document of `list --json`."""

    shape: int
    kernel: str
    category: str | None
    tools: tuple[Row, ...]


@click.command("list")
@click.argument("category", required=False, shell_complete=complete_category)
@click.option("--all", "-a", "everything", is_flag=True, help="Also tools that are known but not on this host.")
@click.option("--runs", "-r", is_flag=True, help="Only what runs here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(category: str | None, everything: bool, runs: bool, as_json: bool) -> None:
    """What is there, and what runs on this kernel.

    CATEGORY is one of: cpu mem disk fs net lang app kernel hyper container security multi, or a longer name such as
    memory or filesystems.
    """
    session = open_session()
    name = require_category(session.index, category) if category else None
    rows = make_rows(session, name)
    shown = tuple(row for row in rows if _is_shown(row, everything=everything, runs=runs))
    if as_json:
        listing = Listing(shape=render.SHAPE, kernel=session.facts.release, category=name, tools=shown)
        render.print_json(listing)
        return
    render.print_lines(_format(session, shown, rows, name, hint=not everything and not runs))


def make_rows(session: Session, category: str | None) -> tuple[Row, ...]:
    """A row for each tool of a category, or for every tool, in order of name."""
    variants: dict[str, list[int]] = {}
    for number, variant in enumerate(session.index.variants):
        variants.setdefault(variant.tool, []).append(number)
    rows: list[Row] = []
    for tool in list_tools(session.index, category):
        own = tuple(session.index.variants[number] for number in variants.get(tool.name, ()))
        rows.append(_make_row(tool, judge_all(own, session.facts, session.trials)))
    return tuple(rows)


def _make_row(tool: Tool, judged: tuple[Judged, ...]) -> Row:
    best = judged[0] if judged else None
    return Row(
        name=tool.name,
        category=tool.category,
        also=tool.also,
        summary=tool.summary,
        risk=tuple(map(str, tool.risk)),
        curated=tool.curated,
        status=best.verdict.status if best else None,
        basis=best.verdict.basis if best else None,
        blind=best.verdict.blind if best else False,
        best=best.variant.id if best else "",
        why=render.first_reason(best.verdict) if best else "",
        variants=tuple(one.variant.id for one in judged),
    )


def _is_shown(row: Row, *, everything: bool, runs: bool) -> bool:
    if runs:
        return row.status is Status.RUNS
    return everything or row.status is not None


def _format(
    session: Session, shown: tuple[Row, ...], rows: tuple[Row, ...], category: str | None, *, hint: bool
) -> Iterator[str]:
    width = render.terminal_width()
    for one in session.index.categories:
        if category not in (None, one.name):
            continue
        inside = tuple(row for row in shown if one.name in (row.category, *row.also))
        if not inside:
            continue
        yield render.paint(f"{one.name:<{NAME_WIDTH}}", bold=True) + "  " + render.paint(one.summary, dim=True)
        yield from (format_row(row, width) for row in inside)
        yield ""
    yield from format_footer(session, shown, rows, width, hint=hint)


def format_row(row: Row, width: int | None) -> str:
    """A tool with its verdict, summary and best variant or reason, in at most `width` columns."""
    end = row.best if row.status is Status.RUNS else row.why
    summary = row.summary if row.curated else f"{row.summary or 'not described'} (category guessed)"
    text = f"{summary:<52}  {end}".rstrip()
    if width is not None:
        room = width - NAME_WIDTH - STATUS_WIDTH - 4
        text = render.cut(text, room) if room >= 70 else render.cut(summary, room)
    return f"{row.name:<{NAME_WIDTH}}  {format_status(row)} {text}"


def format_status(row: Marked) -> str:
    """A verdict's word in its colour with its mark, in STATUS_WIDTH columns and one."""
    mark = BLIND if row.blind else VERIFIED if row.basis is Basis.VERIFIED else ""
    if row.status is None:
        return render.paint(f"{'absent':<{STATUS_WIDTH + 1}}", dim=True)
    return render.paint(f"{row.status}{mark}".ljust(STATUS_WIDTH + 1), render.COLOURS[row.status])


def explain_marks(rows: Iterable[Marked]) -> str:
    """What the marks mean that stand in these rows, in sentences; empty where there are none."""
    seen = tuple(rows)
    told = []
    if any(row.blind for row in seen):
        told.append(f"{Status.PARTIAL}{BLIND} would attach to no event, and `run` refuses it.")
    if any(row.basis is Basis.VERIFIED and not row.blind for row in seen):
        told.append(f"{VERIFIED} tried here by `toolkit verify`.")
    return " ".join(told)


def format_footer(
    session: Session, shown: tuple[Row, ...], rows: tuple[Row, ...], width: int | None, *, hint: bool
) -> Iterator[str]:
    """How many run, why none does where this user may not, what the marks mean, and where more is said."""
    running = sum(row.status is Status.RUNS for row in rows)
    absent = sum(row.status is None for row in rows)
    here = len(rows) - absent
    rights = find_missing_rights(session.facts)
    why = f": {rights.text}" if rights else ""
    told = [f"{running} of {here} tools run here (kernel {session.facts.release}){why}."]
    if hint and absent:
        told.append(f"{absent} more are known but not on this host: `list --all`.")
    told.append(explain_marks(shown))
    blocked = next((row for row in shown if row.status is Status.BLOCKED), None)
    if blocked:
        told.append(f"Why not: `toolkit info {blocked.name}`, `toolkit doctor`.")
    yield from render.wrap(" ".join(filter(None, told)), 0, width)
