"""A recording as an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): it plays in a terminal or a page.

Both streams are shown as they came. A player writes what it reads to a terminal, so only commands that move the
cursor, clear and colour are handed on.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from toolkit.model import Value
from toolkit.output.plain import Screen, show_controls
from toolkit.recordings.content import measure_seconds
from toolkit.recordings.export.lines import encode_line
from toolkit.recordings.export.text import list_drawn
from toolkit.recordings.layout import Recording
from toolkit.recordings.replay import read_pieces
from toolkit.runs import Form

WIDTHS = (80, 200)  # columns: a recording has no size of its own, as a tool runs without a terminal
HEIGHT = 24
LOOKED_AT = 4 << 20  # bytes, for their longest line


class Header(Value, frozen=True, omit_defaults=False):
    """The first line. `timestamp` is the start in seconds since 1970, `duration` in seconds."""

    version: int
    width: int
    height: int
    timestamp: int
    duration: float
    command: str
    title: str


def export(recording: Recording) -> Iterator[bytes]:
    """The header, and an event for each piece: `[seconds, "o", text]`. Raises StateError."""
    run = recording.run
    yield encode_line(
        Header(
            version=2,
            width=_measure_width(recording),
            height=HEIGHT,
            timestamp=int(run.started),
            duration=round(measure_seconds(recording), 6),
            command=show_controls(shlex.join(run.argv)),
            title=show_controls(f"{run.tool} {shlex.join(run.arguments)}".rstrip() + f" on {run.host}"),
        )
    )
    # Nobody wants to watch JSON: what is data is drawn.
    events = _list_output(recording) if run.form is Form.TEXT else list_drawn(recording)
    for seconds, text in events:
        if text:
            shown = text if run.form is Form.TEXT else text.replace("\n", "\r\n")
            yield encode_line((round(seconds, 6), "o", shown))


def _list_output(recording: Recording) -> Iterator[tuple[float, str]]:
    screens = {"O": Screen(), "E": Screen()}
    seconds = 0.0
    for step, data in read_pieces(Path(recording.path)):
        seconds = step.time
        yield seconds, screens[step.stream].feed(data)
    for screen in screens.values():
        yield seconds, screen.feed(b"", final=True)


def _measure_width(recording: Recording) -> int:
    """Of the longest line near the beginning, within what terminals have; bytes are taken for columns."""
    longest = here = seen = 0
    if recording.run.form is not Form.TEXT:
        return WIDTHS[0]
    for _, data in read_pieces(Path(recording.path)):
        first, *others = data.split(b"\n")
        longest = max(longest, here + len(first), *map(len, others))
        here = len(others[-1]) if others else here + len(first)
        seen += len(data)
        if seen > LOOKED_AT:
            break
    return min(max(longest, WIDTHS[0]), WIDTHS[1])
