"""A stream with pauses: what is pending is handed on, and the bytes stay where they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.output.frames import Frame, Histogram, Text
from toolkit.output.parser import Stream
from toolkit.runs import Form

TABLE = b"     usecs   : count    distribution\n     0 -> 1   : 3        |****  |\n"
LINE = b'{"type": "hist", "data": {"@": [{"min": 0, "max": 1, "count": 3}]}}\n'
SPOKEN = b'{"type": "printf", "data": "half a line"}\n'


def test_a_histogram_is_complete_after_a_pause() -> None:
    stream = Stream(Form.TEXT)
    frames: list[Frame] = []
    for data in (TABLE, b"\n" + TABLE):
        frames += stream.feed(data)
        frames += stream.pause()
    frames += stream.finish()
    assert [type(frame) for frame in frames] == [Histogram, Text, Histogram]
    assert [frame.offset for frame in frames] == [0, len(TABLE), len(TABLE) + 1]


def test_a_pause_with_nothing_pending_forgets_nothing() -> None:
    stream = Stream(Form.TEXT)
    stream.feed(b"hello\n")
    parser = stream._parser
    assert stream.pause() == ()
    assert stream._parser is parser


@pytest.mark.parametrize("form", list(Form))
@settings(deadline=None)
@given(st.lists(st.sampled_from([b"", TABLE, LINE, SPOKEN, b"text\n", b"half"]), max_size=9))
def test_frames_cover_every_byte_whenever_it_pauses(form: Form, pieces: list[bytes]) -> None:
    stream = Stream(form)
    frames = [frame for piece in pieces for frame in (*stream.feed(piece), *(() if piece else stream.pause()))]
    frames += stream.finish()
    at = 0
    for frame in frames:
        assert frame.offset == at
        at += frame.size
    assert at == len(b"".join(pieces))
