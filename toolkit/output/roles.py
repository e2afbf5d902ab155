"""What a column of a table is for, by its name and its cells: what rows are told apart by, or what they count. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

TIMES = re.compile(r"TIME|DATE|TS|TIMESTAMP")
# Numbers that name one process or object: another run has others, so no two rows would ever be the same.
PASSING = re.compile(
    r"[TSDL]?[PT]P?IDS?|PPID|TGID|PGID|SKADDR|SKBADDR|INUM|INODE|INO|SECTOR|OFF(SET|_KB)?|[LS]PORT|FD|RET|PC|SESS|CTX"
    r"|ADDR(ESS)?"
)
# Numbers that name a kind: rows with the same one belong together.
NAMING = re.compile(
    r"KEY|ERR(NO)?|RESULT|SIG(NAL)?|E?[UG]ID|CPU|NODE|NUMA|[DR]?PORT|IP|IPVER|DEV|(MNT|NET)?NS|CGROUP|(EXIT_)?CODE|STATUS"
    r"|PROTO|TYPE|FLAGS|LEVEL|PRIO|ORDER|QUEUE(ID)?"
)
COUNTING = re.compile(
    r"COUNT|CALL|HIT|MISS|BYTE|K?B(YTE)?S?$|_KB?\b|READ|WRITE|^R$|^W$|I/O|^IOS?$|PACKET|PKT|DROP|^RX|^TX|TOTAL|^NR|#"
    r"|EVENT|ERRORS|DIRT|LOST|LOADS|FREES|ALLOCS|SAMPLES|FAULTS|SIZE|LEN$|CREATE|OPEN|FSYNC|RANDOM|SEQUENTIAL|^VALUE$"
)
AVERAGES = re.compile(r"/S$|_MB$|AVG|AVERAGE|MEAN|P\d\d|MIN|MAX|LAT|%|RATE|RATIO|DELTA|DUR|AGE")
CLOCK = re.compile(r"\[?\d{1,2}:\d{2}:\d{2}(\.\d+)?\]?|\d+\.\d{6,}|0x[0-9a-f]+|[0-9a-f]{12,16}")
UNKNOWN = frozenset({"", "-", "?", "n/a", "N/A"})
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?%?")


class Role(StrEnum):
    """How two runs are compared by a column."""

    KEY = "key"  # tells rows apart
    SUM = "sum"  # adds up over rows with the same key
    MEAN = "mean"  # as above, but it is their mean that says something: a latency
    PASSING = "passing"  # differs from run to run: a time, a PID


def find_roles(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Role, ...]:
    """The role of each column, from its name and the cells of some rows."""
    return tuple(_find_role(name, [row[at] for row in rows if at < len(row)]) for at, name in enumerate(columns))


def _find_role(name: str, cells: Sequence[str]) -> Role:
    plain = re.sub(r"[(\[].*", "", name).strip().upper().lstrip("@")
    filled = [cell for cell in cells if cell not in UNKNOWN]
    if TIMES.fullmatch(plain) or PASSING.fullmatch(plain) or (filled and all(map(CLOCK.fullmatch, filled))):
        return Role.PASSING
    numbers = sum(read_number(cell) is not None for cell in filled)
    if NAMING.fullmatch(plain) or not filled or numbers * 10 < len(filled) * 9:
        return Role.KEY
    if AVERAGES.search(plain):
        return Role.MEAN
    return Role.SUM if COUNTING.search(plain) else Role.MEAN


def read_number(cell: str) -> float | None:
    """A cell as a number, None where it is none."""
    if len(cell) > 64 or not NUMBER.fullmatch(cell):
        return None
    return float(cell.removesuffix("%"))
