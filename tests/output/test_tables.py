"""Tables, as events, intervals, summaries, comma-separated, and without a header."""

from __future__ import annotations

import pytest

from tests.output import shapes
from toolkit.output.frames import Frame, Table
from toolkit.output.parse import FrameParser


def parse(data: bytes) -> tuple[Frame, ...]:
    parser = FrameParser()
    return (*parser.feed(data), *parser.finish())


def tables(data: bytes) -> list[Table]:
    return [frame for frame in parse(data) if isinstance(frame, Table)]


def test_cells_hold_spaces_and_may_be_empty_where_the_header_shows_it() -> None:
    (only,) = tables(shapes.EVENTS)
    assert only.columns == ("TIME", "COMM", "PID", "T", "OFF_KB", "LAT(ms)", "FILENAME")
    assert only.units == ("", "", "", "", "KiB", "ms", "")
    assert only.rows[1] == ("10:00:01", "Web Content", "4102", "W", "0", "0.25", "two words")
    assert only.rows[2] == ("10:00:02", "loader", "4101", "S", "0", "7.00", "")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("41     Web Content     5     /tmp/a b", "41|Web Content|5|/tmp/a b"),
        ("41     Web Content     5     /tmp/a", "41|Web Content|5|/tmp/a"),
        ("41     a b c d         5     /tmp/a", "41|a b c d|5|/tmp/a"),
        ("41     a 7             5     /tmp/a", "41|a 7|5|/tmp/a"),
        ("41     name-to-its-end 5 5   /tmp/a", "41|name-to-its-end|5|5   /tmp/a"),
    ],
)
def test_the_only_name_of_a_row_may_be_several_words(row: str, cells: str) -> None:
    (only,) = tables(f"PID    COMM            COUNT PATH\n40     dd              4     /tmp/x\n{row}\n".encode())
    assert "|".join(only.rows[1]) == cells


def test_intervals_are_tables_each_with_its_time_and_may_be_empty() -> None:
    first, second = tables(shapes.INTERVALS)
    assert (first.time, len(first.rows)) == ("10:00:01", 2)
    assert (second.time, second.rows) == ("10:00:02", ())
    assert first.columns == second.columns


def test_a_line_above_a_header_is_its_title() -> None:
    sent, received = tables(shapes.QUEUES)
    assert (sent.title, received.title) == ("TX", "RX")
    assert sent.columns == ("Queue", "avg_size", "[0, 64)", "[64, 2K)")
    assert sent.rows[-1] == ("Total", "80", "1", "20")
    assert sent.time == "Thu Sep  3 10:00:01 2026"


def test_names_of_several_words_end_where_their_numbers_do() -> None:
    (only,) = tables(shapes.LOCKS)
    assert only.columns == ("Caller", "Avg Wait", "Count", "Max wait", "Total wait")
    assert only.rows[0] == ("queue_push+0x2", "3675", "5", "5468", "18379")


def test_arrows_between_cells_are_no_cells() -> None:
    (only,) = tables(shapes.STATES)
    assert only.columns == ("ADDRESS", "C-PID", "LADDR", "OLD", "NEW", "MS")
    assert only.rows[1] == ("ffff9c01", "4101", "10.1.1.1", "SYN_SENT", "ESTABLISHED", "1.373")
    (only,) = tables(b"PID    FROM    TO    COMM\n41     0    -> 1     cat\n")
    assert only.rows == (("41", "0", "1", "cat"),)


def test_a_flow_keeps_its_depth() -> None:
    (only,) = tables(shapes.FLOW)
    assert [row[-1] for row in only.rows] == ["-> outer", "  -> inner", "  <- inner"]


def test_percentiles_stand_below_the_name_of_a_disk() -> None:
    (only,) = tables(shapes.PERCENTILES)
    assert only.columns == ("disk0", "p1", "p50", "p99")
    (only,) = tables(b"disk0      01  99.9\nread      5us 4.5ms\nflush       -     -\n")
    assert only.rows == (("read", "5us", "4.5ms"), ("flush", "-", "-"))


def test_commas_separate_all_but_the_last_cell() -> None:
    (only,) = tables(shapes.COMMAS)
    assert only.rows == (("12720071", "loader", "4101", "notes.txt"), ("12720072", "loader", "4101", "a,b.txt"))
    assert only.units == ("us", "", "", "")


def test_rows_without_a_header_have_their_time() -> None:
    (only,) = tables(shapes.TIMED)
    assert only.columns == ("TIME", "TEXT")
    assert only.rows[0] == ("10:00:01", "4101    vim      DELETE notes.swp")


def test_a_second_line_of_a_header_is_no_row() -> None:
    (only,) = tables(b"TIME(ms)  DISK ID    COMM\n          MAJ  MIN\n611       259  0     cat\n")
    assert only.columns == ("TIME(ms)", "DISK", "ID", "COMM")
    assert only.rows == (("611", "259", "0", "cat"),)


def test_a_header_that_comes_again_is_no_row() -> None:
    first, second = tables(b"PID    COMM\n1      init\nPID    COMM\n2      cron\n")
    assert (first.rows, second.rows) == ((("1", "init"),), (("2", "cron"),))


def test_rows_go_on_below_a_blank_line() -> None:
    first, second = tables(b"PID    COMM\n1      init\n\n2      cron\nand so it ends\n")
    assert (first.rows, second.rows) == ((("1", "init"),), (("2", "cron"),))


@pytest.mark.parametrize(
    "text",
    [
        b"This showed that 5 of them were slow, and\nthat 7 of all others were so\n",
        b"Tracing 5 functions for 7 processes... Hit Ctrl-C to end.\nnothing 1\n",
        b"opened 3 files\nclosed 5 files\n",
        b"READY.\n",
    ],
)
def test_prose_is_no_table(text: bytes) -> None:
    assert tables(text) == []
