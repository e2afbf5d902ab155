"""Tables of a page: rows below their header, which the page's script sorts by a column."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.output.html.markup import escape, section, tag
from toolkit.output.roles import read_number

MOST_ROWS = 1000
LONGEST_CELL = 200


class Sheet:
    """The first rows of one table, and how many there were."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title = title
        self.columns = tuple(columns)
        self.rows: list[tuple[str, ...]] = []
        self.count = 0

    def add(self, time: str, row: Sequence[str], *, keep: bool = True) -> None:
        """Take one more; `keep` says whether there is room for it."""
        self.count += 1
        if keep and len(self.rows) < MOST_ROWS:
            self.rows.append((time, *(cell[:LONGEST_CELL] for cell in row)))


def draw_sheet(sheet: Sheet) -> str:
    """The table, with its times where it has any."""
    timed = any(row[0] for row in sheet.rows)
    columns = (*(("printed",) if timed else ()), *sheet.columns)
    rows = sheet.rows if timed else [row[1:] for row in sheet.rows]
    numbers = {at for at in range(len(columns)) if _is_numeric(rows, at)}
    head = "".join(
        _draw_cell("th", name, right=at in numbers, scope="col", tabindex="0") for at, name in enumerate(columns)
    )
    body = "".join(
        tag("tr", "".join(_draw_cell("td", cell, right=at in numbers) for at, cell in enumerate(row))) for row in rows
    )
    table = tag("table", tag("thead", tag("tr", head)) + tag("tbody", body), class_="rows")
    note = f"{sheet.count:,} rows"
    if sheet.count > len(rows):
        note = f"The first {len(rows):,} of {sheet.count:,} rows; the recording has all of them."
    return section(sheet.title or "Table", tag("div", table, class_="scroll"), note=note)


def _is_numeric(rows: Sequence[Sequence[str]], at: int) -> bool:
    cells = [row[at] for row in rows if at < len(row) and row[at]]
    return bool(cells) and all(read_number(cell) is not None for cell in cells)


def _draw_cell(name: str, text: str, *, right: bool, **attributes: str) -> str:
    return tag(name, escape(text), **({"class_": "n"} if right else {}), **attributes)
