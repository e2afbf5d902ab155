"""Structured pieces of a tool's output. A frame names the bytes that it was read from, so that no byte is lost.

Every frame has `offset` and `size`: where its bytes stand in stdout. `time` is the timestamp that the tool printed
above it or in it, as it stood there; `title` is what it wrote directly above: a map's name and key, "disk = b'sda'".
"""

from __future__ import annotations

from toolkit.model import Value

OPEN_LOW = -(1 << 63)  # the low end of a slot that holds everything below its high end


class Slot(Value, frozen=True):
    """One row of a histogram: from low to high, both inclusive, and how many; OPEN_LOW and None are open ends."""

    low: int
    high: int | None
    count: int


class Histogram(Value, frozen=True, tag_field="kind", tag="histogram"):
    """A distribution as the tool printed it; `unit` is empty where the tool does not name one."""

    offset: int
    size: int
    title: str
    unit: str
    slots: tuple[Slot, ...]
    time: str = ""


class Table(Value, frozen=True, tag_field="kind", tag="table"):
    """Rows below a header: an event table as it goes on, one interval of a periodic one, or a summary.

    A row has as many cells as there are columns; cells are text as printed, without the padding. A table that prints
    its header once comes in several frames with the same columns.
    """

    offset: int
    size: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    units: tuple[str, ...] = ()  # of each column, from its header ("LAT(ms)": "ms"), empty where it names none
    time: str = ""


class Stack(Value, frozen=True):
    """One stack, outermost frame first as in folded text; `key` is what it was counted by, such as the process."""

    frames: tuple[str, ...]
    count: int
    key: str = ""


class Stacks(Value, frozen=True, tag_field="kind", tag="stacks"):
    """Stacks with what was counted or summed of each."""

    offset: int
    size: int
    title: str
    stacks: tuple[Stack, ...]
    unit: str = ""
    time: str = ""


class Values(Value, frozen=True, tag_field="kind", tag="values"):
    """Single values by name: `@total: 5`, `lost = 3`; text as printed."""

    offset: int
    size: int
    title: str
    pairs: tuple[tuple[str, str], ...]
    time: str = ""


class Lost(Value, frozen=True, tag_field="kind", tag="lost"):
    """Events that the engine says it could not deliver."""

    offset: int
    size: int
    count: int


class Text(Value, frozen=True, tag_field="kind", tag="text"):
    """Whole lines that are not understood as anything else; they stay in stdout, this says where.

    `text` is what they say where stdout holds it inside of JSON, and empty where the bytes are the text. `unread`: they
    came faster than they could be read; their bytes may hold frames, and nobody has counted their lines.
    """

    offset: int
    size: int
    lines: int
    text: str = ""
    unread: bool = False


Frame = Histogram | Table | Stacks | Values | Lost | Text
