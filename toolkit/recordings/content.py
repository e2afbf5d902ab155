"""What a recording holds, read again from its raw bytes: frames with the time at which they were printed, text, costs.

Frames are made anew, not taken from `frames.jsonl`, so that old recordings profit from what parsers have learned. All
is read as a stream: a recording may be larger than memory, and may come from anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from toolkit.errors import DAMAGED, StateError
from toolkit.output.frames import Frame, Text
from toolkit.output.parser import open_parser
from toolkit.recordings.files import open_file, open_folder
from toolkit.recordings.layout import Recording
from toolkit.recordings.replay import Step, read_pieces
from toolkit.runs import Cost

PIECE = 1 << 16  # bytes of text in one frame
MOST_STEPS = 1 << 12  # that are kept until the frame which ends in them is complete
LONGEST_SAMPLE = 1 << 20  # bytes: every attachment has its name in it
_COST = msgspec.json.Decoder(Cost)


class Printed(NamedTuple):
    """A frame, and when its last byte came: seconds after the start."""

    seconds: float
    frame: Frame


def read_frames(recording: Recording) -> Iterator[Printed]:
    """Every frame of stdout, in order. Raises StateError."""
    parser = open_parser(recording.run.form)
    steps: deque[tuple[int, float]] = deque()  # where each piece ends in stdout, and when it came
    end = 0
    for step, data in read_pieces(Path(recording.path)):
        if step.stream != "O":
            continue
        end += len(data)
        _note(steps, end, step)
        yield from (_date(frame, steps) for frame in parser.feed(data))
    yield from (_date(frame, steps) for frame in parser.finish())


def _note(steps: deque[tuple[int, float]], end: int, step: Step) -> None:
    if steps and (steps[-1][1] == step.time or len(steps) >= MOST_STEPS):
        steps.pop()
    steps.append((end, step.time))


def _date(frame: Frame, steps: deque[tuple[int, float]]) -> Printed:
    while len(steps) > 1 and steps[0][0] < frame.offset + frame.size:
        steps.popleft()
    return Printed(steps[0][1] if steps else 0.0, frame)


class Excerpts:
    """Parts of a recording's stdout, by their place."""

    def __init__(self, recording: Recording) -> None:
        self._path = Path(recording.path) / "stdout"

    @contextmanager
    def open(self) -> Iterator[Excerpts]:
        """Keep the file open. Raises StateError."""
        try:
            with open_folder(self._path.parent) as place, open_file("stdout", place) as self._file:
                yield self
        except FileNotFoundError:
            yield self  # then there are no frames either
        except OSError as error:
            raise StateError(f"cannot read {self._path}: {error.strerror}") from error

    def read(self, text: Text) -> Iterator[Text]:
        """A text as texts that say what they hold, none longer than PIECE, cut between lines if they have any."""
        if text.text or not text.size:
            yield text
            return
        at, end = text.offset, text.offset + text.size
        while at < end:
            self._file.seek(at)
            data = self._file.read(min(PIECE, end - at))
            if not data:
                return
            if at + len(data) < end:
                data = data[: _find_cut(data)]
            said = data.decode("utf-8", "replace")
            yield Text(offset=at, size=len(data), lines=data.count(b"\n"), text=said)
            at += len(data)


def _find_cut(data: bytes) -> int:
    """Where to cut: behind the last line, else before a character that is not complete."""
    if newline := data.rfind(b"\n") + 1:
        return newline
    cut = len(data)
    while cut > len(data) - 4 and data[cut - 1] & 0xC0 == 0x80:
        cut -= 1
    return cut - 1 if data[cut - 1] >= 0xC0 else len(data)


def read_costs(recording: Recording) -> Iterator[Cost]:
    """The meter's samples, in order; damaged ones are passed over. Raises StateError."""
    try:
        with open_folder(recording.path) as place, open_file("cost.jsonl", place) as file:
            while line := file.readline(LONGEST_SAMPLE):
                try:
                    yield _COST.decode(line)
                except DAMAGED:
                    continue
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"cannot read {recording.path}/cost.jsonl: {error.strerror}") from error


def measure_seconds(recording: Recording) -> float:
    """How long the run took, as far as is known: of one whose launcher died, until its last sample."""
    if recording.result is not None:
        return recording.result.seconds
    return max((sample.time for sample in read_costs(recording)), default=0.0)
