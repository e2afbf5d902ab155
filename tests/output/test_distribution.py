"""Histograms add in any order, keep their counts, and say nothing that their slots do not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.output.distribution import (
    align,
    difference,
    explain_conflict,
    join_slots,
    locate,
    merge,
    percentile,
    total,
)
from toolkit.output.frames import OPEN_LOW, Histogram, Slot


def make(*rows: tuple[int, int | None, int], unit: str = "us", title: str = "@") -> Histogram:
    slots = tuple(Slot(low=low, high=high, count=count) for low, high, count in rows)
    return Histogram(offset=7, size=9, title=title, unit=unit, slots=slots)


def rows(histogram: Histogram | None) -> list[tuple[int, int | None, int]]:
    assert histogram is not None
    return [(slot.low, slot.high, slot.count) for slot in histogram.slots]


def counted(histogram: Histogram | None) -> list[tuple[int, int | None, int]]:
    return [row for row in rows(histogram) if row[2]]


BCC = make((0, 1, 3), (2, 3, 0), (4, 7, 27))
BPFTRACE = make((0, 0, 1), (1, 1, 1), (2, 3, 5), (4, 7, 0), (8, 15, 1))


def test_equal_slots_add() -> None:
    assert rows(merge([BCC, BCC])) == [(0, 1, 6), (2, 3, 0), (4, 7, 54)]


def test_a_wider_slot_takes_in_the_narrow_ones_that_it_holds() -> None:
    assert rows(merge([BCC, BPFTRACE])) == [(0, 1, 5), (2, 3, 5), (4, 7, 27), (8, 15, 1)]
    linear = make((0, 9, 1), (10, 19, 2), (20, None, 4))
    assert rows(merge([linear, make((0, 9, 1), (20, 29, 1), (30, None, 1))])) == [(0, 9, 2), (10, 19, 2), (20, None, 6)]


def test_slots_that_cross_and_other_units_are_refused() -> None:
    crossing = make((3, 5, 1))
    assert merge([BCC, crossing]) is None
    assert difference(BCC, crossing) is None
    assert align([BCC, crossing]) is None
    assert explain_conflict([BCC, crossing]) == "their slots cross each other"
    assert merge([BCC, make((0, 1, 1), unit="ms")]) is None
    assert explain_conflict([BCC, make((0, 1, 1), unit="")]) == "their units differ: none, us"
    assert merge([]) is None
    assert explain_conflict([BCC, BPFTRACE]) == ""


def test_an_empty_slot_binds_nothing() -> None:
    assert rows(merge([make((2, 3, 0)), make((3, 5, 1))])) == [(3, 5, 1)]
    assert rows(merge([make((0, 3, 0)), make((2, 3, 0), (4, 5, 1))])) == [(0, 3, 0), (4, 5, 1)]


def test_a_sum_keeps_title_and_time_where_all_agree() -> None:
    one = merge([BCC, make((0, 1, 1), title="@")])
    other = merge([BCC, make((0, 1, 1), title="@b")])
    assert (one and one.title, one and one.offset, one and one.size) == ("@", 0, 0)
    assert other
    assert other.title == ""


def test_a_difference_is_signed_and_has_every_slot() -> None:
    assert rows(difference(make((0, 1, 5), (2, 3, 1)), make((0, 0, 2), (4, 7, 9)))) == [
        (0, 1, -3),
        (2, 3, -1),
        (4, 7, 9),
    ]


def test_aligned_histograms_have_the_same_slots() -> None:
    aligned = align([BCC, BPFTRACE])
    assert aligned is not None
    assert [rows(one) for one in aligned] == [
        [(0, 1, 3), (2, 3, 0), (4, 7, 27), (8, 15, 0)],
        [(0, 1, 2), (2, 3, 5), (4, 7, 0), (8, 15, 1)],
    ]


def test_a_percentile_is_interpolated_inside_its_slot() -> None:
    assert percentile(make((10, 20, 100)), 50) == 15
    assert percentile(make((10, 20, 100)), 0) == 10
    assert percentile(make((10, 20, 100), (30, 40, 0)), 100) == 20
    assert percentile(make((5, 5, 3)), 99) == 5
    assert percentile(make((0, 9, 90), (10, 19, 10)), 95) == 14.5
    assert locate(make((0, 9, 90), (10, 19, 10)), 90.1) == Slot(low=10, high=19, count=10)


def test_what_is_unknown_is_none() -> None:
    opened = make((OPEN_LOW, -1, 1), (0, 9, 98), (10, None, 1))
    assert percentile(opened, 0.5) is None
    assert percentile(opened, 50) == pytest.approx(4.5)
    assert percentile(opened, 99.5) is None
    assert locate(opened, 99.5) == Slot(low=10, high=None, count=1)
    assert percentile(make(), 50) is None
    assert percentile(make((0, 1, 0)), 50) is None
    assert percentile(make((0, 1, -1), (2, 3, 5)), 50) is None
    assert percentile(make((0, 5, 1), (3, 9, 1)), 50) is None


def test_a_percentile_is_a_percentage() -> None:
    with pytest.raises(ValueError, match="101"):
        percentile(BCC, 101)


# Slots of one family never cross: powers of two, and finer or coarser cuts of them; below zero and above, open ends.
counts = st.integers(0, 1 << 40)


@st.composite
def nested(draw: st.DrawFn) -> Histogram:
    bits = draw(st.integers(0, 2))
    found: list[tuple[int, int | None, int]] = []
    if draw(st.booleans()):
        found.append((OPEN_LOW, -1, draw(counts)))
    for power in sorted(draw(st.sets(st.integers(2, 12), max_size=6))):
        low, width = 1 << power, (1 << power) >> bits
        found += [(low + i * width, low + (i + 1) * width - 1, draw(counts)) for i in range(1 << bits)]
    if draw(st.booleans()):
        found.append((1 << draw(st.integers(13, 15)), None, draw(counts)))
    return make(*found)


@given(nested(), nested(), nested())
def test_merging_is_associative_and_commutative_and_keeps_counts(a: Histogram, b: Histogram, c: Histogram) -> None:
    whole = merge([a, b, c])
    assert whole is not None
    assert total(whole) == total(a) + total(b) + total(c)
    left, right = merge([a, b]), merge([b, c])
    assert left
    assert right
    assert counted(merge([left, c])) == counted(merge([a, right])) == counted(whole)
    assert counted(merge([c, b, a])) == counted(whole)
    assert counted(merge([b, a])) == counted(left)


@given(nested(), nested())
def test_a_difference_added_again_gives_what_was_after(before: Histogram, after: Histogram) -> None:
    change = difference(before, after)
    aligned = align([before, after])
    assert change
    assert aligned
    assert total(change) == total(after) - total(before)
    again = [old.count + more.count for old, more in zip(aligned[0].slots, change.slots, strict=True)]
    assert again == [slot.count for slot in aligned[1].slots]


any_slots = st.lists(
    st.builds(Slot, low=st.integers(-50, 50), high=st.none() | st.integers(-50, 50), count=st.integers(0, 9)),
    max_size=8,
)


@given(any_slots)
def test_joined_slots_share_no_value_and_lose_no_count(slots: list[Slot]) -> None:
    joined = join_slots(slots)
    if joined is None:
        return
    assert sum(slot.count for slot in joined) == sum(slot.count for slot in slots)
    tops = [math.inf if slot.high is None else max(slot.low, slot.high) for slot in joined]
    assert all(top < after.low for top, after in zip(tops, joined[1:], strict=False))


@given(any_slots, any_slots)
def test_the_order_of_merging_decides_nothing_whatever_the_slots(one: list[Slot], other: list[Slot]) -> None:
    a, b = (make(*((slot.low, slot.high, slot.count) for slot in slots)) for slots in (one, other))
    assert merge([a, b]) == merge([b, a])


@given(nested(), st.lists(st.floats(0, 100), min_size=2, max_size=8))
def test_percentiles_are_monotone_and_inside_their_slots(histogram: Histogram, asked: list[float]) -> None:
    values = [(q, percentile(histogram, q), locate(histogram, q)) for q in sorted(asked)]
    known = [value for _, value, _ in values if value is not None]
    assert known == sorted(known)
    for _, value, slot in values:
        assert (slot is None) == (total(histogram) == 0)
        if value is not None:
            assert slot
            assert slot.high is not None
            assert slot.low <= value <= slot.high
