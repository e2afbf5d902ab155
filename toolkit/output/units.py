"""The units that tools name in headers, columns and map names, under one name each."""

from __future__ import annotations

import re

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
    name = title.partition("[")[0].removeprefix("@")
    return UNITS.get(name.rpartition("_")[2].lower(), "")


def read_column_unit(name: str) -> str:
    """The unit in a column's name, `LAT(ms)`, `TX_KB` or `%CPU`; empty if it names none."""
    found = IN_COLUMN.fullmatch(name) if len(name) < 64 else None
    return UNITS.get(found[found.lastindex or 0].lower(), "") if found else ""
