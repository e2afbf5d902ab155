"""Values by name, maps of bpftrace, and objects."""

from __future__ import annotations

from tests.output import shapes
from toolkit.output.frames import Frame, Histogram, Slot, Table, Text, Values
from toolkit.output.parse import FrameParser


def parse(data: bytes) -> tuple[Frame, ...]:
    parser = FrameParser()
    return (*parser.feed(data), *parser.finish())


def test_pairs_are_read_in_every_form() -> None:
    (only,) = parse(shapes.PAIRS)
    assert isinstance(only, Values)
    assert only.pairs == (
        ("avg", "12 usecs"),
        ("total", "48 usecs"),
        ("count", "4"),
        ("Total References", "500"),
        ("Total Misses", "20"),
        ("Hit Rate", "96.00%"),
        ("lost", "3"),
        ("runq, CPU 0", "32.32%"),
    )


def test_subnets_have_their_bytes_and_time() -> None:
    _, values = parse(shapes.SUBNETS)
    assert isinstance(values, Values)
    assert values.pairs == (("127.0.0.1/32", "8"), ("10.0.0.0/8", "120"))
    assert values.time == "03/05/26 10:00:01"


def test_a_pair_above_a_histogram_is_its_title() -> None:
    read, runqueue = (frame for frame in parse(shapes.KEYED) if isinstance(frame, Histogram))
    assert (read.title, read.unit) == ("operation = read", "ms")
    assert (runqueue.title, runqueue.unit) == ("cpu = 0", "runqlen")


def test_maps_are_tables_and_single_ones_values() -> None:
    _, total, reads, stats, wait = parse(shapes.MAPS)
    assert isinstance(total, Values)
    assert total.pairs == (("@total", "5"),)
    assert isinstance(reads, Table)
    assert (reads.title, reads.columns) == ("@reads", ("key", "value"))
    assert reads.rows == (("loader, 4101", "17"), ("writer, 4102", "3"))
    assert isinstance(stats, Table)
    assert (stats.columns, stats.rows) == (("key", "count", "average", "total"), (("loader", "5", "3", "15"),))
    assert isinstance(wait, Histogram)
    assert (wait.title, wait.unit) == ("@wait_ns[0]", "ns")


def test_stats_without_a_key_are_a_row() -> None:
    total, stats = parse(b"@n: 5\n@s: count 5, average -3, total -15\n")
    assert isinstance(total, Values)
    assert isinstance(stats, Table)
    assert (stats.title, stats.columns, stats.rows) == ("@s", ("count", "average", "total"), (("5", "-3", "-15"),))


def test_one_letter_is_no_unit_of_a_map() -> None:
    for name, unit in ((b"@b[x]", ""), (b"@s", ""), (b"@us[x]", "us"), (b"@size_kb", "KiB"), (b"@usecs", "us")):
        (only,) = parse(name + b":\n[1]    5 |@@|\n")
        assert isinstance(only, Histogram)
        assert only.unit == unit


def test_an_object_is_flattened_and_keeps_its_numbers_as_they_are() -> None:
    (only,) = parse(shapes.OBJECTS)
    assert isinstance(only, Values)
    assert only.pairs == (("read.1", "2.5e-05"), ("read.50", "1e3"), ("write.1", "4"))


def test_a_dictionary_of_slots_is_a_histogram() -> None:
    (only,) = parse(shapes.DICTIONARY)
    assert isinstance(only, Histogram)
    assert (only.title, only.unit, only.time) == ("disk = b'sda'", "ms", "2026-01-02 03:04:05")
    assert only.slots == (Slot(low=0, high=1, count=2), Slot(low=2, high=3, count=0))


def test_broken_data_is_text() -> None:
    deep = b"[" * 5000
    for line in (
        b'{"a": 1',
        b"{}",
        b'{"a":' * 2000 + b"}" * 2000,
        b"{'ts': 1}",
        b"{'ts': " + deep + b"}",
        b"{'ts': '-' * 99999999}",
        b"{'ts': '', 'val_type': '', 'data': [{'interval-start': 'x'}]}",
        b"{'ts': " + b"1234567890" * 6000,
        b"@x[",
        b"@: ",
    ):
        (only,) = parse(line + b"\n")
        assert isinstance(only, Text), line[:50]
