"""Stderr as it is shown: warnings of compilers are folded, errors never, and no byte is lost or held for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.remarks import LONGEST_LINE, MOST_FOLDED, Folder, Remarks
from toolkit.runs import Form

WARNING = b"""In file included from <built-in>:2:
In file included from /virtual/include/x/helpers.h:14:
include/linux/thing.h:40:9: warning: 'THING' macro redefined [-Wmacro-redefined]
#define THING 1
        ^
/virtual/include/x/helpers.h:3:9: note: previous definition is here
#define THING 2
        ^
1 warning generated.
"""
NUMBERED = b"""/tmp/x.c:40:9: warning: unused variable [-Wunused]
   40 |   int unused;
      |       ^~~~~~
"""
ERROR = b"""In file included from /virtual/main.c:4:
include/linux/thing.h:41:3: error: unknown type name 'foo'
  foo bar;
  ^
include/linux/thing.h:12:1: note: did you mean 'fob'?
typedef int fob;
^
1 warning and 1 error generated.
"""
PYTHON = b"/usr/sbin/tool-x:12: SyntaxWarning: invalid escape sequence '\\d'\n  text = '\\d'\n"
MODPROBE = b"modprobe: FATAL: Module kheaders not found in directory /lib/modules/1.2.3\n"
OWN = b"/usr/sbin/x.bt:26-27: WARNING: vfs_open is not traceable; attaching to it will likely fail\n"


def fold(data: bytes, size: int = 0) -> tuple[bytes, Folder]:
    folder = Folder()
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    return b"".join(map(folder.feed, pieces)) + folder.flush(), folder


@pytest.mark.parametrize("noise", [WARNING, NUMBERED, PYTHON, MODPROBE])
@pytest.mark.parametrize("size", [0, 1, 7])
def test_noise_is_folded_and_kept(noise: bytes, size: int) -> None:
    shown, folder = fold(b"before\n" + noise + b"after\n", size)
    assert shown == b"before\nafter\n"
    assert (folder.folded, folder.lines) == (noise, noise.count(b"\n"))


@pytest.mark.parametrize(
    "told",
    [
        ERROR,
        OWN,
        b"Traceback (most recent call last):\n",
        b"ERROR: no\n",
        b"warning: could not attach\n",
        b"12 3 | 4\n",
    ],
)
def test_everything_else_is_shown_as_it_is(told: bytes) -> None:
    assert fold(told)[0] == told
    assert fold(WARNING + told)[0] == told
    assert fold(told + WARNING)[0] == told


def test_a_trace_of_includes_goes_where_its_diagnostic_goes() -> None:
    trace = b"In file included from a.c:1:\n                 from b.c:2:\n"
    assert fold(trace + b"b.c:1:1: error: no\n")[0] == trace + b"b.c:1:1: error: no\n"
    assert fold(trace + b"b.c:1:1: warning: no\n")[0] == b""
    assert fold(trace + b"something else\n")[0] == trace + b"something else\n"
    assert fold(trace)[0] == trace


def test_a_warning_that_quotes_nothing_takes_no_line_with_it() -> None:
    assert fold(b"a.c:1:1: warning: no\nTIME PID\n12:00 1\n")[0] == b"TIME PID\n12:00 1\n"


def test_what_waits_is_shown_when_time_has_passed() -> None:
    folder = Folder()
    assert folder.feed(b"a.c:1:1: warning: no\nmaybe quoted\nPassword: ") == b""
    assert folder.flush() == b"maybe quoted\nPassword: "
    assert folder.flush() == b""
    assert folder.feed(b"secret\nmodprobe: FATAL: x\n") == b"secret\n"


def test_neither_long_lines_nor_many_of_them_are_kept() -> None:
    line = b"x" * (LONGEST_LINE + 1)
    assert Folder().feed(line) == line
    assert fold(line + b"\n")[0] == line + b"\n"
    shown, folder = fold(MODPROBE * 5000)
    assert (shown, folder.lines, len(folder.folded)) == (b"", 5000, MOST_FOLDED)
    trace = b"In file included from a.c:1:\n" * 5000
    assert fold(trace)[0] == trace


LINES = st.sampled_from(
    [*(WARNING + NUMBERED + ERROR + PYTHON + MODPROBE + OWN).splitlines(keepends=True), b"\n", b"no end"]
)


@given(st.lists(LINES | st.binary(max_size=20), max_size=30), st.integers(1, 50))
def test_every_byte_is_shown_or_folded_once_and_no_error_is_folded(lines: list[bytes], size: int) -> None:
    data = b"".join(lines)
    shown, folder = fold(data, size)
    assert sorted(shown + folder.folded) == sorted(data)
    assert b"error: " not in folder.folded


def test_lost_events_are_counted_as_the_engines_say_them() -> None:
    remarks = Remarks()
    for piece in (b"Lost 5 ev", b"ents\nlost 7 events on CPU #0\nPossibly lost 100 samples\n", b"it lost 9 events\n"):
        remarks.hear("E", piece)
    remarks.hear("E", b"Total lost event count: 112\n")
    assert remarks.lost == 112


def test_lost_events_are_counted_in_either_stream() -> None:
    remarks = Remarks()
    remarks.hear("O", b"Lost 5 events\n1234  dd  it lost 9 events\n")
    remarks.hear("E", b"lost 1 event on CPU #0\n")
    assert remarks.lost == 6


def test_maps_that_are_full_are_told_by_the_engine_or_by_their_size() -> None:
    remarks = Remarks(keys=3)
    remarks.hear("O", b"x.bt:1:2-3: WARNING: Map full; can't update element. Try increasing it\n")
    remarks.hear("E", b"stdin:1:2-3: WARNING: Failed to map_update_elem: Argument list too long (-7)\n")
    assert remarks.refused == 2
    remarks.hear("O", b"@small[1]: 1\n@small[2]: 1\n\n@small[1]: 1\n@sm")  # two intervals
    remarks.hear("O", b"all[2]: 1\n\n@[\n    a\n    b\n]: 1\n@[\n    c\n]: 2\n@[1]: 3\n\n@one: 5\n")
    assert remarks.full == ("@",)


@pytest.mark.parametrize("size", [0, 1, 7, 20, 27, 1000])
def test_remarks_are_the_same_however_the_output_is_cut(size: int) -> None:
    said = b"@a[1]: 1\n@a[2]: 1\n\n@b[1]: 1\n@b[2]: 1\n@b[3]: 1\n\n\nx: WARNING: Map full; can't\n@c[1]: 1\n"
    remarks = Remarks(keys=3)
    pieces = [said[at : at + size] for at in range(0, len(said), size)] if size else said.splitlines(keepends=True)
    for piece in pieces:
        remarks.hear("O", piece)
    assert (remarks.full, remarks.refused) == (("@b",), 1)


# As 0.17 and 0.20 say it, and 0.24.
MESSAGES = rb"""{"type": "attached_probes", "data": {"probes": 1}}
{"type": "lost_events", "data": {"events": 2}}
{"type": "lost_events", "count": 3, "data": {"events": 3}}
{"type": "printf", "data": "Lost 9 events\n"}
{"type": "printf", "data": "{\"type\": \"map\", \"data\": {\"@said\": {\"1\": 1, \"2\": 1, \"3\": 1}}}\n"}
{"type": "helper_error", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 67}
{"type": "helper_error", "msg": "Map full; can't update element", "helper": "map_update_elem", "retcode": -7}
{"type": "helper_error", "helper": "map_delete_elem", "retcode": -2, "line": 1, "col": 67}
{"type": "map", "data": {"@one": 5}}
{"type": "map", "data": {"@two": {"a,1": [1, 2, 3], "b": {"x": 1}}}}
{"type": "hist", "data": {"@slots": [{"min": 1, "count": 5}, {"min": 2, "count": 1}, {"max": 0, "count": 1}]}}

