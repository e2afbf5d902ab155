"""A recording as JSON lines: the run, each frame with its time, what it said on stderr, costs, and the result."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from toolkit.model import Value
from toolkit.output.frames import Frame, Text
from toolkit.recordings.content import Excerpts, read_costs, read_frames
from toolkit.recordings.layout import STREAMS, Recording, RunRecord
from toolkit.recordings.replay import Step, read_pieces
from toolkit.runs import Cost, Result

SHAPE = 1
CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")  # that JSON lets stand as they are, and some terminals obey


class RunEvent(Value, frozen=True, tag_field="event", tag="run", omit_defaults=False):
    """The first line."""

    shape: int
    run: RunRecord


class FrameEvent(Value, frozen=True, tag_field="event", tag="frame", omit_defaults=False):
    """A piece of stdout; a text says what it holds. `seconds` after the start its last byte came."""

    seconds: float
    frame: Frame


class OutputEvent(Value, frozen=True, tag_field="event", tag="output", omit_defaults=False):
    """A piece of stdout or stderr; bytes that are no UTF-8 are replaced."""

    seconds: float
    stream: str
    text: str


class CostEvent(Value, frozen=True, tag_field="event", tag="cost", omit_defaults=False):
    """A sample of the meter."""

    cost: Cost


class ResultEvent(Value, frozen=True, tag_field="event", tag="result", omit_defaults=False):
    """The last line; null: the run goes on, its launcher died, or `problem` says why it is not known."""

    result: Result | None
    problem: str


def export(recording: Recording) -> Iterator[bytes]:
    """One object a line. Raises StateError."""
    yield encode_line(RunEvent(shape=SHAPE, run=recording.run))
    yield from map(encode_line, _list_frames(recording))
    stderr = (piece for piece in read_pieces(Path(recording.path)) if piece[0].stream == "E")
    yield from map(encode_line, list_output(stderr))
    for cost in read_costs(recording):
        yield encode_line(CostEvent(cost=cost))
    yield encode_line(ResultEvent(result=recording.result, problem=recording.problem))


def encode_line(value: object) -> bytes:
    """JSON and the end of the line; control characters are escaped in it, also those that JSON would let stand."""
    return CONTROLS.sub(lambda found: b"\\u%04x" % found[0][-1], msgspec.json.encode(value)) + b"\n"


def _list_frames(recording: Recording) -> Iterator[FrameEvent]:
    with Excerpts(recording).open() as stdout:
        for seconds, frame in read_frames(recording):
            pieces: Iterable[Frame] = stdout.read(frame) if isinstance(frame, Text) else (frame,)
            for piece in pieces:
                yield FrameEvent(seconds=round(seconds, 6), frame=piece)


def list_output(pieces: Iterable[tuple[Step, bytes]]) -> Iterator[OutputEvent]:
    """What pieces say, as they come; a character that two share is in the later one."""
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in STREAMS}
    seconds = 0.0
    for step, data in pieces:
        seconds = round(step.time, 6)
        if text := decoders[step.stream].decode(data):
            yield OutputEvent(seconds=seconds, stream=STREAMS[step.stream], text=text)
    for stream, decoder in decoders.items():
        if text := decoder.decode(b"", final=True):
            yield OutputEvent(seconds=seconds, stream=STREAMS[stream], text=text)
