"""When each piece of a recording was printed, read from `timing` as it was written; and its bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import StateError
from toolkit.model import Value
from toolkit.recordings.files import open_file, open_folder
from toolkit.recordings.layout import STREAMS

LONGEST_LINE = 200  # bytes of `timing`
LONGEST = 366 * 86400.0  # seconds: what is later than that is damage
PIECE = 1 << 16


class Step(Value, frozen=True):
    """A piece: seconds after the start, O or E, and how many bytes of that stream."""

    time: float
    stream: str
    size: int


def read_steps(path: Path) -> Iterator[Step]:
    """The pieces of a recording in the order in which they came; times never go back. Raises StateError.

    Lines that are damaged are passed over.
    """
    clocks = dict.fromkeys(STREAMS, 0.0)
    latest = 0.0
    try:
        with open_folder(path) as place, _open("timing", place) as file:
            while line := file.readline(LONGEST_LINE):
                step = _read_line(line)
                if step is None:
                    continue
                clocks[step.stream] = min(clocks[step.stream] + step.time, LONGEST)
                latest = max(latest, clocks[step.stream])
                yield Step(time=latest, stream=step.stream, size=step.size)
    except OSError as error:
        raise StateError(f"cannot read {path / 'timing'}: {error.strerror}") from error


def read_pieces(path: Path) -> Iterator[tuple[Step, bytes]]:
    """The pieces with their bytes, a large one in several; what `timing` does not tell of comes last.

    Raises StateError.
    """
    try:
        with open_folder(path) as place, _open("stdout", place) as out, _open("stderr", place) as err:
            files = {"O": out, "E": err}
            last = 0.0
            for step in read_steps(path):
                last, left = step.time, step.size
                while left and (data := files[step.stream].read(min(left, PIECE))):
                    left -= len(data)
                    yield step, data
            for stream, file in files.items():
                while data := file.read(PIECE):
                    yield Step(time=last, stream=stream, size=len(data)), data
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error


def _open(name: str, place: int) -> BinaryIO:
    """A file of the recording; one that is not there, as when part of it was copied, is an empty one."""
    try:
        return open_file(name, place)
    except FileNotFoundError:
        return io.BytesIO()


def _read_line(line: bytes) -> Step | None:
    """A line with its delay in place of the time."""
    try:
        letter, delay, size = line.decode("ascii").split()
        step = Step(time=float(delay), stream=letter, size=int(size))
    except ValueError:
        return None
    good = step.stream in STREAMS and math.isfinite(step.time) and step.time >= 0 and step.size > 0
    return step if good else None


def shorten_pause(seconds: float, speed: float, longest: float | None) -> float:
    """The pause of a replay: `speed` times as short, and never longer than `longest`."""
    return seconds / speed if longest is None else min(seconds / speed, longest)
