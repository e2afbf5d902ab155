"""Tables: rows below a header, comma-separated ones, and rows that begin with a time and have no header."""

from __future__ import annotations

import re

from toolkit.output.block import Above, Head, Lines, Opened, Place, Rows, decode
from toolkit.output.columns import LONGEST_HEADER, Columns, find_names, is_strong, is_weak, join_header
from toolkit.output.frames import Table
from toolkit.output.marks import ROW_TIME, read_title
from toolkit.output.units import read_column_units

STOPPERS = frozenset({"Lost", "lost", "Possibly", "Tracing", "Tracing...", "^C"})  # no row begins so
COMMA_HEADER = re.compile(r"[A-Za-z_][\w()%/:-]*(?:,[A-Za-z_][\w()%/:-]*){2,63}", re.ASCII)

Row = tuple[str, ...]


class TableBlock:
    """Rows below a header, of which the first shows how they stand; a strong header may have none."""

    whole = True

    def __init__(self, header: str, title: str, time: str, columns: Columns | None = None) -> None:
        self._header = header
        self._title = title
        self._time = time
        self._below = False  # a second line of the header was taken
        self.columns = columns
        self.last: Row = ()  # the row that was taken last
        self._rows = Rows(headed=columns is None)

    def take(self, lines: Lines, at: int) -> int:
        """Rows, until a line that is none or says that the header comes again."""
        if self.columns is None:
            text = decode(lines[at])
            if text[:1].isspace() and is_strong(text) and not self._below:
                self._below = True
                return 1
            self.columns = self._settle(text)
        columns = self.columns
        if columns is None:
            return 0
        width, key, plain = columns.width, columns.key, columns.plain
        stoppers = {*STOPPERS, columns.names[0]}
        keep = self._rows.waiting.append
        index = at
        for index in range(at, len(lines)):
            text = str(lines[index], "utf-8", "replace")
            cells = text.split()
            if not cells or cells[0] in stoppers:
                break
            if len(cells) == width and plain and (key < 0 or cells[key].isdigit()):
                keep(tuple(cells))
                continue
            row = columns.read(text.rstrip("\r"))
            if row is None:
                break
            keep(row)
        else:
            index = len(lines)
        self.last = self._rows.waiting[-1] if self._rows.waiting else self.last
        return index - at

    def learn(self) -> Columns:
        """The columns, as far as they are known."""
        return self.columns or Columns(find_names(self._header), "")

    def _settle(self, row: str) -> Columns | None:
        """The columns as the first row shows them, if it is one."""
        words = row.split()
        if not words or words[0] in STOPPERS or is_strong(row):
            return None
        columns = Columns(find_names(self._header), row)
        return columns if columns.read(row) is not None else None

    def hand_on(self, place: Place, *, over: bool) -> Table | None:
        """The rows; a header alone once it is over."""
        columns = self.learn()
        return self._rows.hand_on(Head(self._title, columns.names, columns.units, self._time), place, over=over)


class CommaBlock:
    """Comma-separated rows; the last cell, a file's name, may hold commas."""

    whole = True
    columns: Columns | None = None

    def __init__(self, header: str, time: str) -> None:
        columns = tuple(header.split(","))
        self._head = Head("", columns, read_column_units(columns), time)
        self._rows = Rows(headed=True)

    def take(self, lines: Lines, at: int) -> int:
        """Rows of as many cells as the header has."""
        columns = self._head.columns
        width = len(columns)
        for index in range(at, len(lines)):
            cells = decode(lines[index]).split(",", width - 1)
            if len(cells) != width or cells[0] == columns[0]:
                return index - at
            self._rows.waiting.append(tuple(cells))
        return len(lines) - at

    def hand_on(self, place: Place, *, over: bool) -> Table | None:
        """The rows; a header alone once it is over."""
        return self._rows.hand_on(self._head, place, over=over)


class TimedBlock:
    """Rows that begin with a time and have no header: the time, and the rest as it stands."""

    whole = True
    columns: Columns | None = None

    def __init__(self, time: str, first: Row) -> None:
        self._head = Head("", ("TIME", "TEXT"), time=time)
        self.time = first[0]  # what follows may be the table of that time
        self._rows = Rows(first)

    def take(self, lines: Lines, at: int) -> int:
        """Rows that begin with a time."""
        for index in range(at, len(lines)):
            row = read_timed(decode(lines[index]))
            if row is None:
                return index - at
            self._rows.waiting.append(row)
            self.time = row[0]
        return len(lines) - at

    def hand_on(self, place: Place, *, over: bool) -> Table | None:
        """The rows."""
        return self._rows.hand_on(self._head, place, over=over)


def read_timed(text: str) -> Row | None:
    """The time at the begin of a line and the rest of it."""
    if text[:1] not in "[0123456789":
        return None
    found = ROW_TIME.fullmatch(text)
    return (found[1], found[2].rstrip()) if found and not found[2].startswith("loadavg: ") else None


def open_table(text: str, above: Above, known: Columns | None) -> Opened | None:
    """A table that begins with this line: its header, its first row below a weak one, a row of the one before."""
    if COMMA_HEADER.fullmatch(text) and len(text) <= LONGEST_HEADER and text.upper() != text.lower():
        return Opened(CommaBlock(text, above.time)) if any(char.isupper() for char in text) else None
    if is_strong(text):
        title = read_title(above.lines[0]) if above.lines else ""
        return Opened(TableBlock(text, title, above.time), bool(title))
    opened = _open_below(text, above)
    if opened is not None:
        return opened
    if known is not None and known.fits(text):
        return Opened(_take_first(TableBlock("", "", above.time, known), text))
    timed = read_timed(text)
    return Opened(TimedBlock(above.time, timed)) if timed else None


def _open_below(text: str, above: Above) -> Opened | None:
    """A table whose header is the line above, as this row shows."""
    if not above.lines or not any(char.isdigit() for char in text[:LONGEST_HEADER]) or not is_weak(above.lines[0]):
        return None
    spans = join_header(above.lines[0], text) if len(text) <= LONGEST_HEADER else None
    if spans is None:
        return None
    title = read_title(above.lines[1]) if len(above.lines) > 1 else ""
    block = TableBlock(above.lines[0], title, above.time, Columns(spans, text))
    return Opened(_take_first(block, text), 1 + bool(title))


def _take_first(block: TableBlock, text: str) -> TableBlock:
    block.take([text.encode("utf-8", "replace")], 0)
    return block
