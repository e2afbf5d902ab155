"""Histograms of a page: a bar for each slot, percentiles, and a heat map over intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from toolkit.output.chart import label_slot, show_percentile
from toolkit.output.distribution import count_in, merge, total
from toolkit.output.frames import Histogram, Slot
from toolkit.output.heat import Series
from toolkit.output.html.markup import escape, percent, section, tag
from toolkit.output.rows import make_rows

MOST_ROWS = 64
MOST_COLUMNS = 120  # of the heat map
CELL = 14  # pixels, height of a row of the heat map
PERCENTILES = (50, 90, 99)


def draw_series(title: str, series: Series, intervals: int) -> str:
    """One title: all of its intervals added up, and below them the heat map where there are several."""
    summed = merge(series.columns.values())
    name = title or "Distribution"
    if summed is None or series.broken:
        return section(name, tag("p", "Its intervals have slots that cross each other: they do not add up."))
    rows = make_rows(summed.slots, MOST_ROWS)
    unit = f" in {summed.unit}" if summed.unit else ""
    many = f", {intervals:,} intervals added up" if len(series.columns) > 1 else ""
    facts = f"{total(summed):,} values{unit}{many}"
    return section(name, _draw_percentiles(summed), _draw_bars(rows), _draw_heat(series, intervals, rows), note=facts)


def _draw_percentiles(histogram: Histogram) -> str:
    entries = ((f"p{q}", show_percentile(histogram, q)) for q in PERCENTILES)
    return tag(
        "dl", "".join(tag("div", tag("dt", name) + tag("dd", escape(value))) for name, value in entries), class_="big"
    )


def _draw_bars(rows: Sequence[Slot]) -> str:
    most = max((row.count for row in rows), default=0)
    whole = sum(row.count for row in rows)
    lines: list[str] = []
    for row in rows:
        share = row.count / most if most > 0 else 0.0
        bar = tag("rect", width=percent(max(share, 0.0)), height="100%", class_="bar")
        picture = tag("svg", bar, width="100%", height=CELL, aria_hidden="true")
        cells = (
            tag("td", escape(label_slot(row)), class_="n"),
            tag("td", f"{row.count:,}", class_="n"),
            tag("td", escape(_show_share(row.count, whole)), class_="n"),
            tag("td", picture, class_="wide"),
        )
        lines.append(tag("tr", "".join(cells)))
    head = "".join(tag("th", name, scope="col") for name in ("from..to", "count", "share", ""))
    return tag("table", tag("thead", tag("tr", head)) + tag("tbody", "".join(lines)), class_="bars")


def _show_share(count: int, whole: int) -> str:
    share = count / whole * 100 if whole else 0.0
    return "<0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"


def _draw_heat(series: Series, intervals: int, rows: Sequence[Slot]) -> str:
    if len(series.columns) < 2:
        return ""
    each = series.each * -(-len(series.columns) // MOST_COLUMNS)  # intervals in a column
    columns: dict[int, list[int]] = {}
    for at, one in series.columns.items():
        column = columns.setdefault(at * series.each // each, [0] * len(rows))
        for row, count in enumerate(count_in(one, rows)):
            column[row] += count
    most = max(map(max, columns.values()))
    cells = "".join(_draw_cells(columns, rows, each, -(-intervals // each)))
    picture = tag("svg", cells, width="100%", height=len(rows) * CELL, role="img", class_="field")
    many = f"{each} intervals a column" if each > 1 else "one interval a column"
    return (
        tag("h3", "Over time")
        + tag("p", f"Left to right, {many}; the stronger the colour, the more, up to {most:,}.", class_="note")
        + tag("div", _draw_labels(rows) + tag("div", picture, class_="wide"), class_="heat")
    )


def _draw_cells(columns: Mapping[int, Sequence[int]], rows: Sequence[Slot], each: int, width: int) -> Iterator[str]:
    most = max(map(max, columns.values()))
    for at, column in columns.items():
        for row, count in enumerate(column):
            if count > 0:
                yield tag(
                    "rect",
                    tag("title", escape(f"{label_slot(rows[row])}: {count:,}, interval {at * each + 1}")),
                    x=percent(at / width),
                    y=(len(rows) - 1 - row) * CELL,
                    width=percent(1 / width),
                    height=CELL,
                    fill_opacity=shade(count, most),
                    class_="bar",
                )


def _draw_labels(rows: Sequence[Slot]) -> str:
    labels = [label_slot(row) for row in rows]
    drawn = (
        tag("text", escape(label), x="100%", y=(len(rows) - at) * CELL - 3, text_anchor="end")
        for at, label in enumerate(labels)
    )
    return tag("svg", "".join(drawn), width=max(map(len, labels), default=0) * 7 + 4, height=len(rows) * CELL)


def shade(count: int, most: int) -> float:
    """How dark: steps of equal factors, as counts span decades."""
    steps = 8
    level = sum(count >= math.pow(most, step / steps) for step in range(steps))
    return round(level / steps, 3)
