"""Single values by name, bpftrace's maps of numbers, and objects of JSON, a line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from toolkit.output.block import Above, Head, Lines, Opened, Place, Rows, decode
from toolkit.output.frames import Table, Values

LONGEST_ENTRY = 4096  # characters, of an entry of a map
LONGEST_PAIR = 512  # characters, of a line of pairs
MOST_PAIRS = 4096  # of one object
MAP = re.compile(r"(@\w*)(?:\[(.*)\])?: (\S.*)", re.ASCII)
STATS = re.compile(r"count (\d+), average (-?\d+), total (-?\d+)")
NAME = r"[A-Za-z_%@/][^=:,]{0,79}?"
AMOUNT = r"-?\d[\d.,]*(?: ?[A-Za-z%/]{1,12})?"
PAIR = re.compile(rf"\s*+({NAME})\s*+([=:])\s*+({AMOUNT})\s*")
PADDED = re.compile(r"\s*+(\S++(?: (?=\S)\S++){0,5})(?:\s{2,}+|\t)(-?\d[\d.]*+%?)\s*+")
SEVERAL = re.compile(r"\s*+([A-Za-z][A-Za-z /]{0,40}?)(?:: (-?\d[\d.]*+%?)| = ([^\s=]++))(?=\s|$)")

Pair = tuple[str, str]


class ValuesBlock:
    """Lines of `name = 5`, `name: 5`, `name      5` or `@name: 5`."""

    whole = True

    def __init__(self, time: str, pairs: tuple[Pair, ...], line: str = "") -> None:
        self._time = time
        self._pairs = list(pairs)
        self.line = line  # the only one, if it may be a title: `cpu = 0`

    def take(self, lines: Lines, at: int) -> int:
        """Lines of pairs."""
        for index in range(at, len(lines)):
            pairs = read_pairs(decode(lines[index]))
            if not pairs:
                return index - at
            self.line = ""
            self._pairs += pairs
        return len(lines) - at

    def hand_on(self, place: Place, *, over: bool) -> Values | None:
        """The pairs; one that may be a title waits."""
        if not self._pairs or (self.line and not over):
            return None
        pairs, self._pairs = tuple(self._pairs), []
        self.line = ""
        return Values(offset=place.offset, size=place.size, title="", pairs=pairs, time=self._time)


class MapBlock:
    """The entries of one bpftrace map, `@name[key]: 5`, or its count, average and total, with or without a key."""

    whole = True

    def __init__(self, name: str, time: str, first: Pair, *, keyed: bool = True) -> None:
        self._keyed = keyed
        self._stats = STATS.fullmatch(first[1]) is not None
        columns = ("count", "average", "total") if self._stats else ("value",)
        self._head = Head(name, ("key", *columns) if keyed else columns, time=time)
        self._rows = Rows(self._read_row(*first))

    def take(self, lines: Lines, at: int) -> int:
        """Entries of the same map."""
        for index in range(at, len(lines)):
            entry = read_entry(decode(lines[index]))
            if (
                not self._keyed
                or entry is None
                or entry[0] != self._head.title
                or (STATS.fullmatch(entry[2]) is not None) != self._stats
            ):
                return index - at
            self._rows.waiting.append(self._read_row(entry[1], entry[2]))
        return len(lines) - at

    def _read_row(self, key: str, value: str) -> tuple[str, ...]:
        stats = STATS.fullmatch(value) if self._stats else None
        keys = (key,) if self._keyed else ()
        return (*keys, *stats.groups()) if stats else (*keys, value)

    def hand_on(self, place: Place, *, over: bool) -> Table | None:
        """The entries."""
        return self._rows.hand_on(self._head, place, over=over)


def read_entry(text: str) -> tuple[str, str, str] | None:
    """Name, key and value of a line that is one of a map with keys."""
    found = MAP.fullmatch(text) if text.startswith("@") and len(text) <= LONGEST_ENTRY else None
    return (found[1], found[2], found[3]) if found and found[2] is not None else None


def read_pairs(text: str) -> tuple[Pair, ...]:
    """The pairs on a line; none if it is another."""
    if text.startswith("@"):
        found = MAP.fullmatch(text) if len(text) <= LONGEST_ENTRY else None
        single = found is not None and found[2] is None and not STATS.fullmatch(found[3])
        return ((found[1], found[3]),) if found and single else ()
    if len(text) > LONGEST_PAIR or not any(char.isdigit() for char in text):
        return ()
    if padded := PADDED.fullmatch(text):
        return ((padded[1], padded[2]),)
    pairs = [PAIR.fullmatch(part) for part in (text.split(", ") if ", " in text else (text,))[:64]]
    return tuple((pair[1], pair[3]) for pair in pairs if pair) if all(pairs) else _read_several(text)


def _read_several(text: str) -> tuple[Pair, ...]:
    """Pairs beside each other: `Hits: 5 Misses: 3`, `addr = 5a size = 16`."""
    found: list[Pair] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        pair = SEVERAL.match(text, at)
        if pair is None:
            return ()
        found.append((pair[1], pair[2] or pair[3]))
        at = pair.end()
    return tuple(found) if len(found) > 1 else ()


def read_object(text: str) -> tuple[Pair, ...]:
    """The values of a JSON object by their names, those inside of others joined by dots; none if it is no object."""
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return ()
    try:
        pairs = tuple(_flatten("", json.loads(text, parse_float=str, parse_int=str, parse_constant=str)))
    except (ValueError, RecursionError):
        return ()
    return pairs if len(pairs) <= MOST_PAIRS else ()


def _flatten(name: str, node: Any) -> Iterator[Pair]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flatten(f"{name}.{key}" if name else key, value)
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from _flatten(f"{name}.{at}", value)
    else:
        yield name, node if isinstance(node, str) else json.dumps(node)


class ObjectBlock:
    """One object on a line."""

    whole = True

    def __init__(self, time: str, pairs: tuple[Pair, ...]) -> None:
        self._time = time
        self._pairs = pairs

    def take(self, lines: Lines, at: int) -> int:
        """No more lines."""
        return 0

    def hand_on(self, place: Place, *, over: bool) -> Values | None:
        """The pairs."""
        if not self._pairs:
            return None
        pairs, self._pairs = self._pairs, ()
        return Values(offset=place.offset, size=place.size, title="", pairs=pairs, time=self._time)


def open_values(text: str, above: Above) -> Opened | None:
    """Values that begin with this line."""
    if text[0] == "{":
        pairs = read_object(text)
        return Opened(ObjectBlock(above.time, pairs)) if pairs else None
    entry = read_entry(text)
    if entry:
        return Opened(MapBlock(entry[0], above.time, (entry[1], entry[2])))
    stats = MAP.fullmatch(text) if text[0] == "@" and len(text) <= LONGEST_ENTRY else None
    if stats and STATS.fullmatch(stats[3]):
        return Opened(MapBlock(stats[1], above.time, ("", stats[3]), keyed=False))
    pairs = read_pairs(text)
    if not pairs:
        return None
    return Opened(ValuesBlock(above.time, pairs, line="" if len(pairs) > 1 or text.startswith("@") else text))
