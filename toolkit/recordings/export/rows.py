"""A recording's data as CSV: a row for each row of a table, slot of a histogram, stack, value, and loss of events.

Tables of different columns are in one file: each has a number, in the column `table`, and leaves the columns of the
others empty. Or one of them is asked for by its number. Cells are text as printed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from toolkit.errors import StateError
from toolkit.output.chart import show_safely
from toolkit.output.frames import OPEN_LOW, Frame, Histogram, Lost, Stacks, Table, Text, Values
from toolkit.recordings.content import read_frames
from toolkit.recordings.export.folded import fold
from toolkit.recordings.layout import Recording

COMMON = ("table", "kind", "title", "time", "seconds")
MOST_TABLES = 256  # of different columns; a tool has one or two
MOST_COLUMNS = 1024
AT_ONCE = 1000  # rows


def export(recording: Recording, table: int | None = None) -> Iterator[bytes]:
    """A header and the rows, of all tables or of the one with this number. Raises StateError, also without any."""
    shapes = list_shapes(recording)
    if not shapes:
        raise StateError(
            f"nothing in {recording.run.id} was understood as data", fix="`--format text` shows what it holds"
        )
    if table is not None and not 1 <= table <= len(shapes):
        raise StateError(f"{recording.run.id} has no table {table}", fix=f"it has {_describe(shapes)}")
    wanted = {shape: number for number, shape in enumerate(shapes, 1) if table in (None, number)}
    places = {name: at for at, name in enumerate(_join_names(wanted))}
    taken = {shape: [places[name] for name in _name_columns(shape[1])] for shape in wanted}
    yield _write([(*COMMON, *places)])
    for seconds, frame in read_frames(recording):
        shape = find_shape(frame)
        if shape in wanted:
            common = _common_cells(wanted[shape], seconds, frame)
            rows = _place(_list_cells(frame), taken[shape], len(places))
            while some := [(*common, *row) for row in islice(rows, AT_ONCE)]:
                yield _write(some)


Shape = tuple[str, tuple[str, ...]]  # the kind, and the columns as printed


def list_shapes(recording: Recording) -> list[Shape]:
    """The different tables, in the order in which they come. Raises StateError where there are too many."""
    shapes: dict[Shape, None] = {}
    for _, frame in read_frames(recording):
        shape = find_shape(frame)
        if shape is not None:
            shapes[shape] = None
        if len(shapes) > MOST_TABLES or len(shape[1] if shape else ()) > MOST_COLUMNS:
            raise StateError(
                f"{recording.run.id} has more than {MOST_TABLES} different tables, or more than {MOST_COLUMNS} columns",
                fix="`--format jsonl` has all of it",
            )
    return list(shapes)


def find_shape(frame: Frame) -> Shape | None:
    """The table that a frame belongs to; None for text."""
    match frame:
        case Table():
            return "table", frame.columns
        case Histogram():
            return "histogram", ("low", "high", "count", "unit")
        case Stacks():
            return "stacks", ("stack", "count", "unit")
        case Values():
            return "values", ("name", "value")
        case Lost():
            return "lost", ("lost",)
        case Text():
            return None


def _list_cells(frame: Frame) -> Iterator[Sequence[object]]:
    match frame:
        case Table():
            width = len(frame.columns)
            for row in frame.rows:
                yield row if len(row) <= width else (*row[: width - 1], " ".join(row[width - 1 :]))
        case Histogram():
            for slot in frame.slots:
                yield "" if slot.low == OPEN_LOW else slot.low, slot.high, slot.count, frame.unit
        case Stacks():
            for stack in frame.stacks:
                yield fold(stack), stack.count, frame.unit
        case Values():
            yield from frame.pairs
        case Lost():
            yield (frame.count,)
        case Text():
            return


def _common_cells(number: int, seconds: float, frame: Frame) -> tuple[object, ...]:
    kind = type(frame).__name__.lower()
    title = "" if isinstance(frame, Lost | Text) else frame.title
    time = "" if isinstance(frame, Lost | Text) else frame.time
    return number, kind, title, time, f"{seconds:.6f}"


def _name_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Names that differ from each other and from ours: a second PID is `PID.2`."""
    taken, used = set(COMMON), Counter(COMMON)
    names: list[str] = []
    for column in columns:
        used[column] += 1
        name = column if used[column] == 1 else f"{column}.{used[column]}"
        while name in taken:
            name += "'"
        taken.add(name)
        names.append(name)
    return tuple(names)


def _join_names(shapes: Iterable[Shape]) -> tuple[str, ...]:
    """The columns of all, each once."""
    return tuple(dict.fromkeys(name for _, columns in shapes for name in _name_columns(columns)))


def _place(rows: Iterable[Sequence[object]], places: Sequence[int], width: int) -> Iterator[Sequence[object]]:
    """The rows of one table, with their cells in the columns of all tables."""
    if list(places) == list(range(width)):
        yield from (row if len(row) == width else (*row, *[""] * (width - len(row))) for row in rows)
        return
    for cells in rows:
        row: list[object] = [""] * width
        for cell, place in zip(cells, places, strict=False):
            row[place] = cell
        yield row


def _write(rows: Sequence[Sequence[object]]) -> bytes:
    text = _format(rows)
    # Looking at all of it at once is much faster than at each cell; an end of line in a cell is one too many.
    if text.count("\n") != len(rows) or not text.replace("\n", "").isprintable():
        text = _format([[show_safely(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return text.encode("utf-8", "replace")


def _format(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _describe(shapes: Sequence[Shape]) -> str:
    first = ", ".join(f"{at} ({' '.join(columns)[:40]})" for at, (_, columns) in enumerate(shapes[:5], 1))
    return show_safely(first + (", …" if len(shapes) > 5 else ""))
