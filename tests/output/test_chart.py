"""Histograms and heat maps as lines: what they say, that they fit, and that foreign text commands no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.output.chart import Style, describe, draw_bar, draw_histogram, format_value
from toolkit.output.distribution import count_in, total
from toolkit.output.frames import OPEN_LOW, Frame, Histogram, Lost, Slot, Stack, Stacks, Table, Text, Values
from toolkit.output.heat import MOST_COLUMNS, MOST_TITLES, HeatMap, find_level, list_thresholds
from toolkit.output.rows import make_rows
from toolkit.output.sheet import draw_frame

ASCII = Style(width=60, unicode=False)


def make(*rows: tuple[int, int | None, int], title: str = "@us", unit: str = "us", time: str = "") -> Histogram:
    slots = tuple(Slot(low=low, high=high, count=count) for low, high, count in rows)
    return Histogram(offset=0, size=0, title=title, unit=unit, slots=slots, time=time)


def test_a_histogram_has_title_rows_and_percentiles() -> None:
    histogram = make((0, 1, 0), (2, 3, 1), (4, 7, 4), (8, 15, 0), (16, None, 1), (32, 63, 0), time="10:00:01")
    assert list(draw_histogram(histogram, Style(width=40, unicode=False))) == [
        "@us  10:00:01  (us)",
        "  2..3 1 |#######                      |",
        "  4..7 4 |#############################|",
        " 8..15 0 |                             |",
        "  16.. 1 |#######                      |",
        " count 6  p50 ~5.50 us  p90 >=16 us  p9~",
    ]


def test_one_that_counted_nothing_is_drawn_as_such() -> None:
    assert list(draw_histogram(make((0, 1, 0), title=""), ASCII)) == ["(us)", " count 0"]
    assert list(draw_histogram(make(title="", unit=""), ASCII)) == [" count 0"]


def test_what_is_exact_has_no_tilde_and_what_is_open_is_a_bound() -> None:
    assert describe(make((5, 5, 9), unit="")) == "count 9  p50 5  p90 5  p99 5  max 5"
    assert "p99 >=1 ms" in describe(make((0, 9, 1), (1000, None, 999)))
    assert "p50 <=-1 us" in describe(make((OPEN_LOW, -1, 5)))
    assert describe(make((0, 5, 1), (3, 9, 1))) == "count 2"  # slots that cross say no percentile


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1310, "us", "1.31 ms"),
        (999, "us", "999 us"),
        (12.34, "ms", "12.3 ms"),
        (2_500_000_000, "ns", "2.50 s"),
        (4096, "bytes", "4 KiB"),
        (1536, "KiB", "1.50 MiB"),
        (1_234_567, "", "1,234,567"),
        (7, "runqlen", "7 runqlen"),
        (0, "us", "0 us"),
        (-2000, "us", "-2 ms"),
    ],
)
def test_a_value_is_shown_in_the_unit_that_suits_it(value: float, unit: str, shown: str) -> None:
    assert format_value(value, unit) == shown


def test_a_bar_shows_a_trace_of_what_is_there_at_all() -> None:
    assert draw_bar(0.0001, 8, Style()) == "▏       "
    assert draw_bar(0.5, 8, Style()) == "████    "
    assert draw_bar(0.0001, 8, ASCII) == "#       "
    assert draw_bar(0, 8, ASCII) == " " * 8


def test_holes_are_filled_with_slots_of_the_same_kind() -> None:
    doubling = make_rows([Slot(low=4, high=7, count=1), Slot(low=32, high=63, count=1)], 64)
    assert [row.low for row in doubling] == [4, 8, 16, 32]
    linear = make_rows([Slot(low=10, high=19, count=1), Slot(low=40, high=49, count=1)], 64)
    assert [row.low for row in linear] == [10, 20, 30, 40]
    assert len(make_rows([Slot(low=0, high=0, count=1), Slot(low=1 << 60, high=1 << 60, count=1)], 64)) == 3


def test_too_many_rows_are_joined_exactly() -> None:
    rows = make_rows([Slot(low=at, high=at, count=1) for at in range(100)], 30)
    assert (rows[0], len(rows)) == (Slot(low=0, high=3, count=4), 25)


def test_a_heat_map_begins_with_the_second_interval() -> None:
    heat = HeatMap()
    heat.add(make((0, 1, 1)))
    assert heat.draw(ASCII, 20) == ()
    heat.add(make((0, 1, 1), (2, 3, 100)))
    assert heat.draw(ASCII, 20) == (
        "",
        "@us  2 intervals  (us)",
        " 2..3 | #|",
        " 0..1 |..|",
        "       . 1+  : 3+  + 10+  # 32+",
    )


def test_a_title_that_misses_an_interval_leaves_its_column_empty() -> None:
    heat = HeatMap()
    for time, titles in (("1", "ab"), ("2", "a"), ("3", "ab")):
        for title in titles:
            heat.add(make((0, 1, 5), title=title, time=time))
    lines = heat.draw(ASCII, 40)
    assert [line for line in lines if "|" in line] == [" 0..1 |###|", " 0..1 |# #|"]


def test_slots_that_cross_are_said_not_to_join() -> None:
    heat = HeatMap()
    for low, high in ((0, 5), (3, 9), (0, 5)):
        heat.add(make((low, high, 5)))
    assert heat.draw(ASCII, 20) == (
        "",
        "@us: no heat map, its histograms have slots that cross each~",
    )


def test_many_intervals_and_titles_stay_bounded() -> None:
    heat = HeatMap()
    for _ in range(MOST_COLUMNS * 3):
        heat.add(make((0, 1, 1)))
    (series,) = heat._series.values()
    assert (len(series.columns), series.each, series.count) == (MOST_COLUMNS * 3 // 4, 4, MOST_COLUMNS * 3)
    assert heat.draw(ASCII, 20)[1].startswith("@us  1536 intervals, 32 in a column")
    for number in range(MOST_TITLES * 2):
        heat.add(make((0, 1, 1), title=f"@[{number}]"))
    assert len(heat._series) == MOST_TITLES


def test_the_maps_fit_into_the_height() -> None:
    heat = HeatMap()
    for _ in range(3):
        for title in "abcdefgh":
            heat.add(make(*((1 << at, (2 << at) - 1, 5) for at in range(30)), title=title))
    for height in (0, 6, 7, 20, 50, 100):
        assert len(heat.draw(ASCII, height)) <= height


def test_shades_stand_for_multiples() -> None:
    assert list_thresholds(10_000) == [(1, 1), (2, 10), (3, 100), (4, 1000)]
    assert [find_level(count, 10_000) for count in (0, 1, 9, 10, 999, 1000, 10_000)] == [0, 1, 1, 2, 3, 4, 4]
    assert list_thresholds(1) == [(4, 1)]
    assert list_thresholds(0) == []


def test_colour_is_only_where_it_is_wanted() -> None:
    heat = HeatMap()
    heat.add(make((0, 1, 1)))
    heat.add(make((0, 1, 9)))
    assert any("\x1b[38;5;" in line for line in heat.draw(Style(colour=True), 20))
    assert not any("\x1b" in line for line in heat.draw(Style(), 20))
    assert all(line.isascii() for line in heat.draw(ASCII, 20))


EVIL = "@\x1b]0;x\x07[\nb\x9b]"
FRAMES: tuple[Frame, ...] = (
    make((0, 1, 1), title=EVIL, unit=EVIL, time=EVIL),
    Table(offset=0, size=0, title=EVIL, columns=("key", EVIL), rows=((EVIL, "1"), ("b",))),
    Stacks(offset=0, size=0, title=EVIL, stacks=(Stack(frames=(EVIL, "b"), count=3, key=EVIL),)),
    Values(offset=0, size=0, title="", pairs=((EVIL, EVIL),)),
    Text(offset=0, size=0, lines=2, text=f"a\n{EVIL}\n"),
    Lost(offset=0, size=0, count=5),
)


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_no_frame_commands_a_terminal(frame: Frame) -> None:
    lines = list(draw_frame(frame, Style()))
    assert lines
    assert all(line.isprintable() for line in lines)


def test_data_is_shown_as_an_engine_would_print_it() -> None:
    table = Table(offset=0, size=0, title="@m", columns=("key", "value"), rows=(("bash", "5"), ("sh", "12")))
    assert list(draw_frame(table, Style())) == ["@m", "key   value", "bash      5", "sh       12"]
    stacks = Stacks(offset=0, size=0, title="@", stacks=(Stack(frames=("main", "f"), count=3, key="bash"),))
    assert list(draw_frame(stacks, Style())) == ["@", "bash;main;f 3"]
    assert list(draw_frame(Text(offset=0, size=9, lines=2, text="a\tb\nc\n"), Style())) == ["a       b", "c"]
    assert list(draw_frame(Text(offset=0, size=9, lines=2), Style())) == []


counts = st.integers(0, 10**9)
drawn = st.lists(st.tuples(st.integers(-100, 1 << 40), st.none() | st.integers(-100, 1 << 40), counts), max_size=9)


@given(drawn, st.integers(1, 200), st.booleans())
def test_whatever_the_slots_lines_fit(rows: list[tuple[int, int | None, int]], width: int, unicode: bool) -> None:
    for line in draw_histogram(make(*rows), Style(width=width, unicode=unicode)):
        assert len(line) <= width
        assert unicode or line.isascii()


@given(st.lists(st.tuples(st.integers(0, 30), counts), max_size=9), st.integers(1, 40))
def test_rows_keep_the_count(slots: list[tuple[int, int]], most: int) -> None:
    unique = sorted(dict(slots).items())
    histogram = make(*((1 << power, (2 << power) - 1, count) for power, count in unique))
    rows = make_rows(histogram.slots, most)
    assert len(rows) <= most
    assert sum(row.count for row in rows) == total(histogram)
    assert count_in(histogram, rows) == [row.count for row in rows]
