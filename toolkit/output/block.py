"""What the recognisers of shapes have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from toolkit.output.frames import Frame

Lines = list[bytes]  # without their ends


class Above(NamedTuple):
    """What stands directly above a line, the nearest first, and the time that was printed last."""

    lines: tuple[str, ...]
    time: str


class Place(NamedTuple):
    """Where a frame's bytes stand in stdout."""

    offset: int
    size: int


class Block(Protocol):
    """A frame that is being read. Its opener has read the first line."""

    @property
    def whole(self) -> bool:
        """Whether all that it took is complete: no half of a stack."""
        ...

    def take(self, lines: Lines, at: int) -> int:
        """How many of the lines from `at` on belong to it, all of them or some; they are kept. At 0 it is over."""
        ...

    def hand_on(self, place: Place, *, over: bool) -> Frame | None:
        """The frame of what is complete since the last one, which is then forgotten.

        None where there is none yet, or where it is `over` and what it took is text after all.
        """
        ...


class Opened(NamedTuple):
    """A block that began, and how many of the lines above belong to it."""

    block: Block
    above: int = 0


def decode(line: bytes) -> str:
    """A line as text; what is no UTF-8 is replaced, as stdout has the bytes."""
    return str(line, "utf-8", "replace").rstrip("\r")
