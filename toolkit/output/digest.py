"""A run as a whole, added up from its frames: what two runs are compared by. Pure.

Intervals are summed. There is room for so many different titles, rows and stacks; what comes then is left out, and
counted, so that memory is bounded whatever a tool prints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.output.distribution import merge
from toolkit.output.frames import Histogram, Stacks, Table, Values
from toolkit.output.gather import Name, Room, Shape, StackCounts, count_stacks
from toolkit.output.roles import Role, find_roles, read_number

MOST = 100_000  # different titles, rows and stacks of a run
LOOKED_AT = 256  # rows, before the roles of their columns are decided
LONGEST_KEY = 200  # characters of what a stack was counted by
AT_ONCE = 64  # histograms that are added together


class Sum:
    """Histograms of one title, added up; `total` is None when they do not join."""

    def __init__(self) -> None:
        self.intervals = 0
        self._parts: list[Histogram] = []
        self._broken = False

    def add(self, histogram: Histogram) -> None:
        """Take one more."""
        self.intervals += 1
        self._parts.append(histogram)
        if len(self._parts) >= AT_ONCE:
            self._join()

    def _join(self) -> None:
        joined = merge(self._parts)
        self._broken = self._broken or joined is None
        self._parts = [joined] if joined else []

    @property
    def total(self) -> Histogram | None:
        """The sum of all."""
        self._join()
        return None if self._broken or not self._parts else self._parts[0]


class Tally:
    """Rows with the same key: how many, and of each measure the sum and how often it was there."""

    __slots__ = ("counts", "rows", "sums")

    def __init__(self, measures: int) -> None:
        self.rows = 0
        self.sums = [0.0] * measures
        self.counts = [0] * measures


class Rows:
    """The rows of one table by their key."""

    def __init__(self, columns: tuple[str, ...], room: Room, roles: tuple[Role, ...] | None = None) -> None:
        self.columns = columns
        self._room = room
        self._roles = roles
        self._early: list[tuple[str, ...]] = []
        self._by_key: dict[tuple[str, ...], Tally] = {}

    def add(self, rows: tuple[tuple[str, ...], ...]) -> None:
        """Take one more frame."""
        if self._roles is not None:
            self._count(rows)
            return
        self._early += rows
        if len(self._early) >= LOOKED_AT:
            self._settle()

    def _settle(self) -> tuple[Role, ...]:
        if self._roles is None:
            self._roles = find_roles(self.columns, self._early[:LOOKED_AT])
            self._count(tuple(self._early))
            self._early = []
        return self._roles

    @property
    def roles(self) -> tuple[Role, ...]:
        """What each column is for."""
        return self._settle()

    @property
    def by_key(self) -> Mapping[tuple[str, ...], Tally]:
        """What was counted of each key."""
        self._settle()
        return self._by_key

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return tuple(name for name, role in zip(self.columns, self.roles, strict=True) if role is Role.KEY)

    @property
    def measures(self) -> tuple[tuple[str, Role], ...]:
        """The columns that are summed, or of which the mean is taken."""
        pairs = zip(self.columns, self.roles, strict=True)
        return tuple((name, role) for name, role in pairs if role in (Role.SUM, Role.MEAN))

    def _count(self, rows: tuple[tuple[str, ...], ...]) -> None:
        roles = self._roles or ()
        keys = [at for at, role in enumerate(roles) if role is Role.KEY]
        measures = [at for at, role in enumerate(roles) if role in (Role.SUM, Role.MEAN)]

        def make() -> Tally:
            return Tally(len(measures))

        for row in rows:
            key = tuple(row[at] if at < len(row) else "" for at in keys)
            tally = self._room.find(self._by_key, key, make)
            if tally is None:
                continue
            tally.rows += 1
            for number, at in enumerate(measures):
                value = read_number(row[at]) if at < len(row) else None
                if value is not None:
                    tally.sums[number] += value
                    tally.counts[number] += 1


# The PID behind a name, `tar [15187]`, which another run has not. No digit or space is looked at twice.
PROCESS = re.compile(r"(?<!\s)\s*+[\[(,]\s*+\d++[\])]?+\s*+$")


def name_process(key: str) -> str:
    """What a stack was counted by, without the PID of a process."""
    return PROCESS.sub("", key[:LONGEST_KEY])


class Digest:
    """Everything that a run printed, added up: a `Gathering`."""

    def __init__(self, roles: Mapping[Shape, tuple[Role, ...]] | None = None) -> None:
        """`roles`: of the tables of a run that this one is to be compared with."""
        self._roles = roles or {}
        self._room = Room(MOST)
        self.histograms: dict[Name, Sum] = {}
        self.tables: dict[Shape, Rows] = {}
        self.stacks: dict[Name, StackCounts] = {}
        self.values: dict[Name, list[float]] = {}  # title and name -> how many, their sum
        self.lost = 0

    @property
    def roles(self) -> dict[Shape, tuple[Role, ...]]:
        """The roles of the columns of its tables, for another one."""
        return {shape: rows.roles for shape, rows in self.tables.items()}

    @property
    def left_out(self) -> int:
        """How often there was no room for something."""
        return self._room.left_out

    def add_histogram(self, frame: Histogram) -> None:
        """Add it to those of the same title and unit."""
        summed = self._room.find(self.histograms, (frame.title, frame.unit), Sum)
        if summed:
            summed.add(frame)

    def add_table(self, frame: Table) -> None:
        """Add its rows to those of the same title and columns."""
        shape = (frame.title, frame.columns)
        roles = self._roles.get(shape)
        rows = self._room.find(self.tables, shape, lambda: Rows(frame.columns, self._room, roles))
        if rows:
            rows.add(frame.rows)

    def add_stacks(self, frame: Stacks) -> None:
        """Add them to those of the same path, whatever the PID."""
        count_stacks(frame, self.stacks, self._room, name_process)

    def add_values(self, frame: Values) -> None:
        """Count those that are numbers, and sum them up."""
        for name, text in frame.pairs:
            value = read_number(text.split(maxsplit=1)[0]) if text.strip() else None
            tally = self._room.find(self.values, (frame.title, name), lambda: [0.0, 0.0]) if value is not None else None
            if tally and value is not None:
                tally[0] += 1
                tally[1] += value
