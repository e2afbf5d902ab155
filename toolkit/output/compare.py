"""Hold two digests against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from toolkit.output.comparison import (
    Comparison,
    FramePair,
    HistogramPair,
    Measure,
    Numbers,
    RowPair,
    SlotPair,
    StackPair,
    StacksPair,
    TablePair,
    ValuePair,
)
from toolkit.output.digest import Digest, Rows, Sum, Tally
from toolkit.output.distribution import align, explain_conflict, merge, percentile, total
from toolkit.output.frames import Histogram
from toolkit.output.gather import Name, StackCounts, StackPath
from toolkit.output.roles import Role
from toolkit.output.rows import make_rows

MOST_PAIRS = 1000  # rows or stacks of one comparison
MOST_SLOTS = 1 << 12
T = TypeVar("T")


class Seconds(NamedTuple):
    """How long both runs took; 0: not known."""

    before: float
    after: float

    def factor(self, before: float | None, after: float | None) -> float | None:
        """How many times as many a second; None where one has none. Without both times, of the numbers as they are."""
        if not before or after is None:
            return None
        return after / before * (self.before / self.after if self.before > 0 and self.after > 0 else 1.0)

    def change(self, before: float, after: float) -> float:
        """How many more a second."""
        known = self.before > 0 and self.after > 0
        return after / self.after - before / self.before if known else after - before


def compare(before: Digest, after: Digest, seconds: Seconds) -> Comparison:
    """Everything that either has; what has the same name, unit and columns is held against each other."""
    return Comparison(
        histograms=tuple(_compare_histograms(before, after, seconds)),
        tables=tuple(
            _compare_tables(shape, before.tables.get(shape), after.tables.get(shape), seconds)
            for shape in _join(before.tables, after.tables)
        ),
        stacks=tuple(
            _compare_stacks(name, before.stacks.get(name, {}), after.stacks.get(name, {}), seconds)
            for name in _join(before.stacks, after.stacks)
        ),
        values=tuple(_compare_values(before, after)),
        lost=(before.lost, after.lost),
        left_out=before.left_out + after.left_out,
    )


def _join(before: Iterable[T], after: Iterable[T]) -> list[T]:
    return list(dict.fromkeys((*before, *after)))


def _compare_histograms(before: Digest, after: Digest, seconds: Seconds) -> Iterable[HistogramPair]:
    names = _join(before.histograms, after.histograms)
    pairs = [(name, before.histograms.get(name), after.histograms.get(name)) for name in names]
    if len(before.histograms) == len(after.histograms) == 1 and len(pairs) > 1:
        # One each: variants of a tool write another title above it.
        (one,), (other,) = before.histograms.items(), after.histograms.items()
        if one[0][1] == other[0][1]:
            pairs = [((f"{one[0][0]} -> {other[0][0]}", one[0][1]), one[1], other[1])]
    return [_compare_pair(name, old, new, seconds) for name, old, new in pairs]


def _compare_pair(name: Name, before: Sum | None, after: Sum | None, seconds: Seconds) -> HistogramPair:
    old, new = before.total if before else None, after.total if after else None
    numbers = tuple(_number(sums, one) for sums, one in ((before, old), (after, new)))
    shift: float | None = None
    slots: tuple[SlotPair, ...] = ()
    problem = ""
    if (before and old is None) or (after and new is None):
        problem = "the slots of its intervals cross each other"
    elif old and new:
        problem = explain_conflict((old, new))
        if not problem:
            slots = tuple(_pair_slots(old, new))
            shift = _find_shift(slots)
    return HistogramPair(
        title=name[0],
        unit=name[1],
        before=numbers[0],
        after=numbers[1],
        factor=seconds.factor(numbers[0].count, numbers[1].count) if numbers[0] and numbers[1] else None,
        shift=shift,
        slots=slots,
        problem=problem,
    )


def _number(sums: Sum | None, one: Histogram | None) -> Numbers | None:
    if sums is None or one is None:
        return None
    p50, p90, p99 = (percentile(one, q) for q in (50, 90, 99))
    return Numbers(intervals=sums.intervals, count=total(one), p50=p50, p90=p90, p99=p99)


def _pair_slots(before: Histogram, after: Histogram) -> Iterable[SlotPair]:
    """Both with the same rows, without holes."""
    aligned, summed = align((before, after)), merge((before, after))
    if aligned is None or summed is None:
        return
    counts = [{slot.low: slot.count for slot in one.slots} for one in aligned]
    rows = make_rows(summed.slots, MOST_SLOTS)
    lows = sorted({slot.low for slot in summed.slots})
    at = 0
    for number, row in enumerate(rows):
        end = rows[number + 1].low if number + 1 < len(rows) else None
        here: list[int] = []
        while at < len(lows) and (end is None or lows[at] < end):
            here += [lows[at]] if lows[at] >= row.low else []
            at += 1
        old, new = (sum(one.get(low, 0) for low in here) for one in counts)
        yield SlotPair(low=row.low, high=row.high, before=old, after=new)


def _find_shift(slots: Sequence[SlotPair]) -> float | None:
    """How far the middle of all values moved, in slots; None where one counted nothing."""
    old, new = sum(slot.before for slot in slots), sum(slot.after for slot in slots)
    if old <= 0 or new <= 0:
        return None
    moved = (at * (slot.after / new - slot.before / old) for at, slot in enumerate(slots))
    return round(sum(moved), 3)


def _compare_tables(
    shape: tuple[str, tuple[str, ...]], before: Rows | None, after: Rows | None, seconds: Seconds
) -> TablePair:
    one = before or after
    old, new = before.by_key if before else {}, after.by_key if after else {}
    columns = one.measures if one else ()
    pairs = [_compare_rows(key, old.get(key), new.get(key), columns, seconds) for key in _join(old, new)]
    pairs.sort(key=lambda pair: (-abs(pair.weight), pair.key))
    return TablePair(
        title=shape[0],
        columns=shape[1],
        keys=one.keys if one else (),
        added=len(new.keys() - old.keys()),
        gone=len(old.keys() - new.keys()),
        rows=tuple(pairs[:MOST_PAIRS]),
        more=max(len(pairs) - MOST_PAIRS, 0),
    )


def _compare_rows(
    key: tuple[str, ...],
    before: Tally | None,
    after: Tally | None,
    columns: Sequence[tuple[str, Role]],
    seconds: Seconds,
) -> RowPair:
    rows = [float(one.rows) if one else None for one in (before, after)]
    counted = Measure(name="rows", mean=False, before=rows[0], after=rows[1], factor=seconds.factor(*rows))
    measures = tuple(
        _compare_measure(name, role, _measure(before, at, role), _measure(after, at, role), seconds)
        for at, (name, role) in enumerate(columns)
    )
    # What adds up says how much of it there was; where nothing does, the number of rows.
    lead = next((one for one in measures if not one.mean), counted)
    others = tuple(one for one in (*measures, counted) if one is not lead)
    weight = seconds.change(lead.before or 0.0, lead.after or 0.0)
    return RowPair(key=key, measures=(lead, *others), weight=weight)


def _measure(tally: Tally | None, at: int, role: Role) -> float | None:
    if tally is None or not tally.counts[at]:
        return None
    return tally.sums[at] if role is Role.SUM else tally.sums[at] / tally.counts[at]


def _compare_measure(name: str, role: Role, before: float | None, after: float | None, seconds: Seconds) -> Measure:
    mean = role is Role.MEAN
    factor = _divide(after, before) if mean else seconds.factor(before, after)
    return Measure(name=name, mean=mean, before=before, after=after, factor=factor)


def _divide(after: float | None, before: float | None) -> float | None:
    return after / before if before and after is not None else None


def _compare_stacks(name: Name, before: StackCounts, after: StackCounts, seconds: Seconds) -> StacksPair:
    old = sum(count[0] for count in before.values())
    new = sum(count[0] for count in after.values())
    pairs = [
        _compare_stack(path, before.get(path, [0])[0], after.get(path, [0])[0], (old, new), seconds)
        for path in _join(before, after)
    ]
    pairs.sort(key=lambda pair: (-abs(pair.weight), pair.key, pair.frames))
    return StacksPair(
        title=name[0],
        unit=name[1],
        before=old,
        after=new,
        factor=seconds.factor(old, new),
        added=len(after.keys() - before.keys()),
        gone=len(before.keys() - after.keys()),
        frames=_compare_frames(before, after, (old, new)),
        stacks=tuple(pairs[:MOST_PAIRS]),
        more=max(len(pairs) - MOST_PAIRS, 0),
    )


def _compare_frames(before: StackCounts, after: StackCounts, totals: tuple[int, int]) -> tuple[FramePair, ...]:
    """Each function by what was counted with it anywhere in the stack, once where it calls itself."""
    counts: dict[str, list[int]] = {}
    for side, stacks in enumerate((before, after)):
        for path, (count,) in stacks.items():
            for name in set(path.frames):
                counts.setdefault(name, [0, 0])[side] += count
    pairs = [
        FramePair(name=name, before=old, after=new, weight=_weigh((old, new), totals))
        for name, (old, new) in counts.items()
    ]
    pairs.sort(key=lambda pair: (-abs(pair.weight), pair.name))
    return tuple(pairs[:MOST_PAIRS])


def _weigh(counts: tuple[int, int], totals: tuple[int, int]) -> float:
    """How much its share of all changed."""
    old, new = (count / whole if whole > 0 else 0.0 for count, whole in zip(counts, totals, strict=True))
    return new - old


def _compare_stack(path: StackPath, before: int, after: int, totals: tuple[int, int], seconds: Seconds) -> StackPair:
    return StackPair(
        key=path.key,
        frames=path.frames,
        before=before,
        after=after,
        factor=seconds.factor(before, after),
        weight=_weigh((before, after), totals),
    )


def _compare_values(before: Digest, after: Digest) -> Iterable[ValuePair]:
    for name in _join(before.values, after.values):
        tallies = (before.values.get(name), after.values.get(name))
        old, new = (tally[1] / tally[0] if tally else None for tally in tallies)
        yield ValuePair(title=name[0], name=name[1], before=old, after=new, factor=_divide(new, old))
