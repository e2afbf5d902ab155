"""The matrix of `toolkit check` for a person: a table that fits the terminal, what its marks mean, and the sum."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.cli import render
from toolkit.matrix import Cell, Column, FailOn, Row, list_failures
from toolkit.model import Status

GAP = "  "
SHORTEST_LABEL = 12
SIGN_WIDTH = 4
SIGNS = {Status.RUNS: "✓", Status.PARTIAL: "~", Status.BLOCKED: "✗", Status.UNKNOWN: "?"}
PLAIN_SIGNS = {Status.RUNS: "+", Status.PARTIAL: "~", Status.BLOCKED: "-", Status.UNKNOWN: "?"}
FAILED_WORDS = {FailOn.BLOCKED: "blocked", FailOn.PARTIAL: "blocked or partial", FailOn.UNKNOWN: "not sure to run"}


def format_matrix(
    rows: tuple[Row, ...], columns: tuple[Column, ...], level: FailOn, width: int | None
) -> Iterator[str]:
    """The table in at most `width` columns: words where they fit, else numbered columns of signs, folded."""
    heads = tuple(_head(column) for column in columns)
    widths = tuple(max(8, *map(len, head)) for head in heads)
    longest = max(len(label_row(row)) for row in rows)
    taken = sum(widths) + len(GAP) * len(widths)
    words = width is None or min(longest, max(SHORTEST_LABEL, width // 2)) + taken <= width
    if words:
        room = longest if width is None else min(longest, width - taken)
        yield from _format_words(rows, heads, widths, room)
    else:
        yield from _format_signs(rows, heads, min(longest, (width or 80) // 2), width or 80)
    yield from _format_legend(tuple(cell for row in rows for cell in row.cells), width, words=words)


def label_row(row: Row) -> str:
    """A subject's name, or a variant's, indented, with its revision where the id alone does not tell."""
    if row.variant is None:
        return row.subject.name
    twice = sum(one.id == row.variant.id for one in row.subject.variants) > 1
    return f"  {row.variant.id} {row.variant.found.revision if twice else ''}".rstrip()


def sum_up(rows: tuple[Row, ...], columns: tuple[Column, ...], level: FailOn) -> str:
    """How many run everywhere, and how many fail the check."""
    subjects = tuple(row for row in rows if row.variant is None)
    failed = list_failures(rows, level)
    several = len(columns) > 1
    places = "columns" if any(column.engines for column in columns) else "kernels"
    running = sum(all(cell.verdict.status is Status.RUNS for cell in row.cells) for row in subjects)
    text = f"{running} of {len(subjects)} run" + (f" on all of the {len(columns)} {places}" if several else "")
    if failed:
        text += f"; {len(failed)} {FAILED_WORDS[level]}" + (" on one or more" if several else "")
        text += ", or attached to nothing" if level is FailOn.BLOCKED and _any_blind(failed) else ""
    return f"{text}."


def _any_blind(rows: tuple[Row, ...]) -> bool:
    return any(cell.verdict.blind for row in rows for cell in row.cells)


def name_column(column: Column) -> str:
    """A kernel in one word or line: its name, with the engines that were asked for."""
    return " ".join((column.name, *(f"with {engine}" for engine in column.engines)))


def _head(column: Column) -> tuple[str, ...]:
    release = () if column.facts.release in ("", column.name) else (column.facts.release,)
    return (column.name, *map(render.printable, release), *column.engines)


def _format_words(
    rows: tuple[Row, ...], heads: tuple[tuple[str, ...], ...], widths: tuple[int, ...], room: int
) -> Iterator[str]:
    for line in range(max(map(len, heads))):
        words = (head[line] if line < len(head) else "" for head in heads)
        cells = (f"{word:<{one}}" for word, one in zip(words, widths, strict=True))
        yield render.paint(GAP.join((" " * room, *cells)).rstrip(), dim=True)
    for row in rows:
        cells = (_paint(cell, _word(cell), one) for cell, one in zip(row.cells, widths, strict=True))
        yield GAP.join((f"{_cut_label(row, room):<{room}}", *cells)).rstrip()


def _format_signs(rows: tuple[Row, ...], heads: tuple[tuple[str, ...], ...], room: int, width: int) -> Iterator[str]:
    for number, (name, *more) in enumerate(heads, 1):
        yield from render.wrap(f"{number:>2}  {name}" + (f"  {', '.join(more)}" if more else ""), 0, width)
    fitting = max(1, (width - room) // SIGN_WIDTH)
    for first in range(0, len(heads), fitting):
        numbers = range(first, min(first + fitting, len(heads)))
        yield ""
        yield render.paint(" " * room + "".join(f"{number + 1:>3} " for number in numbers).rstrip(), dim=True)
        for row in rows:
            cells = "".join(f"  {_paint(row.cells[at], _sign(row.cells[at]), 2)}" for at in numbers)
            yield f"{_cut_label(row, room):<{room}}{cells}".rstrip()


def _cut_label(row: Row, room: int) -> str:
    """A label in so many columns; of a path, the end tells which it is."""
    label = label_row(row)
    if len(label) <= room or row.variant is not None or "/" not in label:
        return render.cut(label, room)
    return f"…{label[1 - room :]}"


def _word(cell: Cell) -> str:
    return f"{'runs' if cell.runs_if else cell.verdict.status}{_mark(cell)}"


def _sign(cell: Cell) -> str:
    signs = SIGNS if render.can_print("✓✗") else PLAIN_SIGNS
    return signs[Status.RUNS if cell.runs_if else cell.verdict.status] + _mark(cell)


def _mark(cell: Cell) -> str:
    return "?" if cell.runs_if else "!" if cell.verdict.blind else ""


def _paint(cell: Cell, text: str, width: int) -> str:
    return render.paint(f"{text:<{width}}", render.COLOURS[cell.verdict.status])


def _format_legend(cells: tuple[Cell, ...], width: int | None, *, words: bool) -> Iterator[str]:
    """What marks and signs mean, as far as they stand in the table."""
    signs = SIGNS if render.can_print("✓✗") else PLAIN_SIGNS
    shown = {cell.verdict.status for cell in cells if not cell.runs_if}
    notes = [] if words else [f"{sign} {status}" for status, sign in signs.items() if status in shown]
    if any(cell.runs_if for cell in cells):
        name = "runs" if words else signs[Status.RUNS]
        notes.append(f"{name}? it runs if that is there which --why names and the facts do not tell")
    if any(cell.verdict.blind for cell in cells):
        name = Status.PARTIAL if words else signs[Status.PARTIAL]
        notes.append(f"{name}! it would start and attach to no event")
    if notes:
        yield ""
        yield from render.wrap("; ".join(notes), 0, width)
