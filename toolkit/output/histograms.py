"""Histograms in the forms that BCC, libbpf-tools and bpftrace print, and those that come as data.

BCC and libbpf-tools: a header `usecs : count distribution`, then rows `4 -> 7 : 12 |****  |`, or `3 : 12 |****  |`
of a linear one. bpftrace: rows `[4, 8)  12 |@@@@ |`, where the upper end is exclusive and numbers are shortened
(`[4K, 8K)`). `biolatency -j` prints each as a Python dictionary on a line.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from toolkit.output.block import Above, Lines, Opened, Place, decode
from toolkit.output.frames import OPEN_LOW, Histogram, Slot
from toolkit.output.marks import read_title
from toolkit.output.units import UNITS, read_unit

LONGEST_ROW = 512  # characters
MOST_SLOTS = 4096  # of one frame; bpftrace's lhist() has 1000
TABLE_ROW = re.compile(r"\s*(\d{1,20}) -> (\d{1,20})\s*: (\d{1,20})\s*\|[* +]*\|\s*")
LINEAR_ROW = re.compile(r"\s*(\d{1,20})\s*: (\d{1,20})\s*\|[* +]*\|\s*")
BRACKET_ROW = re.compile(
    r"[\[(](?:(-?\d{1,20})([KMGTPE]?)|\.\.\.), ?(?:(-?\d{1,20})([KMGTPE]?)|\.\.\.)[\])]\s+(\d{1,20}) \|[@ ]*\|\s*"
)
SINGLE_ROW = re.compile(r"\[(-?\d{1,20})([KMGTPE]?)\]\s+(\d{1,20}) \|[@ ]*\|\s*")
SUFFIXES = " KMGTPE"

DICTIONARY = "{'ts': "
# Literals alone, so that reading it costs no more than its length; possessive, so that looking costs no more either.
LITERALS = re.compile(
    r"(?:'[^'\\]*+'|\"[^\"\\]*+\"|b(?=['\"])|-?\d++(?:\.\d++)?|[\[\]{}:, ]|True|False|None)*+", re.ASCII
)


class HistogramBlock:
    """Rows below a header, or below a map's name."""

    whole = True

    def __init__(self, title: str, unit: str, time: str, slots: list[Slot]) -> None:
        self._title = title
        self._unit = unit
        self._time = time
        self._slots = slots

    def take(self, lines: Lines, at: int) -> int:
        """Rows, until a line that is none."""
        for index in range(at, len(lines)):
            slot = read_slot(decode(lines[index])) if len(self._slots) < MOST_SLOTS else None
            if slot is None:
                return index - at
            self._slots.append(slot)
        return len(lines) - at

    def hand_on(self, place: Place, *, over: bool) -> Histogram | None:
        """All rows, once it is over: a half is no distribution."""
        if not over:
            return None
        return Histogram(
            offset=place.offset,
            size=place.size,
            title=self._title,
            unit=self._unit,
            slots=tuple(self._slots),
            time=self._time,
        )


class DictionaryBlock:
    """A histogram that one line holds."""

    whole = True

    def __init__(self, histogram: Histogram) -> None:
        self._histogram: Histogram | None = histogram

    def take(self, lines: Lines, at: int) -> int:
        """No more lines."""
        return 0

    def hand_on(self, place: Place, *, over: bool) -> Histogram | None:
        """The histogram, with its bytes."""
        held, self._histogram = self._histogram, None
        if held is None:
            return None
        return Histogram(
            offset=place.offset, size=place.size, title=held.title, unit=held.unit, slots=held.slots, time=held.time
        )


def open_histogram(text: str, above: Above) -> Opened | None:
    """A histogram that begins with this line: a header, a first row with brackets, a dictionary."""
    if text.startswith(DICTIONARY):
        read = read_dictionary(text)
        return Opened(DictionaryBlock(read)) if read else None
    if len(text) > LONGEST_ROW:
        return None
    title = read_title(above.lines[0]) if above.lines and any(sign in above.lines[0] for sign in "=:") else ""
    if text[0] in "[(":
        slot = read_slot(text)
        if slot is None:
            return None
        return Opened(HistogramBlock(title, read_unit(title), above.time, [slot]), bool(title))
    name = read_header(text)
    if not name:
        return None
    return Opened(HistogramBlock(title, UNITS.get(name.lower(), name), above.time, []), bool(title))


def read_header(text: str) -> str:
    """What the rows below a line count, `usecs : count distribution`; empty if it is no header."""
    name, _, rest = text.rpartition(": count")
    return name.strip() if rest[:1].isspace() and rest.strip() == "distribution" else ""


def read_slot(text: str) -> Slot | None:
    """One row, in any of the forms; None if it is no row."""
    if len(text) > LONGEST_ROW or not text.rstrip().endswith("|"):
        return None
    if row := TABLE_ROW.fullmatch(text):
        return Slot(low=int(row[1]), high=int(row[2]), count=int(row[3]))
    if row := BRACKET_ROW.fullmatch(text):
        low = _scale(row[1], row[2]) if row[1] else OPEN_LOW
        high = _scale(row[3], row[4]) - 1 if row[3] else None
        return Slot(low=low, high=high, count=int(row[5]))
    if row := SINGLE_ROW.fullmatch(text):
        value = _scale(row[1], row[2])
        return Slot(low=value, high=value, count=int(row[3]))
    if row := LINEAR_ROW.fullmatch(text):
        return Slot(low=int(row[1]), high=int(row[1]), count=int(row[2]))
    return None


def _scale(digits: str, suffix: str) -> int:
    return int(digits) << (10 * SUFFIXES.index(suffix or " "))


def read_dictionary(text: str) -> Histogram | None:
    """What `biolatency -j` prints: `ts`, `val_type`, `data` of slots, and what it was counted by; no bytes yet."""
    try:
        value: Any = ast.literal_eval(text) if LITERALS.fullmatch(text) else None
        slots = tuple(
            Slot(low=int(one["interval-start"]), high=int(one["interval-end"]), count=int(one["count"]))
            for one in value["data"]
        )
        others = [f"{key} = {value[key]}" for key in value if key not in ("ts", "val_type", "data")]
        unit = str(value["val_type"])
        title = ", ".join(others)
        unit = UNITS.get(unit, unit)
        return Histogram(offset=0, size=0, title=title, unit=unit, slots=slots, time=str(value["ts"]))
    except (ValueError, SyntaxError, TypeError, KeyError, AttributeError, MemoryError, RecursionError):
        return None
