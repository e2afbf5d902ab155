"""The reasons behind the matrix of `toolkit check`: why not, where, what mends it, and what to use instead."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.alternatives import find_alternative
from toolkit.cli import render
from toolkit.cli.check_report import label_row, name_column
from toolkit.matrix import Cell, Column, Row
from toolkit.model import Index, Status, Tool


def explain_rows(rows: tuple[Row, ...], columns: tuple[Column, ...], index: Index, width: int | None) -> Iterator[str]:
    """A paragraph for each row that does not run everywhere; a tool whose variants follow leaves it to them."""
    tools = {tool.name: tool for tool in index.tools}
    for at, row in enumerate(rows):
        followed = row.variant is None and at + 1 < len(rows) and rows[at + 1].variant is not None
        lines = () if followed else tuple(_explain_cells(row, columns, width))
        if row.variant is None:
            tool = tools.get(row.subject.variants[0].tool)
            lines = (*lines, *_offer(row, columns, tool, index, width)) if tool else lines
        if lines:
            yield ""
            yield render.paint(label_row(row).strip(), bold=True)
            yield from lines


def _explain_cells(row: Row, columns: tuple[Column, ...], width: int | None) -> Iterator[str]:
    """Each different answer once, with the kernels that give it."""
    for cell, names in _group(row, columns):
        yield from render.wrap(f"{names}: {_title(row, cell)}" if names else _title(row, cell), 2, width)
        if cell.assuming:
            there = render.printable(", and ".join(cell.assuming))
            yield from render.wrap(f"{_assumed(cell)} if there is {there}", 4, width)
        for reason in () if cell.runs_if else cell.verdict.reasons:
            yield from render.wrap(render.printable(reason.text), 4, width)
            if reason.fix:
                yield from render.wrap(f"to mend it: {reason.fix}", 6, width)
            if reason.link:
                yield from render.wrap(f"see {reason.link}", 6, width)


def _title(row: Row, cell: Cell) -> str:
    status = render.paint_status(cell.verdict.status)
    several = row.variant is None and len(row.subject.variants) > 1
    return f"{status}, at best {cell.variant.id}" if several else status


def _assumed(cell: Cell) -> str:
    return str(cell.assumed.status) if cell.assumed else ""


def _group(row: Row, columns: tuple[Column, ...]) -> Iterator[tuple[Cell, str]]:
    grouped: list[tuple[Cell, list[str]]] = []
    for cell, column in zip(row.cells, columns, strict=True):
        if cell.verdict.status is Status.RUNS:
            continue
        same = next((names for other, names in grouped if other == cell), None)
        if same is None:
            grouped.append((cell, same := []))
        same.append(name_column(column))
    for cell, names in grouped:
        yield cell, "" if len(names) == len(columns) else ", ".join(names)


def _offer(row: Row, columns: tuple[Column, ...], tool: Tool, index: Index, width: int | None) -> Iterator[str]:
    """What to use where a subject cannot run."""
    offers: dict[str, list[str]] = {}
    for cell, column in zip(row.cells, columns, strict=True):
        if cell.verdict.status is Status.BLOCKED or cell.verdict.blind:
            found = find_alternative(tool, row.subject.variants, index, column.facts)
            if found:
                offers.setdefault(str(found), []).append(name_column(column))
    for text, names in offers.items():
        where = "" if len(names) == len(columns) else f" ({', '.join(names)})"
        yield from render.wrap(f"instead: {text}{where}", 2, width)
