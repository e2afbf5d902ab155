"""How fast text becomes frames: by the CPU that each shape takes, and a stream of 1 GiB at the pace of a run.

A run reads no more than a share of the time allows and hands on the rest unread (`toolkit/output/pace.py`): what its
output waits for is then little, whatever a tool prints.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterable

from scripts.bench.measure import Options, judge, print_line
from toolkit.output.frames import Text
from toolkit.output.pace import Pace
from toolkit.output.parser import Stream
from toolkit.runs import Form

PIECE = 1 << 16  # bytes, what a read of a pipe gives
SIZE = 1 << 30
SAMPLE = 0.3  # seconds of CPU for each figure
RUNS = 3
LEAST = 50.0  # MB/s, of tables
GROWTH = 8.0  # MiB, that 1 GiB may leave

EVENTS = b"TIME     COMM           PID    T BYTES   LAT(ms) FILENAME\n"
EVENT = b"12:00:01 writer         12345  W 1048576   12.73 /var/lib/data/16384/2601\n"
SHAPES = {
    "events": (EVENTS, EVENT, LEAST),
    "events of two columns": (b"PID    COMM\n", b"12345  writer\n", None),
    "events whose last cell holds spaces": (b"PID RET ARGS\n", b"12345 0 /bin/ls --color=auto -l /tmp\n", None),
    "comma-separated rows": (b"TIME,COMM,PID,BYTES\n", b"127200712278,writer,17225,128\n", LEAST),
    "folded stacks": (b"", b"writer;main;run;write;entry_SYSCALL_64;vfs_write;submit 12\n", None),
    "entries of a map": (b"", b"@reads[writer, 12345]: 17\n", None),
    "rows of histograms": (b"", b"     usecs   : count    distribution\n" + b"   4 -> 7   : 27   |****|\n" * 20, None),
    "sentences": (b"", b"This line of text says nothing that could be read as data.\n", None),
    "lines of one letter": (b"", b"y\n", None),
}


def measure(options: Options) -> None:
    """Each shape alone, then the streams."""
    for title, (header, row, least) in SHAPES.items():
        rate = statistics.median(_find_rate(header, row) for _ in range(min(options.runs, RUNS)))
        missed = f"  (at least {least:g}){'' if rate >= least else '  MISSED'}" if least else ""
        print_line(title, f"{rate:9.1f} MB/s{missed}")
    for title in ("events", "lines of one letter"):
        header, row, _ = SHAPES[title]
        _measure_stream(f"1 GiB of {title}", header, row)


def _make_piece(row: bytes) -> bytes:
    return row * max(PIECE // len(row), 1)


def _find_rate(header: bytes, row: bytes) -> float:
    """MB that are read in a second of CPU."""
    stream = Stream(Form.TEXT)
    stream.feed(header)
    piece = _make_piece(row)
    done = 0
    started = time.process_time()
    while (spent := time.process_time() - started) < SAMPLE:
        stream.feed(piece)
        done += len(piece)
    return done / 1e6 / spent


def _measure_stream(title: str, header: bytes, row: bytes) -> None:
    """What reading adds to a flood that comes as fast as it is taken, and what of it is read."""
    stream = Stream(Form.TEXT, Pace(time.monotonic, time.thread_time))
    piece = _make_piece(row)
    before = _find_memory()
    started = time.perf_counter()
    unread = _count_unread(stream.feed(header))
    for _ in range(SIZE // len(piece)):
        unread += _count_unread(stream.feed(piece))
    unread += _count_unread(stream.finish())
    seconds = time.perf_counter() - started
    grown = (_find_memory() - before) / (1 << 20)
    print_line(title, f"{SIZE / 1e6 / seconds:9.0f} MB/s  {seconds:.2f} s, {unread / SIZE * 100:.0f} % of it unread")
    print_line("  memory that it leaves", f"{grown:9.1f} MiB{judge(grown, GROWTH, ' MiB')}")


def _count_unread(frames: Iterable[object]) -> int:
    return sum(frame.size for frame in frames if isinstance(frame, Text) and frame.unread)


def _find_memory() -> int:
    """The peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
