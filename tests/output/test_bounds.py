"""What a tool prints for ever: parsers hold no more than a part of it, and hand on all of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from toolkit.output import bpftrace_json, bpftrace_messages, parse
from toolkit.output.bpftrace_json import JsonParser
from toolkit.output.digest import PROCESS
from toolkit.output.frames import Frame, Stacks, Table, Text
from toolkit.output.histograms import read_header
from toolkit.output.parse import FrameParser
from toolkit.output.parser import Parser

HEADER = b"     usecs               : count    distribution\n"
ROWS = 20_000
AT_ONCE = 1000  # rows of one feed
MOST_HELD = 1 << 20  # bytes; all of the rows would take more


def say(text: bytes) -> bytes:
    """A message of bpftrace that prints this."""
    return b'{"type": "printf", "data": "%s"}\n' % text


# What comes first, and then a row by its number.
ENDLESS: dict[str, tuple[type[Parser], bytes, Callable[[int], bytes]]] = {
    "histogram": (FrameParser, HEADER, lambda at: b"%10d -> %-10d : 5 |****   |\n" % (at, at)),
    "histogram of a map": (FrameParser, b"@us:\n", lambda at: b"[%d, %d)  5 |@@@   |\n" % (at, at + 1)),
    "histogram below a stack": (FrameParser, b"@x[\n  f\n]:\n", lambda at: b"[%d]  5 |@@@   |\n" % at),
    "table": (FrameParser, b"PID    COMM   LAT(ms)\n", lambda at: b"%d    foo    5\n" % at),
    "map": (FrameParser, b"", lambda at: b"@x[%d]: 5\n" % at),
    "folded stacks": (FrameParser, b"", lambda at: b"a;b;c%d 12\n" % at),
    "stack": (FrameParser, b"", lambda at: b"    function%d\n" % at),
    "labels of a stack": (FrameParser, b"    f\n", lambda at: b"    pid: %d\n" % at),
    "owners of a stack": (FrameParser, b"    f\n", lambda at: b"    - dd (%d)\n" % at),
    "allocations": (FrameParser, b"", lambda at: b"    %d bytes in 5 allocations from stack\n" % at),
    "key of a map": (FrameParser, b"@x[\n", lambda at: b"    function%d\n" % at),
    "messages that say nothing": (JsonParser, b"", lambda at: say(b"")),
    "messages without an end of line": (JsonParser, b"", lambda at: say(b"x%d" % at)),
    "messages of a stack": (JsonParser, b"", lambda at: say(b"    pid: %d\\\\n" % at)),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_memory_is_flat(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpftrace_json, "MOST_PARTS", 1000)
    parser_of, first, row = ENDLESS[kind]
    parser = parser_of()
    end = held = 0
    for frame in parser.feed(first):
        end = check_next(frame, end)
    tracemalloc.start()
    try:
        for start in range(0, ROWS, AT_ONCE):
            for frame in parser.feed(b"".join(map(row, range(start, start + AT_ONCE)))):
                end = check_next(frame, end)
            held = max(held, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    for frame in parser.finish():
        end = check_next(frame, end)
    assert end == len(first) + sum(len(row(at)) for at in range(ROWS))
    assert held < MOST_HELD


def check_next(frame: Frame, end: int) -> int:
    """A frame begins where the one before ended; gives its end."""
    assert frame.offset == end
    return frame.offset + frame.size


def test_blank_lines_end_a_stack_in_the_end() -> None:
    parser = FrameParser()
    frames = [*parser.feed(b"    f\n    g\n        5\n"), *parser.feed(b"\n" * 10_000)]
    assert [type(frame) for frame in frames] == [Stacks, Text]


def test_a_line_of_a_megabyte_is_looked_at_once() -> None:
    blank = " " * (1 << 20)  # looked at from each of its places, it would take hours
    assert read_header(f"usecs{blank}: count{blank}distribution") == "usecs"
    assert read_header(f"usecs{blank}distribution") == ""
    assert PROCESS.sub("", f"tar{blank}[15187]{blank}") == "tar"
    assert PROCESS.sub("", f"tar{blank}15187") == f"tar{blank}15187"


def test_a_message_of_very_many_values_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpftrace_messages, "MOST_NODES", 100)
    kinds = []
    for count in (90, 110):
        entries = b", ".join(b'"%d": 5' % at for at in range(count))
        kinds += [type(frame) for frame in JsonParser().feed(b'{"type": "map", "data": {"@x": {%s}}}\n' % entries)]
    assert kinds == [Table, Text]


def test_what_is_passed_over_is_handed_on_before_it_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MOST_UNREAD", 1000)
    parser = FrameParser()
    frames = [*parser.feed(b"PID    COMM\n1      init\nhalf"), *parser.pass_over(b" a line\n" * 200)]
    assert frames[1:] == [Text(offset=24, size=1604, lines=0, unread=True)]
    assert parser.pass_over(b"more") == ()
    assert parser.feed(b" of it\n2      cron\n")[0] == Text(offset=1628, size=4, lines=0, unread=True)
