"""A heat map over intervals: rows are slots, the highest on top, columns are intervals, the shade is how many.

A tool that prints a histogram each second for a day fills no memory: where there are too many columns, two become one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from toolkit.output.chart import Style, cut, label_slot, show_safely
from toolkit.output.distribution import count_in, merge, total
from toolkit.output.frames import Histogram, Slot
from toolkit.output.rows import make_rows

MOST_COLUMNS = 512  # that are kept; those that a line has room for are drawn
MOST_TITLES = 128  # that are kept; a histogram by process may have one for each
AROUND = 3  # lines of a map that are no rows: blank, title, legend
FEWEST_ROWS = 4
MOST_ROWS = 24
SHADES = "░▒▓█"
LETTERS = ".:+#"
COLOURS = (230, 221, 208, 196)  # of the 256 that terminals know: pale yellow to red, seen on light and on dark


class Series:
    """The histograms of one title, a column for an interval, or for several where there are many."""

    def __init__(self) -> None:
        self.each = 1  # intervals in a column
        self.columns: dict[int, Histogram] = {}
        self.count = 0
        self.broken = False  # it has histograms that do not join

    def add(self, interval: int, histogram: Histogram) -> None:
        """Take one; intervals count from 0 and only grow."""
        self.count += total(histogram)
        while interval // self.each >= MOST_COLUMNS:
            before, self.columns, self.each = self.columns, {}, self.each * 2
            for column, one in before.items():
                self._put(column // 2, one)
        self._put(interval // self.each, histogram)

    def _put(self, column: int, histogram: Histogram) -> None:
        there = self.columns.get(column)
        joined = merge((there, histogram)) if there else histogram
        self.broken = self.broken or joined is None
        if joined is not None:
            self.columns[column] = joined


class HeatMap:
    """Every histogram of a run by title, in intervals: a new one begins when a title comes again, or another time.

    So an interval in which a tool prints nothing is no column, and where it prints no time, a title that was left out
    of one may stand in the column before its own.
    """

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._seen: set[str] = set()  # titles of this interval
        self._interval = 0
        self._time = ""

    def add(self, histogram: Histogram) -> None:
        """Take the next histogram of the run."""
        later = bool(self._seen and histogram.time and self._time and histogram.time != self._time)
        if later or histogram.title in self._seen:
            self._interval += 1
            self._seen.clear()
        self._time = histogram.time or self._time
        if histogram.title in self._series or len(self._series) < MOST_TITLES:
            self._seen.add(histogram.title)
            self._series.setdefault(histogram.title, Series()).add(self._interval, histogram)

    def draw(self, style: Style, height: int, most: int = 4) -> tuple[str, ...]:
        """The maps of the titles that counted most, in `height` lines at most; nothing before the second interval."""
        drawable = [(title, one) for title, one in self._series.items() if len(one.columns) > 1]
        chosen = sorted(drawable, key=lambda entry: -entry[1].count)[: min(most, height // (AROUND + FEWEST_ROWS))]
        lines: list[str] = []
        for title, series in chosen:
            rows = min(height // len(chosen) - AROUND, MOST_ROWS)
            lines += ("", *draw_series(title, series, self._interval + 1, rows, style))
        return tuple(lines)


def draw_series(title: str, series: Series, intervals: int, height: int, style: Style) -> Iterator[str]:
    """One heat map of `height` rows at most: what it shows, its rows, and which shade stands for how many."""
    summed = merge(series.columns.values())
    if summed is None or series.broken:
        yield cut(f"{show_safely(title)}: no heat map, its histograms have slots that cross each other", style)
        return
    rows = make_rows(summed.slots, height)
    labels = [label_slot(row) for row in rows]
    left = max(map(len, labels), default=0)
    columns, each = _make_columns(series, intervals, rows, max(style.width - left - 4, 8))
    most = max((count for column in columns for count in column), default=0)
    name = f"{show_safely(title)}  " if title else ""
    unit = f"  ({show_safely(summed.unit)})" if summed.unit else ""
    joined = f", {each} in a column" if each > 1 else ""
    yield cut(f"{name}{intervals} intervals{joined}{unit}", style)
    for at in range(len(rows) - 1, -1, -1):
        yield f" {labels[at]:>{left}} |{paint_cells([find_level(column[at], most) for column in columns], style)}|"
    yield _explain_shades(left, most, style)


def _make_columns(series: Series, intervals: int, rows: Sequence[Slot], room: int) -> tuple[list[list[int]], int]:
    """What each column counted in each row, in as many columns as there is room for, and how many intervals each is."""
    needed = -(-intervals // series.each)
    joined = -(-needed // room)
    columns = [[0] * len(rows) for _ in range(-(-needed // joined))]
    for at, one in series.columns.items():
        column = columns[at // joined]
        for row, count in enumerate(count_in(one, rows)):
            column[row] += count
    return columns, series.each * joined


def find_level(count: int, most: int) -> int:
    """Which shade, from 1; 0 without a count. Each stands for a multiple of the one before, as counts span decades."""
    return max((level for level, lowest in list_thresholds(most) if count >= lowest), default=0)


def list_thresholds(most: int) -> list[tuple[int, int]]:
    """Each shade with the lowest count that it stands for; only the darkest where there are few different counts."""
    steps = len(SHADES)
    lowest = sorted({max(1, round(most ** (step / steps))) for step in range(steps)}) if most > 0 else []
    return list(enumerate(lowest, steps + 1 - len(lowest)))


def paint_cells(levels: Sequence[int], style: Style) -> str:
    """A row of the map. In colour its signs have the colour of their ground: they are there for who copies them."""
    signs = " " + (SHADES if style.unicode else LETTERS)
    runs = [(level, signs[level] * len(list(run))) for level, run in groupby(levels)]
    if not style.colour:
        return "".join(cells for _, cells in runs)
    return "".join(_paint(cells, COLOURS[level - 1]) if level else cells for level, cells in runs)


def _paint(cells: str, colour: int) -> str:
    return f"\x1b[38;5;{colour};48;5;{colour}m{cells}\x1b[0m"


def _explain_shades(left: int, most: int, style: Style) -> str:
    parts = [f"{paint_cells([level], style)} {low:,}+" for level, low in list_thresholds(most)]
    return " " * (left + 3) + "  ".join(parts)
