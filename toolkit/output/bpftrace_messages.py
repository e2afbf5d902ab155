"""One line of `bpftrace -f json` as a message, and the frames that a message makes.

A message is an object with `type` and mostly `data`; maps of every kind have `{"@name": value}` as data, or
`{"@name": {key: value, ...}}` with one string for a key of several parts: `"comm,3"`. As bpftrace's src/output.cpp
(0.17 to 0.23) and src/output/json.cpp (since 0.24, which also erases the spaces of keys) write them. What other
versions than these write, or break, is no message that we know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from toolkit.output.frames import OPEN_LOW, Frame, Histogram, Lost, Slot, Stack, Stacks, Table, Values
from toolkit.output.units import read_unit

# A value of JSON: an object as its pairs in order, as two keys are the same once their spaces are erased; numbers that
# are no integers as they were printed.
Node = None | bool | int | str | list["Node"] | tuple[tuple[str, "Node"], ...]
Pairs = tuple[tuple[str, Node], ...]

SPOKEN = frozenset({"printf", "time", "cat", "join", "syscall"})  # their data is text that the tool prints
COMPLAINTS = {"errorf": "ERROR", "warnf": "WARNING", "helper_error": "WARNING", "runtime_error": "WARNING"}
# A byte above 0x7f is a negative char on x86: it comes as \uffffffc3 where the byte c3 is meant, in every version.
WIDENED = re.compile(rb"(\\\\)|\\uffffff([89a-f][0-9a-f])")
MOST_NODES = 1 << 19  # values of one message: a full map of histograms has fewer
INTEGER = re.compile(r"-?\d{1,20}")
# Before 0.20 a histogram ends at 2^31: its last slot holds all above, and its ends do not fit into 32 bits.
LAST_OF_32_BITS = (-(1 << 31), 0)


class Message(NamedTuple):
    """One line: its type, what stands beside that, and its data as text where that is what it says."""

    type: str
    fields: Pairs
    text: str | None = None

    def get(self, name: str) -> Node:
        """A field, None without it."""
        return get(self.fields, name)


class Extent(NamedTuple):
    """The bytes of a message in stdout, and the time that was printed before it."""

    offset: int
    size: int
    time: str


def get(pairs: Node, name: str) -> Node:
    """The first value of this name in an object; None where there is none, or no object."""
    return next((value for key, value in pairs if key == name), None) if isinstance(pairs, tuple) else None


def read_message(line: bytes) -> Message | None:
    """The message on a line, None if it is none."""
    if not line.startswith(b"{") or _is_dense(line):
        return None
    if b"\\uffffff" in line:
        line = WIDENED.sub(lambda found: found[1] or bytes.fromhex(found[2].decode()), line)
    try:
        fields = DECODER.decode(line.decode("utf-8", "replace").strip())
    except (ValueError, RecursionError):
        return None
    kind = get(fields, "type")
    if not isinstance(kind, str):
        return None
    data = get(fields, "data")
    if kind in SPOKEN and isinstance(data, str):
        return Message(kind, fields, data)
    return Message(kind, fields, _complain(fields, kind) if kind in COMPLAINTS else None)


def _is_dense(line: bytes) -> bool:
    """Whether a line holds so many values that as objects they would take a multiple of the memory that it takes."""
    return len(line) > 2 * MOST_NODES and sum(map(line.count, (b",", b"[", b"{"))) > MOST_NODES


def _complain(fields: Pairs, kind: str) -> str:
    """What went wrong, as one line: the message, the helper, and where in the script."""
    words = [get(fields, "msg"), get(fields, "helper")]
    said = ": ".join(word.strip() for word in words if isinstance(word, str) and word) or kind
    code = get(fields, "retcode")
    where = [show(part) for part in (get(fields, "filename"), get(fields, "line"), get(fields, "col")) if part]
    suffix = f" ({':'.join(where)})" if where else ""
    return f"{COMPLAINTS[kind]}: {said}{f' returned {code}' if code is not None else ''}{suffix}\n"


DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_float=str, parse_constant=str, strict=False)


def read_frames(message: Message, extent: Extent) -> tuple[Frame, ...]:
    """What a message says, empty if it is none that we know. Several share its bytes: the first has them all."""
    reader = READERS.get(message.type)
    try:
        return tuple(reader(message, extent)) if reader else ()
    except RecursionError:
        return ()


def _read_counter(message: Message, extent: Extent) -> Iterator[Frame]:
    """`attached_probes` and `lost_events`: {"data": {"probes": 3}}, since 0.24 with a `count` beside it."""
    data = message.get("data")
    if message.type == "lost_events":
        count = get(data, "events")
        if isinstance(count, int):
            yield Lost(offset=extent.offset, size=extent.size, count=count)
        return
    probes = get(data, "probes")
    if isinstance(probes, int):
        pairs = (("attached_probes", str(probes)),)
        yield Values(offset=extent.offset, size=extent.size, title="", pairs=pairs, time=extent.time)


def _read_value(message: Message, extent: Extent) -> Iterator[Frame]:
    """`value`: what print() was given, which may be anything but a map."""
    data = message.get("data")
    slots = read_slots(data)
    if slots:
        yield _histogram("", slots, extent)
    else:
        pairs = (("", show(data)),)
        yield Values(offset=extent.offset, size=extent.size, title="", pairs=pairs, time=extent.time)


def _read_map(message: Message, extent: Extent) -> Iterator[Frame]:
    """`map`: one value, or numbers, stacks or whatever else by key."""
    for name, node in _named(message):
        if not isinstance(node, tuple):
            pairs = ((name, show(node)),)
            yield Values(offset=extent.offset, size=extent.size, title="", pairs=pairs, time=extent.time)
            continue
        stacks = _read_stacks(node)
        if stacks:
            yield Stacks(offset=extent.offset, size=extent.size, title=name, stacks=stacks, time=extent.time)
            continue
        rows = tuple((_flatten(key), show(value)) for key, value in node)
        yield _table(name, ("key", "value"), rows, extent)


def _read_stats(message: Message, extent: Extent) -> Iterator[Frame]:
    """`stats`: count, average and total, alone or by key; of avg() and, since 0.24, others one number."""
    columns = ("count", "average", "total")
    for name, node in _named(message):
        if not isinstance(node, tuple):
            pairs = ((name, show(node)),)
            yield Values(offset=extent.offset, size=extent.size, title="", pairs=pairs, time=extent.time)
        elif tuple(key for key, _ in node) == columns and not any(isinstance(value, tuple) for _, value in node):
            yield _table(name, columns, (tuple(show(value) for _, value in node),), extent)
        elif all(isinstance(value, tuple) for _, value in node):
            rows = tuple((_flatten(key), *(show(get(value, column)) for column in columns)) for key, value in node)
            yield _table(name, ("key", *columns), rows, extent)
        else:
            yield from _read_map(message, extent)


def _read_hist(message: Message, extent: Extent) -> Iterator[Frame]:
    """`hist`: slots, alone or by key, of hist() and lhist() alike."""
    for name, node in _named(message):
        keyed = ((f"{name}[{_flatten(key)}]", value) for key, value in node) if isinstance(node, tuple) else ()
        found = [(title, read_slots(value)) for title, value in (keyed or ((name, node),))]
        if all(slots is not None for _, slots in found):
            yield from (_histogram(title, slots or (), extent) for title, slots in found)


def _read_series(message: Message, extent: Extent) -> Iterator[Frame]:
    """`tseries`: the values of the last intervals, alone or by key."""
    columns = ("interval_start", "value")
    for name, node in _named(message):
        if isinstance(node, list):
            yield _table(name, columns, tuple(_read_points(node)), extent)
        elif isinstance(node, tuple):
            rows = ((_flatten(key), *row) for key, points in node for row in _read_points(points))
            yield _table(name, ("key", *columns), tuple(rows), extent)


def _read_points(points: Node) -> Iterator[tuple[str, ...]]:
    for point in points if isinstance(points, list) else ():
        yield show(get(point, "interval_start")), show(get(point, "value"))


READERS: dict[str, Callable[[Message, Extent], Iterator[Frame]]] = {
    "attached_probes": _read_counter,
    "lost_events": _read_counter,
    "value": _read_value,
    "map": _read_map,
    "stats": _read_stats,
    "hist": _read_hist,
    "tseries": _read_series,
}


def _named(message: Message) -> Iterator[tuple[str, Node]]:
    data = message.get("data")
    yield from data if isinstance(data, tuple) else ()


def _table(title: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], extent: Extent) -> Table:
    return Table(offset=extent.offset, size=extent.size, title=title, columns=columns, rows=rows, time=extent.time)


def _histogram(title: str, slots: tuple[Slot, ...], extent: Extent) -> Histogram:
    return Histogram(
        offset=extent.offset, size=extent.size, title=title, unit=read_unit(title), slots=slots, time=extent.time
    )


def read_slots(node: Node) -> tuple[Slot, ...] | None:
    """The slots of a histogram, both ends inclusive; None if it is none. A slot without min or max is open there."""
    if not isinstance(node, list):
        return None
    slots = tuple(_read_slot(one) for one in node)
    found = tuple(slot for slot in slots if slot is not None)
    return found if len(found) == len(slots) else None


def _read_slot(node: Node) -> Slot | None:
    ends = dict(node) if isinstance(node, tuple) else {}
    low, high, count = _read_end(ends.get("min")), _read_end(ends.get("max")), _read_end(ends.get("count"))
    if count is None or (low is None and high is None):
        return None
    if (low, high) == LAST_OF_32_BITS:
        return Slot(low=1 << 31, high=None, count=count)
    return Slot(low=OPEN_LOW if low is None else low, high=high, count=count)


def _read_end(node: Node) -> int | None:
    """An integer; since 0.24 one that a double does not hold comes as text."""
    if isinstance(node, int) and not isinstance(node, bool):
        return node
    return int(node) if isinstance(node, str) and INTEGER.fullmatch(node) else None


def _read_stacks(node: Pairs) -> tuple[Stack, ...]:
    """The entries of a map that counts by stack; nothing if it is another. A key may hold an empty stack."""
    found = [(*read_stack_key(key), _read_end(value)) for key, value in node]
    if not any(frames for frames, _, _ in found):
        return ()
    stacks = tuple(Stack(frames=frames, count=count, key=rest) for frames, rest, count in found if count is not None)
    return stacks if len(stacks) == len(found) else ()


def read_stack_key(key: str) -> tuple[tuple[str, ...], str]:
    """The frames of the stacks in a key, outermost first, and its other parts; no frames if it holds no stack.

    A stack is a newline and a line a frame, innermost first, between the commas of the key; the first of two (the
    kernel's, as scripts have it) is the inner one. 0.20 to 0.23 write the newline of a key as backslash and n.
    """
    lines = key.replace("\\n", "\n").split("\n")
    begins = not lines[0] or lines[0].endswith(",")
    ends = not lines[-1] or lines[-1].startswith(",")
    if len(lines) < 3 or not begins or not ends:
        return (), key
    frames = [line.strip() for line in lines[1:-1] if not line.startswith(",")]
    others = [lines[0], *(line for line in lines[1:-1] if line.startswith(",")), lines[-1]]
    return tuple(reversed([frame for frame in frames if frame])), ",".join(filter(None, ",".join(others).split(",")))


def _flatten(key: str) -> str:
    """A key on one line: its stacks folded, as the frames of folded text."""
    frames, rest = read_stack_key(key)
    if not frames:
        return key
    folded = ";".join(frames)
    return f"{rest},{folded}" if rest else folded


def show(node: Node) -> str:
    """A value as text: as bpftrace would print it, structures as JSON."""
    if isinstance(node, str):
        return node
    if node is None:
        return ""
    return json.dumps(_plain(node), ensure_ascii=False, separators=(",", ":"))


def _plain(node: Node) -> object:
    if isinstance(node, tuple):
        return {key: _plain(value) for key, value in node}
    return [_plain(one) for one in node] if isinstance(node, list) else node
