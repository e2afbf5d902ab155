"""Messages of `bpftrace -f json` as frames: of the engine that is here, and lines in the shapes of other versions."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.output import bpftrace_json
from toolkit.output.bpftrace_json import JsonParser
from toolkit.output.bpftrace_messages import read_message, read_stack_key
from toolkit.output.distribution import merge
from toolkit.output.frames import OPEN_LOW, Frame, Histogram, Lost, Slot, Stack, Stacks, Table, Text, Values
from toolkit.output.parse import FrameParser
from toolkit.output.parser import open_parser
from toolkit.runs import Form


def parse(*pieces: bytes) -> tuple[Frame, ...]:
    parser = JsonParser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    return (*frames, *parser.finish())


def one(line: bytes) -> Frame:
    (only,) = parse(line + b"\n")
    return only


def said(kind: str, data: object) -> bytes:
    return json.dumps({"type": kind, "data": data}).encode() + b"\n"


def check_cover(frames: tuple[Frame, ...], whole: bytes) -> None:
    at = 0
    for frame in frames:
        assert frame.offset == at
        at += frame.size
    assert at == len(whole)


def test_the_form_of_a_run_names_its_parser() -> None:
    assert isinstance(open_parser(Form.TEXT), FrameParser)
    assert isinstance(open_parser(Form.BPFTRACE_JSON), JsonParser)


def test_ends_are_inclusive_and_missing_ones_open() -> None:
    line = b'{"type": "hist", "data": {"@usecs": [{"max": -1, "count": 2}, {"min": 0, "max": 9, "count": 1}, '
    frame = one(line + b'{"min": 10, "count": 4}]}}')
    assert isinstance(frame, Histogram)
    assert (frame.title, frame.unit) == ("@usecs", "us")
    assert frame.slots == (
        Slot(low=OPEN_LOW, high=-1, count=2),
        Slot(low=0, high=9, count=1),
        Slot(low=10, high=None, count=4),
    )


def test_the_last_slot_of_a_histogram_of_32_bits_has_no_end() -> None:
    frame = one(
        b'{"type": "hist", "data": {"@": [{"min": 1073741824, "max": 2147483647, "count": 1}, '
        b'{"min": -2147483648, "max": 0, "count": 3}]}}'
    )
    assert isinstance(frame, Histogram)
    assert frame.slots[1:] == (Slot(low=1 << 31, high=None, count=3),)


def test_each_key_has_a_histogram_and_they_share_the_bytes_of_their_line() -> None:
    line = said("hist", {"@": {"a b,1": [{"min": 2, "max": 3, "count": 1}], "c,2": [{"min": 4, "max": 7, "count": 2}]}})
    first, second = parse(line)
    assert isinstance(first, Histogram)
    assert isinstance(second, Histogram)
    assert [first.title, second.title] == ["@[a b,1]", "@[c,2]"]
    assert (first.offset, first.size, second.offset, second.size) == (0, len(line), len(line), 0)
    assert merge([first, second]) is not None


def test_ends_that_a_double_does_not_hold_come_as_text() -> None:
    frame = one(b'{"type": "hist", "data": {"@": [{"min": "9223372036854775807", "count": 1}]}}')
    assert isinstance(frame, Histogram)
    assert frame.slots == (Slot(low=(1 << 63) - 1, high=None, count=1),)


def test_numbers_by_key_are_a_table_and_none_is_lost_where_erased_spaces_make_keys_the_same() -> None:
    frame = one(b'{"type": "map", "data": {"@m": {"ab,1": 5, "ab,1": 6, "c,2": "18446744073709551615"}}}')
    assert isinstance(frame, Table)
    assert (frame.title, frame.columns) == ("@m", ("key", "value"))
    assert frame.rows == (("ab,1", "5"), ("ab,1", "6"), ("c,2", "18446744073709551615"))


def test_one_value_is_named() -> None:
    for data, shown in ((5, "5"), ("a b", "a b"), ([1, "x", [2, 3]], '[1,"x",[2,3]]'), (True, "true")):
        frame = one(said("map", {"@n": data}).strip())
        assert isinstance(frame, Values)
        assert frame.pairs == (("@n", shown),)
    printed = one(said("value", {"m": 2, "n": None}).strip())
    assert isinstance(printed, Values)
    assert printed.pairs == (("", '{"m":2,"n":null}'),)


def test_stats_have_three_columns_and_averages_one() -> None:
    row = {"count": 2, "average": 15, "total": 30}
    alone, keyed = one(said("stats", {"@s": row}).strip()), one(said("stats", {"@s": {"a,2": row}}).strip())
    assert isinstance(alone, Table)
    assert isinstance(keyed, Table)
    assert (alone.columns, alone.rows) == (("count", "average", "total"), (("2", "15", "30"),))
    assert (keyed.columns, keyed.rows) == (("key", "count", "average", "total"), (("a,2", "2", "15", "30"),))
    average = one(said("stats", {"@a": {"k": 3}}).strip())
    assert isinstance(average, Table)
    assert average.rows == (("k", "3"),)
    assert one(said("stats", {"@a": 3}).strip()) == Values(offset=0, size=37, title="", pairs=(("@a", "3"),))


def test_a_series_is_a_table_of_its_intervals() -> None:
    points = [{"interval_start": "1970-01-01 00:00:00.500000000", "value": 9}, {"interval_start": "b", "value": 8}]
    alone, keyed = one(said("tseries", {"@a": points}).strip()), one(said("tseries", {"@a": {"k": points}}).strip())
    assert isinstance(alone, Table)
    assert isinstance(keyed, Table)
    assert alone.rows == (("1970-01-01 00:00:00.500000000", "9"), ("b", "8"))
    assert keyed.rows[1] == ("k", "b", "8")


@pytest.mark.parametrize(
    ("key", "frames", "rest"),
    [
        ("\n    inner+1\n    outer+2\n", ("outer+2", "inner+1"), ""),  # 0.17
        ("bash,\n    inner+1\n", ("inner+1",), "bash"),
        ("\n    k1\n    k0\n,\n    u1\n    u0\n,bash", ("u0", "u1", "k0", "k1"), "bash"),
        ("\n    k1\n,,bash", ("k1",), "bash"),  # no user stack
        ("bash,\\n        inner+1\\n        outer+2\\n", ("outer+2", "inner+1"), "bash"),  # 0.20 to 0.23
        ("bash,\ninner+1\nouter(int,char)+2\n", ("outer(int,char)+2", "inner+1"), "bash"),  # 0.24
        ("\n\tffffffff81aa inner+1\n", ("ffffffff81aa inner+1",), ""),  # kstack(perf)
        ("bash,3", (), "bash,3"),
        ("a\nb", (), "a\nb"),
        ("", (), ""),
    ],
)
def test_stacks_in_keys_are_read_outermost_first(key: str, frames: tuple[str, ...], rest: str) -> None:
    assert read_stack_key(key) == (frames, rest)


def test_a_map_by_stack_is_stacks_also_where_one_of_them_is_empty() -> None:
    frame = one(said("map", {"@": {"\n  b\n  a\n,bash": 3, ",kworker": 1}}).strip())
    assert isinstance(frame, Stacks)
    assert frame.stacks == (Stack(frames=("a", "b"), count=3, key="bash"), Stack(frames=(), count=1, key=",kworker"))
    other = one(said("hist", {"@ns": {"x,\n  b\n  a\n": [{"min": 0, "max": 1, "count": 1}]}}).strip())
    assert isinstance(other, Histogram)
    assert other.title == "@ns[x,a;b]"


def test_fragments_are_put_together_and_read_as_text() -> None:
    lines = [said("printf", "     usecs    "), said("printf", "  : count    distribution\n")]
    lines += [said("printf", "   0 -> 1  : 3        |****  |\n"), said("printf", "tail")]
    title, histogram, tail = parse(said("printf", "hello\n"), *lines)
    assert isinstance(title, Text)
    assert isinstance(histogram, Histogram)
    assert (histogram.unit, histogram.slots) == ("us", (Slot(low=0, high=1, count=3),))
    assert (histogram.offset, histogram.size) == (title.size, sum(map(len, lines[:3])))
    assert isinstance(tail, Text)
    assert (title.text, title.lines, tail.text) == ("hello\n", 1, "tail")


def test_one_message_may_hold_the_text_of_two_frames() -> None:
    message = said("printf", "a\nx : count distribution\n 0 : 3 |*|\nb\n")
    first, second, third = parse(message)
    assert [first.size, second.size, third.size] == [len(message), 0, 0]
    assert isinstance(second, Histogram)
    assert (isinstance(first, Text) and first.text, isinstance(third, Text) and third.text) == ("a\n", "b\n")


def test_text_comes_before_the_map_that_was_printed_after_it() -> None:
    kinds = [type(frame) for frame in parse(said("printf", "no end"), said("map", {"@": 1}), said("printf", "more\n"))]
    assert kinds == [Text, Values, Text]


def test_a_time_belongs_to_what_is_printed_after_it() -> None:
    frames = parse(said("time", "10:00:01\n"), said("map", {"@": 1}), said("time", "10:00:02 "), said("map", {"@": 2}))
    assert [frame.time for frame in frames if isinstance(frame, Values)] == ["10:00:01", "10:00:01"]


def test_lost_events_and_probes_are_counted_in_the_old_shape_and_the_new() -> None:
    assert one(b'{"type": "lost_events", "data": {"events": 7}}') == Lost(offset=0, size=47, count=7)
    new = one(b'{"type": "lost_events", "count": 7, "data": {"events": 7}}')
    assert isinstance(new, Lost)
    probes = one(b'{"type": "attached_probes", "count": 2, "data": {"probes": 2}}')
    assert isinstance(probes, Values)
    assert probes.pairs == (("attached_probes", "2"),)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            (
                b'{"type": "helper_error", "msg": "Bad address", "helper": "probe_read_user", "retcode": -14, '
                b'"filename": "stdin", "line": 1, "col": 87}'
            ),
            "WARNING: Bad address: probe_read_user returned -14 (stdin:1:87)\n",
        ),
        (
            b'{"type": "helper_error", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 2}',
            "WARNING: map_update_elem returned -7 (1:2)\n",
        ),
        (b'{"type": "errorf", "msg": "bad\\n", "filename": "a.bt", "line": 3, "col": 4}', "ERROR: bad (a.bt:3:4)\n"),
        (b'{"type": "warnf", "msg": "hm"}', "WARNING: hm\n"),
        (b'{"type": "runtime_error", "msg": "Divide by 0", "filename": "a", "line": 1, "col": 2}', None),
    ],
)
def test_complaints_are_text_that_people_can_read(line: bytes, text: str | None) -> None:
    frame = one(line)
    assert isinstance(frame, Text)
    assert frame.text == (text or "WARNING: Divide by 0 (a:1:2)\n")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b'{"type": "hist", "data": {"@": [{"min": 0, ',
        b'{"type": "invented", "data": 5}',
        b'{"type": "benchmark_result", "data": {"a": {"average": 1, "iters": 2}}}',
        b'{"type": "hist", "data": {"@": [{"count": 1}]}}',
        b'{"type": "hist", "data": {"@": [{"min": "x", "count": 1}]}}',
        b'{"type": "map", "data": 5}',
        b'{"type": "lost_events", "data": {"events": "many"}}',
        b'{"type": 5}',
        b'{"type": "map", "data": {"@": ' + b"9" * 5000 + b"}}",
        b"[" * 100_000,
        b'{"type": "map", "data": {"@": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"type": "map", "data": {"@": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b"\xff\xfe{}",
    ],
)
def test_what_is_not_understood_is_text_and_nothing_raises(line: bytes) -> None:
    frames = parse(line + b"\n")
    check_cover(frames, line + b"\n")
    assert isinstance(frames[0], Text | Values)


def test_bytes_above_ascii_are_mended() -> None:
    """bpftrace widens a signed char: where it means one byte it writes eight digits."""
    message = read_message(rb'{"type": "printf", "data": "\uffffffc3\uffffffa9 \\uffffffc3 \u0001\n"}' + b"\n")
    assert message
    assert message.text == "é \\uffffffc3 \x01\n"


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpftrace_json, "LONGEST_MESSAGE", 10_000)
    parser = JsonParser()
    frames = [frame for _ in range(30) for frame in parser.feed(b"x" * 1000)]
    assert parser._pending <= 10_000
    frames += [*parser.feed(b"x\n" + said("map", {"@": 1})), *parser.finish()]
    assert isinstance(frames[-1], Values)
    assert sum(frame.size for frame in frames[:-1]) == 30_002


message = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"\n",
            said("printf", "a"),
            said("printf", ""),
            said("printf", "b\nc"),
            said("printf", "@x: \n[0]  2 |@@ |\nrest\n"),
            said("time", "10:00:00\n"),
            said("map", {"@": {"a": 1}}),
            said("hist", {"@": {"a": [{"min": 0, "max": 1, "count": 1}], "b": [{"min": 0, "max": 1, "count": 1}]}}),
            said("lost_events", {"events": 1}),
            said("warnf", 1),
            b'{"type": "printf", "data": "half',
        ]
    ),
)


def what_they_say(frames: tuple[Frame, ...]) -> list[Frame]:
    """What was understood, wherever it stands: whose an empty message and a time are may depend on the cut."""
    understood = (msgspec.structs.replace(one, offset=0, size=0) for one in frames if not isinstance(one, Text))
    return [one if isinstance(one, Lost) else msgspec.structs.replace(one, time="") for one in understood]


@settings(max_examples=300, deadline=None)
@given(st.lists(message, max_size=12), st.lists(st.integers(0, 400), max_size=4))
def test_frames_cover_every_byte_once_and_in_order_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    at = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    frames = parse(*(whole[start:end] for start, end in itertools.pairwise(at)))
    check_cover(frames, whole)
    check_cover(parse(whole), whole)
    assert what_they_say(frames) == what_they_say(parse(whole))


SCRIPT = """
BEGIN {
  printf("hello "); printf("world\\n");
  @n = 5; @m["x y", 3] = count(); @m["z", 4] = count();
  @h = hist(5); @h = hist(-3); @keyed["a b", 1] = hist(1000); @big = hist(8589934592);
  @l = lhist(5, 0, 100, 10); @l = lhist(-5, 0, 100, 10); @l = lhist(500, 0, 100, 10);
  @st = stats(10); @sk["a", 2] = stats(7); @stack[kstack] = count();
  time("%H:%M:%S\\n"); print(@h); print((1, 2)); exit();
}
"""


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.bpftrace
def test_the_bpftrace_that_is_here_is_understood() -> None:
    bpftrace = shutil.which("bpftrace")
    assert bpftrace
    done = subprocess.run([bpftrace, "-f", "json", "-e", SCRIPT], capture_output=True, timeout=60, check=True)
    frames = parse(done.stdout)
    check_cover(frames, done.stdout)
    strange = [frame for frame in frames if isinstance(frame, Text) and not frame.text]
    assert all(not done.stdout[frame.offset : frame.offset + frame.size].strip() for frame in strange)
    by_title = {frame.title: frame for frame in frames if isinstance(frame, Histogram | Table | Stacks)}
    assert by_title.keys() >= {"@h", "@big", "@l", "@m", "@st", "@sk", "@stack"}
    linear, big = by_title["@l"], by_title["@big"]
    assert isinstance(linear, Histogram)
    assert (linear.slots[0].low, linear.slots[-1]) == (OPEN_LOW, Slot(low=100, high=None, count=1))
    assert isinstance(big, Histogram)
    (slot,) = big.slots
    assert slot.low <= 8589934592
    assert slot.high is None or slot.high >= 8589934592
    assert isinstance(by_title["@stack"], Stacks)
    assert any(isinstance(frame, Text) and frame.text.startswith("hello world\n") for frame in frames)
