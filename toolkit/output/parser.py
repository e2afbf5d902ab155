"""What reads the frames of a stream, by the form that the stream has."""

from __future__ import annotations

from typing import Protocol

from toolkit.output.bpftrace_json import JsonParser
from toolkit.output.frames import Frame
from toolkit.output.parse import FrameParser
from toolkit.runs import Form


class Parser(Protocol):
    """Any bytes in any pieces; the frames cover every byte exactly once, in order. Nothing raises."""

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream; gives the frames that are complete."""
        ...

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over; gives the rest."""
        ...


def open_parser(form: Form) -> Parser:
    """The parser of a run's stdout: `Plan.form`, or `RunRecord.form` of one that is recorded."""
    return JsonParser() if form is Form.BPFTRACE_JSON else FrameParser()
