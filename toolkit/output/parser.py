"""What reads the frames of a stream, by the form that the stream has."""

from __future__ import annotations

from typing import Protocol

from toolkit.output.frames import Frame
from toolkit.output.pace import Pace
from toolkit.output.parse import FrameParser
from toolkit.runs import Form


class Parser(Protocol):
    """Any bytes in any pieces; the frames cover every byte exactly once, in order. Nothing raises."""

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream; gives the frames that are complete."""
        ...

    def pass_over(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream without reading it, as `Text.unread` says."""
        ...

    def settle(self) -> tuple[Frame, ...]:
        """Nothing came for a while; gives what only waited to see whether it goes on."""
        ...

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over; gives the rest."""
        ...


class Stream:
    """A parser of one stream as it comes: within its pace if it has one, and told when nothing comes for a while."""

    def __init__(self, form: Form, pace: Pace | None = None) -> None:
        self._parser = open_parser(form)
        self._pace = pace

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream; gives the frames that are complete."""
        if self._pace is None:
            return self._parser.feed(data)
        if not self._pace.begin():
            return self._parser.pass_over(data)
        frames = self._parser.feed(data)
        self._pace.end()
        return frames

    def pause(self) -> tuple[Frame, ...]:
        """What waits for more; a histogram is not seen to be complete before something else comes."""
        return self._parser.settle()

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over; gives the rest."""
        return self._parser.finish()


def open_parser(form: Form) -> Parser:
    """The parser of a run's stdout: `Plan.form`, or `RunRecord.form` of one that is recorded."""
    if form is Form.BPFTRACE_JSON:
        from toolkit.output.bpftrace_json import JsonParser  # few runs need it, and all wait for imports

        return JsonParser()
    return FrameParser()
