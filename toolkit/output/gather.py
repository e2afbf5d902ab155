"""A run's frames put together by kind and name, as far as there is room: to compare two runs, or to show one. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from toolkit.output.frames import Frame, Histogram, Lost, Stacks, Table, Text, Values

Name = tuple[str, str]  # title and unit
Shape = tuple[str, tuple[str, ...]]  # title and columns
K = TypeVar("K")
V = TypeVar("V")


class Room:
    """How much more can be kept, and how much could not."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.left_out = 0

    def find(self, known: dict[K, V], key: K, make: Callable[[], V]) -> V | None:
        """The entry of a key, a new one where there is room for it, else None."""
        if key in known:
            return known[key]
        if self._size <= 0:
            self.left_out += 1
            return None
        self._size -= 1
        known[key] = made = make()
        return made


class Gathering(Protocol):
    """What is made of the frames of a run; `lost` counts events."""

    lost: int

    def add_histogram(self, frame: Histogram) -> None:
        """Take the next histogram."""
        ...

    def add_table(self, frame: Table) -> None:
        """Take the next rows of a table."""
        ...

    def add_stacks(self, frame: Stacks) -> None:
        """Take the next stacks."""
        ...

    def add_values(self, frame: Values) -> None:
        """Take the next values."""
        ...


def gather(frame: Frame, gathering: Gathering) -> None:
    """Add the next frame; text is no data."""
    match frame:
        case Histogram():
            gathering.add_histogram(frame)
        case Table():
            gathering.add_table(frame)
        case Stacks():
            gathering.add_stacks(frame)
        case Values():
            gathering.add_values(frame)
        case Lost():
            gathering.lost += frame.count
        case Text():
            return


class StackPath(NamedTuple):
    """A stack without its count."""

    key: str
    frames: tuple[str, ...]


StackCounts = dict[StackPath, list[int]]  # a list of one: what was counted


def count_stacks(frame: Stacks, counts: dict[Name, StackCounts], room: Room, name_key: Callable[[str], str]) -> None:
    """Add stacks to those of the same path; `name_key` gives the part of a key that tells stacks apart."""
    known: StackCounts | None = room.find(counts, (frame.title, frame.unit), dict)
    if known is None:
        return
    for stack in frame.stacks:
        count = room.find(known, StackPath(name_key(stack.key), stack.frames), lambda: [0])
        if count:
            count[0] += stack.count
