"""Histograms out of tools' text, and every byte of it in exactly one frame."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.output.frames import Frame, Histogram, Slot, Text
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
    assert parse(b"PID  COMM\n1  init\n") == (Text(offset=0, size=18, lines=2),)
    assert parse(b"") == ()


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    parser = FrameParser()
    for _ in range(64):
        parser.feed(b"x" * 10_000)
    assert len(parser._rest) <= LONGEST_LINE


piece = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([TABLE, BRACKETS, b"\n", b"a = b\n", b"@x: \n", *TABLE.splitlines(True)]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(piece, max_size=12))
def test_frames_cover_every_byte_once_and_in_order_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    frames = parse(*pieces)
    at = 0
    for frame in frames:
        assert frame.offset == at
        at += frame.size
    assert at == len(whole)
    cut = [frame for frame in frames if isinstance(frame, Histogram)]
    assert cut == [frame for frame in parse(whole) if isinstance(frame, Histogram)]
