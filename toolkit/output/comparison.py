"""What two runs of a tool printed, side by side, as types: `before` and `after` of each thing that one of them has.

`factor` is after / before, of rates where the runs took different times; None where one of them has none of it.
"""

from __future__ import annotations

from toolkit.model import Value


class Numbers(Value, frozen=True, omit_defaults=False):
    """A histogram in a few numbers; percentiles are interpolated, None where an open end leaves them unknown."""

    intervals: int  # that were added up
    count: int
    p50: float | None
    p90: float | None
    p99: float | None


class SlotPair(Value, frozen=True, omit_defaults=False):
    """A row of both histograms: from low to high, both inclusive, as in Slot; how many each counted in it."""

    low: int
    high: int | None
    before: int
    after: int


class HistogramPair(Value, frozen=True, omit_defaults=False):
    """A distribution in both; `shift` is how many slots it moved up, in the mean. `problem`: why none."""

    title: str
    unit: str
    before: Numbers | None
    after: Numbers | None
    factor: float | None
    shift: float | None
    slots: tuple[SlotPair, ...]
    problem: str = ""


class Measure(Value, frozen=True, omit_defaults=False):
    """One column of the rows with one key: its sum, or the mean of it."""

    name: str  # as in the header; `rows` for how many rows there were
    mean: bool
    before: float | None
    after: float | None
    factor: float | None


class RowPair(Value, frozen=True, omit_defaults=False):
    """The rows of both with one key; `weight` orders them: the change of the first measure, a second."""

    key: tuple[str, ...]
    measures: tuple[Measure, ...]
    weight: float


class TablePair(Value, frozen=True, omit_defaults=False):
    """A table in both, by the columns that tell rows apart; the rows that changed most come first."""

    title: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    added: int  # keys that only `after` has
    gone: int
    rows: tuple[RowPair, ...]
    more: int = 0  # rows that are not in `rows`


class StackPair(Value, frozen=True, omit_defaults=False):
    """A stack, outermost frame first, and what was counted of it."""

    key: str
    frames: tuple[str, ...]
    before: int
    after: int
    factor: float | None
    weight: float  # change of its share of all, -1 to 1


class FramePair(Value, frozen=True, omit_defaults=False):
    """A function, and what was counted of all stacks that it is in."""

    name: str
    before: int
    after: int
    weight: float  # change of its share of all, -1 to 1


class StacksPair(Value, frozen=True, omit_defaults=False):
    """Stacks of one title, and the functions in them; those whose share of all changed most come first."""

    title: str
    unit: str
    before: int
    after: int
    factor: float | None
    added: int
    gone: int
    frames: tuple[FramePair, ...]
    stacks: tuple[StackPair, ...]
    more: int = 0


class ValuePair(Value, frozen=True, omit_defaults=False):
    """A single value; the mean where it was printed several times."""

    title: str
    name: str
    before: float | None
    after: float | None
    factor: float | None


class Comparison(Value, frozen=True, omit_defaults=False):
    """All of it. Of what only one run has, the other side is None or 0."""

    histograms: tuple[HistogramPair, ...]
    tables: tuple[TablePair, ...]
    stacks: tuple[StacksPair, ...]
    values: tuple[ValuePair, ...]
    lost: tuple[int, int]  # events
    left_out: int  # things for which there was no room
