"""What the display of a sync shows: decided without a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolkit.cli.progress import Board, Row, count_packs, format_clock, format_rows, format_step
from toolkit.snapshot.progress import Phase, Step
from toolkit.sources.git_store import GitStore


def row(name: str, phase: Phase | None, text: str = "", received: int = 0, seconds: float = 0.0) -> Row:
    return Row(name=name, phase=phase, text=text, received=received, seconds=seconds)


def test_what_draws_is_loaded_when_something_is_drawn() -> None:
    code = "import sys, toolkit.cli.sync; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_row_a_source_in_columns() -> None:
    rows = (
        row("acme", None),
        row("bcc", Phase.FETCHING, "v0.26.0 (the newest for bcc 0.26.0)", 632 << 10, 3.9),
        row("bpftrace", Phase.FAILED, "no route", seconds=75),
        row("", Phase.BUILDING, "a snapshot of 601 files", seconds=0.2),
    )
    assert [line for line, _ in format_rows(rows, 80, 24)] == [
        "acme      waiting",
        "bcc       fetching     632 KiB   0:03  v0.26.0 (the newest for bcc 0.26.0)",
        "bpftrace  FAILED                 1:15  no route",
        "          building               0:00  a snapshot of 601 files",
    ]


@pytest.mark.parametrize("width", [2, 10, 40, 80, 200])
def test_no_line_reaches_the_last_column(width: int) -> None:
    rows = (row("a-source-with-a-name-of-40-characters-x", Phase.ASKING, "x" * 300),) * 3
    assert max(len(line) for line, _ in format_rows(rows, width, 24)) <= width - 1


def test_what_goes_on_is_shown_where_not_all_fit_and_the_rest_is_counted() -> None:
    phases = [*[Phase.FETCHED] * 30, Phase.FETCHING, Phase.FAILED, None, Phase.ASKING, *[None] * 30]
    rows = tuple(row(f"s{number:02}", phase) for number, phase in enumerate(phases))
    lines = [line for line, _ in format_rows(rows, 80, 8)]
    assert [line[:3] for line in lines[:-1]] == ["s00", "s01", "s30", "s31", "s33"]
    assert lines[-1] == "31 of 64 are done"


def test_a_clock_counts_whole_seconds() -> None:
    assert [format_clock(seconds) for seconds in (0.99, 75.9, 3599, 3600, 86399)] == [
        "0:00",
        "1:15",
        "59:59",
        "1:00:00",
        "23:59:59",
    ]


def test_bytes_grow_from_what_was_held_and_never_shrink() -> None:
    packs = iter((1000, 1000, 1400, 0, 1500, 1500, 1700))
    board = Board(("bcc",), lambda _: next(packs))
    assert board.rows() == (row("bcc", None),)
    board.take(Step(source="bcc", phase=Phase.FETCHING, text="v1"))
    assert [board.rows()[0].received for _ in range(4)] == [0, 400, 400, 500]
    board.take(Step(source="bcc", phase=Phase.FETCHING, text="v2"))  # a second revision adds to the first
    assert board.rows()[0].received == 700
    board.take(Step(source="bcc", phase=Phase.FETCHED, text="v1, v2", received=690))
    assert (board.rows()[0].received, board.rows()[0].phase) == (690, Phase.FETCHED)


def test_the_clock_of_a_source_stops_when_it_ends() -> None:
    board = Board(("bcc", "book"), lambda _: 0)
    for name in ("bcc", "book"):
        board.take(Step(source=name, phase=Phase.ASKING))
    board.take(Step(source="bcc", phase=Phase.NO_NEWS))
    first, second = board.rows(), board.rows()
    assert first[0].seconds == second[0].seconds
    assert first[1].seconds < second[1].seconds


def test_text_from_outside_is_one_printable_line() -> None:
    step = Step(source="acme", phase=Phase.FAILED, text="a\x1b[2Jb\nc\r\u202ed")
    board = Board(("acme",), lambda _: 0)
    board.take(step)
    assert board.rows()[0].text == "a?[2Jb?c??d"
    assert format_step(step) == "acme: failed: a?[2Jb?c??d"


def test_what_a_fetch_brought_so_far_is_counted(tmp_path: Path) -> None:
    store = GitStore(tmp_path / "x.git")
    assert count_packs(store) == 0
    store.packs.mkdir(parents=True)
    (store.packs / "pack-1.pack").write_bytes(b"x" * 100)
    (store.packs / "pack-1.idx").write_bytes(b"x" * 1000)
    (store.packs / "tmp_pack_a1b2c3").write_bytes(b"x" * 23)
    assert count_packs(store) == 123
