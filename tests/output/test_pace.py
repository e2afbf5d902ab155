"""How much of what floods is read: by clocks that the test turns."""

from __future__ import annotations

from toolkit.output.frames import Table, Text
from toolkit.output.pace import RESUME, SAVED, SHARE, Pace
from toolkit.output.parser import Stream
from toolkit.runs import Form


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_reading_gets_what_was_saved_and_then_its_share() -> None:
    clock, used = Clock(), Clock()
    pace = Pace(clock, used)
    assert pace.begin()
    used.now += SAVED + 1e-6
    pace.end()
    assert not pace.begin()
    clock.now += RESUME / SHARE / 2
    assert not pace.begin()
    clock.now += RESUME / SHARE / 2 + 0.001
    assert pace.begin()


def test_over_a_long_flood_reading_has_no_more_than_its_share() -> None:
    clock, used = Clock(), Clock()
    pace = Pace(clock, used)
    read = 0.0
    for _ in range(10_000):
        clock.now += 0.001
        if pace.begin():
            clock.now += 0.002
            used.now += 0.002
            read += 0.002
            pace.end()
    assert read <= SAVED + (clock.now - 100) * SHARE + 0.002


def test_nothing_is_passed_over_at_a_slow_pace() -> None:
    clock, used = Clock(), Clock()
    pace = Pace(clock, used)
    for _ in range(1000):
        clock.now += 1
        assert pace.begin()
        used.now += SHARE / 2
        pace.end()


def test_what_a_busy_machine_keeps_us_waiting_is_not_held_against_reading() -> None:
    clock, used = Clock(), Clock()
    pace = Pace(clock, used)
    for _ in range(1000):
        assert pace.begin()
        clock.now += 0.1  # of which others had nearly all
        used.now += 0.1 * SHARE
        pace.end()


def test_a_stream_hands_on_unread_what_it_has_no_time_for() -> None:
    clock = Clock()
    stream = Stream(Form.TEXT, Pace(clock, clock))
    stream.feed(b"PID    COMM\n1      init\n")
    clock.now += 1

    def read_slowly(data: bytes) -> object:
        pace = stream._pace
        assert pace is not None
        pace._saved = -1.0  # a feed that took a second
        return stream.feed(data)

    assert read_slowly(b"2      cron\n" * 9) == ()
    clock.now += 60
    unread, table = stream.feed(b"3      cat\n")
    assert unread == Text(offset=24, size=108, lines=0, unread=True)
    assert isinstance(table, Table)
    assert table.rows == (("3", "cat"),)
