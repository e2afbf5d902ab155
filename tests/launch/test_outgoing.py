"""What we print: in order, whole for whoever reads however slowly, and never waiting for one who does not."""

from __future__ import annotations

import os
import threading
import tty
from pathlib import Path

import pytest

from toolkit.launch.outgoing import Outgoing, write_all


def test_a_reader_that_stopped_reading_does_not_hold_us_for_ever() -> None:
    reading, writing = os.pipe()
    asked: list[int] = []

    def give_up() -> bool:
        asked.append(1)
        return len(asked) >= 2

    assert write_all(writing, b"x" * (1 << 20), give_up) == "nobody reads its output"
    os.close(reading)
    assert write_all(writing, b"x") == "nobody reads its output any more"
    os.close(writing)


@pytest.mark.parametrize("kind", ["pipe", "fifo", "terminal"])
def test_a_slow_reader_gets_every_byte_whatever_it_reads_from(kind: str, tmp_path: Path) -> None:
    reading, writing = open_ends(kind, tmp_path / "fifo")
    data = os.urandom(150_000).replace(b"\n", b"") + b"\n"
    got: list[bytes] = []

    def read() -> None:
        while sum(map(len, got)) < len(data):
            got.append(os.read(reading, 1000))

    reader = threading.Thread(target=read)
    reader.start()
    assert write_all(writing, data) == ""
    reader.join()
    assert b"".join(got) == data
    os.close(reading)
    os.close(writing)


def test_a_named_pipe_that_nobody_reads_does_not_hold_us_either(tmp_path: Path) -> None:
    reading, writing = open_ends("fifo", tmp_path / "fifo")
    assert write_all(writing, b"x" * (1 << 20), lambda: True) == "nobody reads its output"
    os.close(reading)
    os.close(writing)


def open_ends(kind: str, path: Path) -> tuple[int, int]:
    """Where one reads what was written to the other."""
    if kind == "pipe":
        return os.pipe()
    if kind == "terminal":
        reading, writing = os.openpty()
        tty.setraw(writing)
        return reading, writing
    os.mkfifo(path)  # one that Linux cannot be asked to write to without waiting
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    return reading, os.open(path, os.O_WRONLY)


@pytest.mark.parametrize("size", [10, 1000, 3000, 4096, 100_000])
def test_a_terminal_with_less_room_than_a_write_does_not_hold_us(size: int) -> None:
    reading, writing = os.openpty()
    outgoing = Outgoing()
    line = b"x" * (size - 1) + b"\n"
    for _ in range(20_000 // size + 2):
        assert outgoing.put(writing, line) == ""
    assert outgoing.waiting > 0
    assert writing not in outgoing.blocked
    assert os.get_blocking(writing)  # the shell's too
    outgoing.close()
    os.close(reading)
    os.close(writing)


def test_what_waits_keeps_its_order_over_both_descriptors() -> None:
    reading, writing = os.pipe()
    other = os.dup(writing)
    outgoing = Outgoing()
    outgoing.put(writing, b"-" * 70_000)
    for at in range(1000):
        outgoing.put((writing, other)[at % 2], b"%d " % at)
    got = b""
    while outgoing.waiting:
        got += os.read(reading, 1 << 16)
        outgoing.push()
    got += os.read(reading, 1 << 16)
    assert got == b"-" * 70_000 + b"".join(b"%d " % at for at in range(1000))
    assert outgoing.blocked == ()
    for descriptor in (reading, writing, other):
        os.close(descriptor)


def test_a_reader_that_reads_nothing_does_not_hold_up_another(tmp_path: Path) -> None:
    (held, still), (reading, writing) = os.pipe(), os.pipe()
    outgoing = Outgoing()
    outgoing.put(still, b"x" * 100_000)
    outgoing.put(writing, b"shown")
    assert os.read(reading, 10) == b"shown"
    outgoing.put(writing, b"y" * 100_000)
    assert len(outgoing.blocked) == 2
    with (tmp_path / "file").open("wb") as file:
        outgoing.put(file.fileno(), b"z" * 1_000_000)
    assert (tmp_path / "file").stat().st_size == 1_000_000
    outgoing.close()
    for descriptor in (held, still, reading, writing):
        os.close(descriptor)


def test_who_reads_no_more_gets_nothing_and_nothing_is_kept() -> None:
    reading, writing = os.pipe()
    outgoing = Outgoing()
    assert outgoing.put(writing, b"x" * 100_000) == ""
    os.close(reading)
    assert outgoing.push() == "nobody reads its output any more"
    assert outgoing.put(writing, b"more") == outgoing.drain() == outgoing.closed
    assert (outgoing.waiting, outgoing.blocked) == (0, ())
    os.close(writing)


def test_a_full_device_is_said_to_be_full() -> None:
    with open("/dev/full", "wb") as full:
        assert "No space left on device" in Outgoing().put(full.fileno(), b"x")


@pytest.mark.root
def test_a_pipe_of_another_user_does_not_hold_us_either() -> None:
    reading, writing = os.pipe()
    outgoing = Outgoing()
    os.seteuid(65534)
    try:
        for _ in range(100):
            assert outgoing.put(writing, b"x" * 5000) == ""
    finally:
        os.seteuid(0)
    assert outgoing.blocked == (writing,)
    os.close(reading)
    os.close(writing)


def test_it_leaves_no_descriptor() -> None:
    reading, writing = os.pipe()
    before = os.listdir("/proc/self/fd")
    assert write_all(writing, b"x") == ""
    assert os.listdir("/proc/self/fd") == before
    os.close(reading)
    os.close(writing)
