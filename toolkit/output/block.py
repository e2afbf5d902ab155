"""What the recognisers of shapes have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from toolkit.output.frames import Frame, Table

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


class Head(NamedTuple):
    """What all frames of one table have in common."""

    title: str
    columns: tuple[str, ...]
    units: tuple[str, ...] = ()
    time: str = ""


class Rows:
    """Rows of one table as they are taken; `headed`: it has a printed header, which is a table even without rows."""

    def __init__(self, *taken: tuple[str, ...], headed: bool = False) -> None:
        self.waiting = list(taken)  # those that are in no frame yet
        self._headed = headed  # so is the header

    def hand_on(self, head: Head, place: Place, *, over: bool) -> Table | None:
        """A frame of those that wait, which are then forgotten; None where there is nothing to tell."""
        if not self.waiting and not (over and self._headed):
            return None
        rows, self.waiting, self._headed = tuple(self.waiting), [], False
        return Table(
            offset=place.offset,
            size=place.size,
            title=head.title,
            columns=head.columns,
            rows=rows,
            units=head.units,
            time=head.time,
        )


class Opened(NamedTuple):
    """A block that began, and how many of the lines above belong to it."""

    block: Block
    above: int = 0


def decode(line: bytes) -> str:
    """A line as text; what is no UTF-8 is replaced, as stdout has the bytes."""
    return str(line, "utf-8", "replace").rstrip("\r")
