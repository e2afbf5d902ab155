"""Histograms out of tools' text, and every byte of it in exactly one frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.output.shapes import SHAPES
from toolkit.output.frames import Frame, Histogram, Lost, Slot, Stacks, Table, Text, Values
from toolkit.output.parse import LONGEST_LINE, FrameParser

TABLE = (
    b"     usecs               : count    distribution\n"
    b"         0 -> 1          : 3        |****                                    |\n"
    b"         2 -> 3          : 0        |                                        |\n"
    b"         4 -> 7          : 27       |****************************************|\n"
)
BRACKETS = (
    b"@usecs[dm-0]: \n"
    b"(..., 0)               1 |@                                                   |\n"
    b"[0]                    2 |@@                                                  |\n"
    b"[1]                    4 |@@@@                                                |\n"
    b"[2, 4)                52 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
    b"[512K, 1M)            12 |@@@@@@@@@@@@                                        |\n"
    b"[1M, ...)              1 |@                                                   |\n"
)


def parse(*pieces: bytes) -> tuple[Frame, ...]:
    parser = FrameParser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    return (*frames, *parser.finish())


def histograms(data: bytes) -> list[Histogram]:
    return [frame for frame in parse(data) if isinstance(frame, Histogram)]


def test_a_bcc_histogram_has_unit_and_slots() -> None:
    assert histograms(TABLE) == [
        Histogram(
            offset=0,
            size=len(TABLE),
            title="",
            unit="us",
            slots=(Slot(low=0, high=1, count=3), Slot(low=2, high=3, count=0), Slot(low=4, high=7, count=27)),
        )
    ]


def test_a_section_title_belongs_to_the_histogram_below_it() -> None:
    text = b"Tracing... Hit Ctrl-C to end.\n\ndisk = b'vda'\n" + TABLE
    first, second = parse(text)
    assert isinstance(first, Text)
    assert isinstance(second, Histogram)
    assert second.title == "disk = b'vda'"
    assert text[second.offset :].startswith(b"disk = ")


def test_a_bpftrace_histogram_has_inclusive_ends_and_full_numbers() -> None:
    (only,) = histograms(BRACKETS)
    assert only.title == "@usecs[dm-0]"
    assert only.slots == (
        Slot(low=-(1 << 63), high=-1, count=1),
        Slot(low=0, high=0, count=2),
        Slot(low=1, high=1, count=4),
        Slot(low=2, high=3, count=52),
        Slot(low=512 << 10, high=(1 << 20) - 1, count=12),
        Slot(low=1 << 20, high=None, count=1),
    )


def test_a_linear_histogram_is_read() -> None:
    header = b"     runqlen       : count     distribution\n"
    text = header + b"        0          : 1068     |****|\n        1          : 642      |***  |\n"
    (only,) = histograms(text)
    assert (only.unit, [slot.low for slot in only.slots]) == ("runqlen", [0, 1])


def test_two_intervals_are_two_histograms_with_text_between() -> None:
    kinds = [type(frame) for frame in parse(b"10:00:01\n" + TABLE + b"\n10:00:02\n" + TABLE)]
    assert kinds == [Text, Histogram, Text, Histogram]


def test_a_histogram_is_complete_as_soon_as_something_else_follows() -> None:
    parser = FrameParser()
    assert not any(isinstance(frame, Histogram) for frame in parser.feed(TABLE))
    assert any(isinstance(frame, Histogram) for frame in parser.feed(b"\n"))


def test_what_is_not_understood_is_text() -> None:
    assert parse(b"all is well\nand so on\n") == (Text(offset=0, size=22, lines=2),)
    assert parse(b"") == ()


def test_the_time_above_goes_into_the_frames_below() -> None:
    for line, time in (
        (b"10:00:01", "10:00:01"),
        (b"[10:00:01]", "10:00:01"),
        (b"10:00:01 loadavg: 0.10 0.20 0.30 1/99 1234", "10:00:01"),
        (b"[03/05/18 22:32:47]", "03/05/18 22:32:47"),
        (b"Thu Sep 10 11:28:39 2020", "Thu Sep 10 11:28:39 2020"),
        (b"2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        (b"Time: 10:00:01 PM", "10:00:01 PM"),
        (b"----- 10:00:01 -----", "10:00:01"),
    ):
        text, first, _, second = parse(line + b"\n" + TABLE + b"\n" + TABLE)
        assert isinstance(text, Text)
        assert isinstance(first, Histogram)
        assert isinstance(second, Histogram)
        assert (first.time, second.time) == (time, time)


def test_what_was_lost_is_counted_in_the_words_of_each_engine() -> None:
    for line, count in (
        (b"Possibly lost 12 samples\n", 12),
        (b"lost 3 events on CPU #2!\n", 3),
        (b"Lost 5 events on CPU #0!\n", 5),
        (b"Lost 1023 events\n", 1023),
        (b"WARNING: Lost 7 events\n", 7),
    ):
        assert parse(line) == (Lost(offset=0, size=len(line), count=count),)
    assert parse(b"Lost the way 5 times\n") == (Text(offset=0, size=21, lines=1),)


def test_a_table_goes_on_after_what_was_lost() -> None:
    first, lost, second = parse(b"PID    COMM   ARGS\n1      init   a\nLost 5 events\n2      cron   b c\n")
    assert isinstance(lost, Lost)
    assert isinstance(first, Table)
    assert isinstance(second, Table)
    assert (first.columns, second.columns) == (("PID", "COMM", "ARGS"),) * 2
    assert second.rows == (("2", "cron", "b c"),)


def test_rows_are_handed_on_with_the_piece_that_completes_them() -> None:
    parser = FrameParser()
    assert parser.feed(b"PID    COMM\n") == ()
    (frame,) = parser.feed(b"12     cat\n13     d")
    assert frame == Table(offset=0, size=23, title="", columns=("PID", "COMM"), rows=(("12", "cat"),))
    (frame,) = parser.feed(b"og\n")
    assert frame == Table(offset=23, size=11, title="", columns=("PID", "COMM"), rows=(("13", "dog"),))


def test_a_pause_completes_a_histogram_and_keeps_a_header() -> None:
    parser = FrameParser()
    parser.feed(TABLE)
    (frame,) = parser.settle()
    assert isinstance(frame, Histogram)
    parser.feed(b"PID    COMM\n")
    assert parser.settle() == ()
    (frame,) = parser.feed(b"12     cat\n")
    assert isinstance(frame, Table)


def test_what_is_passed_over_says_so_and_reading_goes_on_behind_it() -> None:
    parser = FrameParser()
    frames = [*parser.feed(b"PID    COMM\n1      init\nhalf"), *parser.pass_over(b" of it\n2      cron\n3")]
    frames += [*parser.pass_over(b"     x"), *parser.feed(b" y\n4      cat\n"), *parser.finish()]
    table, unread, rest, again = frames
    assert isinstance(table, Table)
    assert unread == Text(offset=24, size=30, lines=0, unread=True)
    assert rest == Text(offset=54, size=3, lines=1)
    assert isinstance(again, Table)
    assert again.rows == (("4", "cat"),)


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    parser = FrameParser()
    for _ in range(64):
        parser.feed(b"x" * 10_000)
        assert parser._held <= LONGEST_LINE
    assert sum(frame.size for frame in (*parser.feed(b"\nPID COMM\n"), *parser.finish())) <= LONGEST_LINE + 20


def test_a_flood_is_not_kept() -> None:
    parser = FrameParser()
    for data in (TABLE[50:] * 99, b"[1]    5 |@@|\n" * 2000, b"  frame\n" * 2000, b"@[\n" + b"  f+1\n" * 2000):
        for _ in range(20):
            parser.feed(data)
        block = parser._block
        kept = [value for value in vars(block).values() if isinstance(value, list)] if block else []
        assert all(len(value) <= 4097 for value in kept)


def test_a_payload_is_not_searched() -> None:
    row = b"READ/RECV    0.1         curl      123    44\n"
    header = b"FUNC         TIME(s)     COMM      PID    LEN\n"
    body = b"----- DATA -----\nContent-Length: 5\nPID COMM\n1 x\n----- END DATA -----\n\n"
    kinds = [type(frame) for frame in parse(header + row + body + row + body)]
    assert kinds == [Table, Text, Table, Text]


piece = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([TABLE, BRACKETS, b"\n", b"a = b\n", b"@x: \n", *TABLE.splitlines(True)]),
    st.sampled_from(SHAPES),
    st.sampled_from([line for shape in SHAPES for line in shape.splitlines(True)]),
    st.sampled_from(SHAPES).flatmap(lambda shape: st.integers(0, len(shape)).map(lambda at: shape[:at])),
)


def read(pieces: Sequence[bytes], actions: Sequence[str] = ()) -> list[Frame]:
    parser = FrameParser()
    frames: list[Frame] = []
    for at, data in enumerate(pieces):
        action = actions[at % len(actions)] if actions else "feed"
        frames += parser.pass_over(data) if action == "pass" else parser.feed(data)
        frames += parser.settle() if action == "settle" else ()
    return [*frames, *parser.finish()]


def check_cover(frames: Sequence[Frame], whole: bytes) -> None:
    at = 0
    for frame in frames:
        assert (frame.offset, frame.size > 0) == (at, True)
        at += frame.size
        if isinstance(frame, Table):
            assert {len(row) for row in frame.rows} <= {len(frame.columns)}
    assert at == len(whole)


def join(frames: Sequence[Frame]) -> list[Frame]:
    """The frames as if all had come in one piece."""
    joined: list[Any] = []
    for frame in frames:
        last: Any = joined[-1] if joined else None
        lists = {Table: "rows", Values: "pairs", Stacks: "stacks", Text: "lines"}
        name = lists.get(type(frame), "")
        more = getattr(frame, name, ())
        names = [field for field in frame.__struct_fields__ if field not in ("offset", "size", name)]
        if name and type(last) is type(frame) and all(getattr(last, f) == getattr(frame, f) for f in names):
            size = last.size + frame.size
            joined[-1] = msgspec.structs.replace(last, size=size, **{name: getattr(last, name) + more})
        else:
            joined.append(frame)
    return joined


@settings(max_examples=300, deadline=None)
@given(st.lists(piece, max_size=12), st.lists(st.sampled_from(["feed", "settle", "pass"]), max_size=5))
def test_frames_cover_every_byte_once_and_in_order(pieces: list[bytes], actions: list[str]) -> None:
    check_cover(read(pieces, actions), b"".join(pieces))


@settings(max_examples=300, deadline=None)
@given(st.lists(piece, max_size=12).map(b"".join), st.lists(st.integers(0, 2000), max_size=12).map(sorted))
def test_frames_are_the_same_however_the_stream_is_cut(whole: bytes, cuts: list[int]) -> None:
    pieces = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    frames = read(pieces)
    check_cover(frames, whole)
    assert join(frames) == join(read([whole]))


@pytest.mark.parametrize("size", [1, 7, 64])
def test_each_shape_is_the_same_in_small_pieces(size: int) -> None:
    whole = b"\n".join(SHAPES)
    assert join(read([whole[at : at + size] for at in range(0, len(whole), size)])) == join(read([whole]))
