"""Arithmetic on histograms: they add, compare, and give percentiles within what their slots allow.

A slot says how many values lay between its ends, not where. So a number of ours is either exact (counts), bounded by
the ends (`Estimate.low`, `high`), or interpolated as if the values lay evenly between them (`middle`, `percentile`).
What an open end leaves unknown is None, never a guess. Two histograms join where they have the same unit and where
each slot of one either holds slots of the other whole or shares no value with them: then the wider slot is exact. Slots
that cross (`2..5` and `4..7`) are refused, as no sum says what lay in either.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from toolkit.model import Value
from toolkit.output.frames import OPEN_LOW, Histogram, Slot


class Estimate(Value, frozen=True):
    """A number that slots leave open: at least `low`, at most `high`, `middle` if values lie evenly inside a slot."""

    low: float | None
    middle: float | None
    high: float | None


def total(histogram: Histogram) -> int:
    """How many values it counted."""
    return sum(slot.count for slot in histogram.slots)


def merge(histograms: Iterable[Histogram]) -> Histogram | None:
    """The sum, or None where they do not join (`explain_conflict` says why) or there are none.

    In any order the same, but for slots that count nothing. It stands nowhere in an output: offset and size are 0;
    title and time stay where all have the same.
    """
    several = tuple(histograms)
    if not several or len({one.unit for one in several}) > 1:
        return None
    slots = join_slots([slot for one in several for slot in one.slots])
    return None if slots is None else _derive(several, slots)


def difference(before: Histogram, after: Histogram) -> Histogram | None:
    """What `after` counted more than `before`, slot by slot; less is negative. None where they do not join."""
    aligned = align((before, after))
    if aligned is None:
        return None
    pairs = zip(aligned[0].slots, aligned[1].slots, strict=True)
    slots = tuple(_with_count(new, new.count - old.count) for old, new in pairs)
    return _derive((before, after), slots)


def align(histograms: Iterable[Histogram]) -> tuple[Histogram, ...] | None:
    """Each with the slots of their sum, so that they compare row by row. None where they do not join."""
    several = tuple(histograms)
    summed = merge(several)
    if summed is None:
        return None
    aligned: list[Histogram] = []
    for one in several:
        counts = count_in(one, summed.slots)
        slots = tuple(_with_count(slot, count) for slot, count in zip(summed.slots, counts, strict=True))
        aligned.append(_derive((one,), slots))
    return tuple(aligned)


def count_in(histogram: Histogram, slots: Sequence[Slot]) -> list[int]:
    """How many it counted in each of these slots, which are in order and hold its own whole."""
    counts = [0] * len(slots)
    lows = [slot.low for slot in slots]
    for slot in histogram.slots:
        if slot.count:
            counts[bisect_right(lows, slot.low) - 1] += slot.count
    return counts


def explain_conflict(histograms: Iterable[Histogram]) -> str:
    """Why they do not join, empty if they do."""
    several = tuple(histograms)
    if not several:
        return "there is no histogram"
    units = sorted({one.unit for one in several})
    if len(units) > 1:
        return "their units differ: " + ", ".join(unit or "none" for unit in units)
    return "" if merge(several) is not None else "their slots cross each other"


def percentile(histogram: Histogram, q: float) -> float | None:
    """The value that `q` percent of all values (0 to 100) do not exceed, interpolated inside its slot.

    The true one lies between the ends of that slot, which `locate` gives. None where nothing was counted, the slot has
    an open end, or a count is negative.
    """
    found = _locate(histogram, q)
    if found is None:
        return None
    slot, share = found
    if slot.high is None or slot.low == OPEN_LOW:
        return None
    return slot.low + (slot.high - slot.low) * share


def locate(histogram: Histogram, q: float) -> Slot | None:
    """The slot in which the percentile lies, None where nothing was counted. Of 100, the highest that counted."""
    found = _locate(histogram, q)
    return found[0] if found else None


def join_slots(slots: Iterable[Slot]) -> tuple[Slot, ...] | None:
    """Slots by their low end, those inside another added to it; None where two cross.

    Empty slots bind nothing: one stays only where it shares no value with what counted or with an empty one below it.
    """
    ordered = sorted(map(_mend, slots), key=lambda slot: (slot.low, -_top(slot)))
    joined: list[Slot] = []
    widest = float("-inf")  # the highest value that any slot so far reaches
    for slot in ordered:
        if not slot.count:
            continue
        if slot.low > widest:
            joined.append(slot)
            widest = _top(slot)
            continue
        # Sorted: the last one begins no later. It must hold this one whole.
        if _top(slot) > widest:
            return None
        joined[-1] = _with_count(joined[-1], joined[-1].count + slot.count)
    return _add_empty(joined, [slot for slot in ordered if not slot.count])


def _add_empty(counted: list[Slot], empty: Sequence[Slot]) -> tuple[Slot, ...]:
    lows = [slot.low for slot in counted]
    kept: list[Slot] = []
    for slot in empty:
        below = bisect_right(lows, _top(slot)) - 1  # the last counted slot that begins before this one ends
        if below >= 0 and _top(counted[below]) >= slot.low:
            continue
        if kept and _top(kept[-1]) >= slot.low:
            continue
        kept.append(slot)
    return tuple(sorted((*counted, *kept), key=lambda slot: slot.low))


def _counted(histogram: Histogram) -> tuple[Slot, ...] | None:
    """What counted, from low to high; None where a count is negative or slots cross: no distribution says that."""
    if any(slot.count < 0 for slot in histogram.slots):
        return None
    joined = join_slots(histogram.slots)
    return None if joined is None else tuple(slot for slot in joined if slot.count)


def _locate(histogram: Histogram, q: float) -> tuple[Slot, float] | None:
    """The slot of a percentile, and which share of that slot's values lies below it."""
    if not 0 <= q <= 100:
        raise ValueError(f"no percentile: {q}")
    slots = _counted(histogram)
    if not slots:
        return None
    rank = sum(slot.count for slot in slots) * q / 100
    for slot in slots:
        if rank <= slot.count:
            return slot, rank / slot.count
        rank -= slot.count
    return slots[-1], 1.0


def _mend(slot: Slot) -> Slot:
    """A slot whose ends are in the wrong order, as no tool prints it, holds its low one alone."""
    if slot.high is None or slot.high >= slot.low:
        return slot
    return Slot(low=slot.low, high=slot.low, count=slot.count)


def _top(slot: Slot) -> float:
    """The high end as something that compares."""
    return float("inf") if slot.high is None else slot.high


def _with_count(slot: Slot, count: int) -> Slot:
    return Slot(low=slot.low, high=slot.high, count=count)


def _derive(histograms: Sequence[Histogram], slots: tuple[Slot, ...]) -> Histogram:
    first = histograms[0]
    return Histogram(
        offset=0,
        size=0,
        title=first.title if all(one.title == first.title for one in histograms) else "",
        unit=first.unit,
        slots=slots,
        time=first.time if all(one.time == first.time for one in histograms) else "",
    )
