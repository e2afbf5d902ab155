"""Two runs side by side: what is added up, what tells rows apart, rates where times differ, and how far slots moved."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.output.compare import Seconds, compare
from toolkit.output.comparison import Comparison
from toolkit.output.digest import Digest
from toolkit.output.frames import Frame, Histogram, Lost, Slot, Stack, Stacks, Table, Text, Values
from toolkit.output.gather import Room, gather
from toolkit.output.roles import Role, find_roles

SAME = Seconds(10.0, 10.0)


def make_histogram(*counts: int, title: str = "", unit: str = "us", first: int = 1) -> Histogram:
    slots = tuple(Slot(low=first << at, high=(first << at + 1) - 1, count=count) for at, count in enumerate(counts))
    return Histogram(offset=0, size=0, title=title, unit=unit, slots=slots)


def make_table(columns: str, *rows: str, title: str = "") -> Table:
    cells = tuple(tuple(row.split()) for row in rows)
    return Table(offset=0, size=0, title=title, columns=tuple(columns.split()), rows=cells)


def make_stacks(**counts: int) -> Stacks:
    stacks = tuple(Stack(frames=tuple(name.split("_")), count=count, key="app") for name, count in counts.items())
    return Stacks(offset=0, size=0, title="@", stacks=stacks)


def make_values(**values: str) -> Values:
    return Values(offset=0, size=0, title="", pairs=tuple(values.items()))


def hold(before: Sequence[Frame], after: Sequence[Frame], seconds: Seconds = SAME) -> Comparison:
    old = Digest()
    for frame in before:
        gather(frame, old)
    new = Digest(old.roles)
    for frame in after:
        gather(frame, new)
    return compare(old, new, seconds)


def test_a_key_that_is_a_number_tells_rows_apart() -> None:
    (table,) = hold([make_table("key value", "0 5", "257 9")], [make_table("key value", "0 5", "1 9")]).tables
    assert (table.keys, table.added, table.gone) == (("key",), 1, 1)


def test_intervals_add_up_and_a_shift_is_told_in_slots() -> None:
    before = [make_histogram(10, 20, 10), make_histogram(10, 20, 10)]
    (pair,) = hold(before, [make_histogram(0, 20, 40, 20)]).histograms
    assert pair.before is not None
    assert pair.after is not None
    assert (pair.before.intervals, pair.before.count, pair.after.count) == (2, 80, 80)
    assert pair.shift == pytest.approx(1.0)
    assert pair.factor == pytest.approx(1.0)
    assert [(slot.before, slot.after) for slot in pair.slots] == [(20, 0), (40, 20), (20, 40), (0, 20)]
    assert pair.after.p50 is not None
    assert pair.before.p50 is not None
    assert pair.after.p50 > pair.before.p50


def test_a_hole_between_slots_counts_as_slots() -> None:
    (pair,) = hold([make_histogram(5)], [make_histogram(5, first=16)]).histograms
    assert pair.shift == pytest.approx(4.0)
    assert [slot.low for slot in pair.slots] == [1, 2, 4, 8, 16]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_no_value_is_lost_in_a_comparison(old: list[int], new: list[int]) -> None:
    (pair,) = hold([make_histogram(*old)], [make_histogram(*new)]).histograms
    assert sum(slot.before for slot in pair.slots) == sum(old)
    assert sum(slot.after for slot in pair.slots) == sum(new)


def test_what_does_not_compare_says_why() -> None:
    units = hold(
        [make_histogram(1, title="a"), make_histogram(1, title="b")], [make_histogram(1, title="a", unit="ns")]
    )
    assert [(pair.title, pair.before is None, pair.after is None) for pair in units.histograms] == [
        ("a", False, True),
        ("b", False, True),
        ("a", True, False),
    ]
    crossing = Histogram(offset=0, size=0, title="", unit="us", slots=(Slot(low=1, high=2, count=1),))
    (pair,) = hold([make_histogram(0, 5)], [crossing]).histograms
    assert "cross" in pair.problem
    assert pair.shift is None


def test_one_histogram_each_compares_whatever_stands_above_it() -> None:
    (pair,) = hold([make_histogram(1, title="@usecs")], [make_histogram(3)]).histograms
    assert pair.title == "@usecs -> "
    assert pair.factor == pytest.approx(3.0)


def test_other_times_make_rates() -> None:
    (pair,) = hold([make_histogram(10)], [make_histogram(60)], Seconds(1.0, 2.0)).histograms
    assert pair.factor == pytest.approx(3.0)
    (pair,) = hold([make_histogram(10)], [make_histogram(60)], Seconds(0.0, 2.0)).histograms
    assert pair.factor == pytest.approx(6.0)


def test_columns_tell_rows_apart_add_up_or_have_a_mean() -> None:
    columns = "TIME COMM PID DISK T BYTES LAT(ms) ERR"
    rows = [row.split() for row in ("10:00:01 dd 77 sda R 4096 0.21 0", "10:00:02 cp 9 sdb W 512 - 2")]
    roles = dict(zip(columns.split(), find_roles(columns.split(), rows), strict=True))
    assert {name for name, role in roles.items() if role is Role.KEY} == {"COMM", "DISK", "T", "ERR"}
    assert {name for name, role in roles.items() if role is Role.PASSING} == {"TIME", "PID"}
    assert (roles["BYTES"], roles["LAT(ms)"]) == (Role.SUM, Role.MEAN)
    assert find_roles(("READ/s", "READS", "CACHED_MB"), (("1", "2", "3"),)) == (Role.MEAN, Role.SUM, Role.MEAN)


def test_a_column_of_numbers_with_some_unknown_is_one_of_numbers() -> None:
    assert find_roles(("LAT(ms)", "NAME"), [("-", "1"), ("0.3", "x"), ("?", "2")]) == (Role.MEAN, Role.KEY)


def test_rows_with_the_same_key_are_held_together_whatever_their_pid() -> None:
    columns = "PID COMM LAT(ms)"
    before = [make_table(columns, "1 dd 2", "2 dd 4", "3 cp 1")]
    after = [make_table(columns, "7 dd 30"), make_table(columns, "8 dd 30", "9 dd 30", "9 mv 1")]
    (pair,) = hold(before, after).tables
    assert (pair.keys, pair.added, pair.gone) == (("COMM",), 1, 1)
    rows = {row.key[0]: row for row in pair.rows}
    assert [(one.name, one.before, one.after) for one in rows["dd"].measures] == [
        ("rows", 2.0, 3.0),
        ("LAT(ms)", 3.0, 30.0),
    ]
    assert rows["cp"].measures[0].after is None


def test_what_changed_most_comes_first() -> None:
    before = [make_table("COMM COUNT", "a 100", "b 10", "c 5")]
    (pair,) = hold(before, [make_table("COMM COUNT", "a 101", "b 90", "c 5")]).tables
    assert [row.key for row in pair.rows] == [("b",), ("a",), ("c",)]
    assert pair.rows[0].measures[0].factor == pytest.approx(9.0)


def test_stacks_compare_by_share_and_tell_which_functions_grew() -> None:
    (pair,) = hold([make_stacks(main_read=50, main_write=50)], [make_stacks(main_read=30, main_fsync=70)]).stacks
    assert (pair.added, pair.gone) == (1, 1)
    assert pair.stacks[0].frames == ("main", "fsync")
    assert pair.stacks[0].weight == pytest.approx(0.7)
    frames = {frame.name: frame.weight for frame in pair.frames}
    assert frames["main"] == pytest.approx(0.0)
    assert frames["fsync"] == pytest.approx(0.7)


def test_a_function_that_calls_itself_counts_once() -> None:
    (pair,) = hold([make_stacks(f_f_f=5)], [make_stacks(f_f_f=5)]).stacks
    assert [(frame.name, frame.before) for frame in pair.frames] == [("f", 5)]


def test_the_pid_behind_a_process_is_no_difference() -> None:
    before = Stacks(offset=0, size=0, title="", stacks=(Stack(frames=("f",), count=1, key="tar [77]"),))
    after = Stacks(offset=0, size=0, title="", stacks=(Stack(frames=("f",), count=1, key="tar [9]"),))
    (pair,) = hold([before], [after]).stacks
    assert [(one.key, one.before, one.after) for one in pair.stacks] == [("tar", 1, 1)]


def test_values_have_a_mean_and_losses_are_told() -> None:
    before: list[Frame] = [make_values(x="4", y="text"), make_values(x="6 ms"), Lost(offset=0, size=0, count=3)]
    found = hold(before, [make_values(x="10", z="1"), Text(offset=0, size=1, lines=1)])
    assert [(one.name, one.before, one.after) for one in found.values] == [("x", 5.0, 10.0), ("z", None, 1.0)]
    assert found.lost == (3, 0)


def test_there_is_room_for_so_much_and_the_rest_is_counted() -> None:
    room = Room(2)
    known: dict[int, int] = {}
    assert [room.find(known, key, lambda: 7) for key in (1, 2, 3, 1)] == [7, 7, None, 7]
    assert room.left_out == 1