{"type": "map", "data": {"@full": {"\uffffffc3": 1, "b\"": "}", "[c": 3}}}
{"type": "hist", "data": {"@us": {"1": [{"count": 1}], "2": [], "3": [{"min": 1}], "4": []}}}
{"type": "stats", "data": {"@avg": {"1": {"count": 1, "average": 2, "total": 3}, "2": {}}}}
"""


@pytest.mark.parametrize("size", [1, 7, 60, 100, 1000, 5000])
def test_messages_of_bpftrace_say_the_same_as_its_text(size: int) -> None:
    remarks = Remarks(keys=3, form=Form.BPFTRACE_JSON)
    for at in range(0, len(MESSAGES), size):
        remarks.hear("O", MESSAGES[at : at + size])
    assert (remarks.lost, remarks.refused, remarks.full) == (5, 2, ("@full", "@us"))


def test_a_printed_map_is_read_whole_and_a_longer_line_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    remarks = Remarks(keys=3, form=Form.BPFTRACE_JSON)
    entries = b", ".join(b'"%s%d": 1' % (b"k" * LONGEST_LINE, at) for at in range(3))
    message = b'{"type": "map", "data": {"@x": {%s}}}\n' % entries
    for at in range(0, len(message), 1000):
        remarks.hear("O", message[at : at + 1000])
    assert remarks.full == ("@x",)
    monkeypatch.setattr("toolkit.remarks.LONGEST_MAP", LONGEST_LINE)
    remarks.hear("O", message.replace(b"@x", b"@y")[:-1])
    remarks.hear("O", b"\n")
    assert remarks.full == ("@x",)


def test_only_bpftraces_maps_are_counted() -> None:
    remarks = Remarks()
    remarks.hear("O", b"@a[1]: 1\n" * 5000)
    assert remarks.full == ()
