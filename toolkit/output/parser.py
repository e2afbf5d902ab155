"""What reads the frames of a stream, by the form that the stream has."""

from __future__ import annotations

from typing import Protocol

import msgspec

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


class Stream:
    """A parser of one stream that can be told of a pause: nothing else comes for now, what is pending is complete."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._parser = open_parser(form)
        self._base = 0  # in the stream, where the parser began
        self._fed = 0  # bytes that it was fed
        self._covered = 0  # bytes of those in frames

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream; gives the frames that are complete."""
        self._fed += len(data)
        return self._keep(self._parser.feed(data))

    def pause(self) -> tuple[Frame, ...]:
        """What is pending; a histogram is not seen to be complete before something else comes."""
        if self._fed == self._covered:
            return ()
        frames = self.finish()
        self._base += self._fed
        self._fed = self._covered = 0
        self._parser = open_parser(self._form)
        return frames

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over; gives the rest."""
        return self._keep(self._parser.finish())

    def _keep(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        self._covered += sum(frame.size for frame in frames)
        if not self._base:
            return frames
        return tuple(msgspec.structs.replace(frame, offset=frame.offset + self._base) for frame in frames)


def open_parser(form: Form) -> Parser:
    """The parser of a run's stdout: `Plan.form`, or `RunRecord.form` of one that is recorded."""
    if form is Form.BPFTRACE_JSON:
        from toolkit.output.bpftrace_json import JsonParser  # few runs need it, and all wait for imports

        return JsonParser()
    return FrameParser()
