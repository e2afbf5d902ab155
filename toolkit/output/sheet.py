"""Frames of data that never was text, such as JSON, as lines for people: as the engine would have printed them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.output.chart import Style, draw_histogram, show_safely
from toolkit.output.frames import Frame, Histogram, Lost, Stacks, Table, Text, Values


def draw_frame(frame: Frame, style: Style) -> Iterator[str]:
    """Any frame; of a text what its `text` says. Only histograms are fitted to the width: data is not cut."""
    match frame:
        case Histogram():
            yield from draw_histogram(frame, style)
        case Table():
            yield from _entitle(frame.title, draw_table(frame))
        case Values():
            yield from (show_safely(f"{name}: {value}" if name else value) for name, value in frame.pairs)
        case Stacks():
            folded = (f"{';'.join((*filter(None, (one.key,)), *one.frames))} {one.count}" for one in frame.stacks)
            yield from _entitle(frame.title, map(show_safely, folded))
        case Lost():
            yield f"Lost {frame.count} events"
        case Text():
            lines = frame.text.removesuffix("\n").split("\n") if frame.text else ()
            yield from (show_safely(line.expandtabs()) for line in lines)


def draw_table(table: Table) -> Iterator[str]:
    """Columns that are as wide as their widest cell; numbers to the right."""
    rows = [tuple(map(show_safely, row)) for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    numeric = [all(_is_number(cell) for cell in column[1:]) for column in zip(*rows, strict=False)]
    for row in rows:
        cells = zip(row, widths, numeric, strict=False)
        yield "  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in cells).rstrip()


def _is_number(cell: str) -> bool:
    return cell.removeprefix("-").replace(".", "", 1).isdigit() or not cell


def _entitle(title: str, lines: Iterable[str]) -> Iterator[str]:
    if title:
        yield show_safely(title)
    yield from lines
