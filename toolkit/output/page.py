"""A run's output with its histograms drawn and everything else as it came, and a heat map of them all. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.output.chart import Style, draw_histogram
from toolkit.output.frames import Frame, Histogram, Text
from toolkit.output.heat import HeatMap
from toolkit.output.sheet import draw_frame
from toolkit.runs import Form


class Page:
    """Takes a stream and its frames, gives what a person is to see of both."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._bytes = bytearray()  # of the stream, in no frame yet
        self.heat = HeatMap()

    def take(self, data: bytes, frames: Iterable[Frame], style: Style) -> bytes:
        """More of the stream, and the frames that are complete now: they cover it in order."""
        self._bytes += data
        return b"".join([self._draw(frame, style) for frame in frames])

    def _draw(self, frame: Frame, style: Style) -> bytes:
        raw = bytes(self._bytes[: frame.size])
        del self._bytes[: frame.size]
        if isinstance(frame, Histogram):
            self.heat.add(frame)
            return join_lines((*draw_histogram(frame, style), *([""] if self._form is not Form.TEXT else ())))
        if self._form is Form.TEXT:
            return raw
        if isinstance(frame, Text) and not frame.text:
            frame = Text(offset=0, size=0, lines=frame.lines, text=raw.decode("utf-8", "replace").strip())
        return join_lines(draw_frame(frame, style))


def join_lines(lines: Iterable[str]) -> bytes:
    """Lines as bytes, each with its end."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
