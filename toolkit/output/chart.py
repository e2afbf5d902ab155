"""A histogram as lines for people, with percentiles below it. Pure: values -> lines.

Counts are exact; what is worked out from slots has a `~`, as a slot does not say where in it the values lie. Nothing
of a foreign text gets through that a terminal could take for a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from toolkit.output.distribution import join_slots, locate, percentile, total
from toolkit.output.frames import OPEN_LOW, Histogram, Slot
from toolkit.output.rows import make_rows

MOST_ROWS = 64  # of a histogram; of one with more, a row is several slots
PERCENTILES = (50, 90, 99)
EIGHTHS = " ▏▎▍▌▋▊▉"
SCALES = {
    "ns": ((1, "ns"), (10**3, "us"), (10**6, "ms"), (10**9, "s")),
    "us": ((1, "us"), (10**3, "ms"), (10**6, "s")),
    "ms": ((1, "ms"), (10**3, "s")),
    "bytes": ((1, "bytes"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB")),
    "KiB": ((1, "KiB"), (1 << 10, "MiB"), (1 << 20, "GiB")),
}


class Style(NamedTuple):
    """What the reader's terminal can show."""

    width: int = 80
    unicode: bool = True
    colour: bool = False


def draw_histogram(histogram: Histogram, style: Style) -> Iterator[str]:
    """Its title, a row a slot, and percentiles below."""
    title = title_of(histogram)
    if title:
        yield cut(title, style)
    rows = make_rows(join_slots(histogram.slots) or histogram.slots, MOST_ROWS)
    labels = [label_slot(row) for row in rows]
    counts = [f"{row.count:,}" for row in rows]
    left, right = max(map(len, labels), default=0), max(map(len, counts), default=0)
    room = max(style.width - left - right - 5, 4)
    most = max((row.count for row in rows), default=0)
    for row, label, count in zip(rows, labels, counts, strict=True):
        bar = draw_bar(row.count / most if most > 0 else 0.0, room, style)
        yield cut(f" {label:>{left}} {count:>{right}} |{bar}|", style)
    yield cut(f" {describe(histogram)}", style)


def title_of(histogram: Histogram) -> str:
    """What was printed above it, its time and its unit, on one line."""
    unit = f"({histogram.unit})" if histogram.unit else ""
    return "  ".join(show_safely(part) for part in (histogram.title, histogram.time, unit) if part)


def draw_bar(share: float, room: int, style: Style) -> str:
    """A bar in a field: the share of it (0 to 1), and at least a trace of what is there at all."""
    share = min(max(share, 0.0), 1.0)
    if not style.unicode:
        full = round(share * room) or (1 if share else 0)
        return "#" * full + " " * (room - full)
    eighths = round(share * room * 8) or (1 if share else 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(room)


def label_slot(slot: Slot) -> str:
    """`4..7`, `5`, `..-1` or `100..`: both ends inclusive."""
    if slot.low == OPEN_LOW:
        return ".." if slot.high is None else f"..{slot.high}"
    if slot.high is None:
        return f"{slot.low}.."
    return f"{slot.low}..{slot.high}" if slot.high > slot.low else str(slot.low)


def describe(histogram: Histogram) -> str:
    """How many it counted, percentiles, and the highest slot that counted."""
    parts = [f"count {total(histogram):,}"]
    highest = locate(histogram, 100)
    if highest is not None:
        parts += [f"p{q} {show_percentile(histogram, q)}" for q in PERCENTILES]
        parts.append(f"max {label_slot(highest)}")
    return "  ".join(parts)


def show_percentile(histogram: Histogram, q: float) -> str:
    """`~1.31 ms`; exact where its slot is one value, a bound where the slot is open, `?` without values."""
    slot = locate(histogram, q)
    if slot is None:
        return "?"
    value = percentile(histogram, q)
    if value is not None:
        return f"{'~' if slot.low != slot.high else ''}{format_value(value, histogram.unit)}"
    if slot.high is None:
        return ">=" + format_value(slot.low, histogram.unit) if slot.low != OPEN_LOW else "?"
    return f"<={format_value(slot.high, histogram.unit)}"


def format_value(value: float, unit: str) -> str:
    """Three digits in the unit that suits it: 1310 us -> 1.31 ms. A unit that we do not know stays as it is."""
    scales = SCALES.get(unit, ((1, show_safely(unit)),))
    factor, name = next((scale for scale in reversed(scales) if abs(value) >= scale[0]), scales[0])
    scaled = value / factor
    digits = 0 if abs(scaled) >= 100 or scaled == int(scaled) else 1 if abs(scaled) >= 10 else 2
    return f"{scaled:,.{digits}f} {name}".rstrip()


def show_safely(text: str) -> str:
    """Foreign text on one line, without what could command a terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in text)


def cut(line: str, style: Style) -> str:
    """A line in the width that there is."""
    if len(line) <= style.width:
        return line.rstrip()
    return line[: max(style.width - 1, 0)] + ("…" if style.unicode else "~")
