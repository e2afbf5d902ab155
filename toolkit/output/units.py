"""The units that tools name in headers, columns and map names, under one name each."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNITS = {
    "secs": "s",
    "sec": "s",
    "s": "s",
    "msecs": "ms",
    "ms": "ms",
    "usecs": "us",
    "us": "us",
    "nsecs": "ns",
    "ns": "ns",
    "bytes": "bytes",
    "b": "bytes",
    "kbytes": "KiB",
    "kb": "KiB",
    "mbytes": "MiB",
    "mb": "MiB",
    "pages": "pages",
    "%": "%",
}
IN_COLUMN = re.compile(r".*\((\w+|%)\)|.*_(\w+)|(%).*", re.ASCII)


def read_unit(title: str) -> str:
    """The unit that a map's name ends in, `@usecs[sda]` or `@read_ns`; empty if it names none."""
    name = title.partition("[")[0].removeprefix("@").rpartition("_")[2].lower()
    return UNITS.get(name, "") if len(name) > 1 else ""  # `@s` and `@b` are names of anything


def read_column_units(names: Sequence[str]) -> tuple[str, ...]:
    """The unit of each column, as `Table.units` has them; none at all where no column names one."""
    units = tuple(map(read_column_unit, names))
    return units if any(units) else ()


def read_column_unit(name: str) -> str:
    """The unit in a column's name, `LAT(ms)`, `TX_KB` or `%CPU`; empty if it names none."""
    found = IN_COLUMN.fullmatch(name) if len(name) < 64 else None
    return UNITS.get(found[found.lastindex or 0].lower(), "") if found else ""
