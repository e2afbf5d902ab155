"""Structured pieces of a tool's output. A frame names the bytes that it was read from, so that no byte is lost."""

from __future__ import annotations

from toolkit.model import Value


class Slot(Value, frozen=True):
    """One row of a histogram: from low to high, both inclusive, and how many; high is None for an open end."""

    low: int
    high: int | None
    count: int


class Histogram(Value, frozen=True, tag_field="kind", tag="histogram"):
    """A distribution as the tool printed it; `unit` is empty where the tool does not name one."""

    offset: int  # of its first byte in stdout
    size: int  # in bytes
    title: str  # what the tool wrote directly above: a map's name and key, "disk = b'sda'"; empty when nothing
    unit: str
    slots: tuple[Slot, ...]


class Text(Value, frozen=True, tag_field="kind", tag="text"):
    """Whole lines that are not understood as anything else; they stay in stdout, this says where."""

    offset: int
    size: int
    lines: int


Frame = Histogram | Text
