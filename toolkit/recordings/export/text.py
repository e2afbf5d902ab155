"""What a tool printed on stdout, as text that no terminal takes for a command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.output.chart import Style
from toolkit.output.frames import Frame, Text
from toolkit.output.plain import Plain
from toolkit.output.sheet import draw_frame
from toolkit.recordings.content import Excerpts, Printed, read_frames
from toolkit.recordings.layout import Recording
from toolkit.recordings.replay import read_pieces
from toolkit.runs import Form


def export(recording: Recording) -> Iterator[bytes]:
    """Text as it was, but for control characters; data as lines for people. Raises StateError."""
    texts = list_drawn(recording) if recording.run.form is not Form.TEXT else _list_plain(recording)
    return (text.encode("utf-8", "replace") for _, text in texts)


def list_drawn(recording: Recording) -> Iterator[tuple[float, str]]:
    """Data as lines for people, and when each piece was printed. What is not understood stays as it was."""
    with Excerpts(recording).open() as stdout:
        for printed in read_frames(recording):
            for frame in _spell_out(printed, stdout):
                yield printed.seconds, "".join(f"{line}\n" for line in draw_frame(frame, Style()))


def _spell_out(printed: Printed, stdout: Excerpts) -> Iterable[Frame]:
    return stdout.read(printed.frame) if isinstance(printed.frame, Text) else (printed.frame,)


def _list_plain(recording: Recording) -> Iterator[tuple[float, str]]:
    plain = Plain()
    seconds = 0.0
    for step, data in read_pieces(Path(recording.path)):
        if step.stream == "O":
            seconds = step.time
            yield seconds, plain.feed(data)
    yield seconds, plain.feed(b"", final=True)
