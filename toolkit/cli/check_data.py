"""The matrix of `toolkit check` as data: JSON and CSV."""

from __future__ import annotations

import csv
import io

from toolkit.cli import render
from toolkit.matrix import Cell, Column, FailOn, Row, list_failures
from toolkit.model import Engine, Status, Value, Verdict

CSV_FIELDS = (
    *("name", "variant", "revision", "engine", "path"),
    *("kernel", "release", "engines"),
    *("status", "blind", "assuming", "why"),
)


class ColumnInfo(Value, frozen=True, omit_defaults=False):
    """A kernel with its engines; `engines` by name, as they were judged."""

    name: str
    release: str
    machine: str
    engines: dict[str, str]


class CellInfo(Value, frozen=True, omit_defaults=False):
    """A verdict; `assuming` is what it would need besides, and `assumed` the verdict with that there, or null."""

    variant: str
    verdict: Verdict
    assuming: tuple[str, ...]
    assumed: Status | None


class RowInfo(Value, frozen=True, omit_defaults=False):
    """A tool or file, or one of its variants; `variant` is null on the row of a tool, whose cells are the best."""

    name: str
    variant: str | None
    revision: str
    engine: Engine | None
    path: str
    cells: tuple[CellInfo, ...]


class Document(Value, frozen=True, omit_defaults=False):
    """The document of `check --json`; each row has a cell for each kernel."""

    shape: int
    fail_on: FailOn
    failed: tuple[str, ...]
    kernels: tuple[ColumnInfo, ...]
    rows: tuple[RowInfo, ...]


def make_document(rows: tuple[Row, ...], columns: tuple[Column, ...], level: FailOn) -> Document:
    """The matrix as JSON."""
    return Document(
        shape=render.SHAPE,
        fail_on=level,
        failed=tuple(row.subject.name for row in list_failures(rows, level)),
        kernels=tuple(_describe_column(column) for column in columns),
        rows=tuple(map(_describe_row, rows)),
    )


def _describe_column(column: Column) -> ColumnInfo:
    engines = {str(one.name): one.version for one in column.facts.engines if one.version}
    return ColumnInfo(name=column.name, release=column.facts.release, machine=column.facts.machine, engines=engines)


def _describe_row(row: Row) -> RowInfo:
    one = row.variant or (row.subject.variants[0] if len(row.subject.variants) == 1 else None)
    return RowInfo(
        name=row.subject.name,
        variant=one.id if one else None,
        revision=one.found.revision if one else "",
        engine=one.engine if one else None,
        path=one.found.path if one else "",
        cells=tuple(_describe_cell(cell) for cell in row.cells),
    )


def _describe_cell(cell: Cell) -> CellInfo:
    return CellInfo(
        variant=cell.variant.id,
        verdict=cell.verdict,
        assuming=cell.assuming,
        assumed=cell.assumed.status if cell.assumed else None,
    )


def format_csv(rows: tuple[Row, ...], columns: tuple[Column, ...]) -> tuple[str, ...]:
    """A header, and a line for each row and kernel."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for row in rows:
        about = _describe_row(row)
        for column, cell in zip(columns, row.cells, strict=True):
            engines = "; ".join(column.engines)
            why = "; ".join(reason.text for reason in cell.verdict.reasons)
            status, blind = cell.verdict.status, "yes" if cell.verdict.blind else "no"
            where = (column.name, column.facts.release, engines)
            which = (about.name, cell.variant.id, cell.variant.found.revision, cell.variant.engine, about.path)
            writer.writerow((*which, *where, status, blind, "; ".join(cell.assuming), why))
    return tuple(stream.getvalue().rstrip("\n").split("\n"))
