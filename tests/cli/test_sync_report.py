"""The summary of a sync: what it names, what it bounds, and that it fits the terminal."""

from __future__ import annotations

import msgspec
import pytest

from toolkit.cli.sync_report import Outcome, describe_problems, format_outcome
from toolkit.snapshot.compare import Difference
from toolkit.snapshot.layout import Origin
from toolkit.snapshot.sync import SourceReport, SyncReport

NOTHING = Difference(new=(), changed=(), gone=(), origins_new=(), origins_gone=())
OLD, NEW = "0123456789abcdef", "fedcba9876543210"


def origin(source: str, revision: str) -> Origin:
    return Origin(source=source, revision=revision, commit="c" * 40)


BCC = SourceReport(
    source="bcc",
    origins=(origin("bcc", "v0.26.0"), origin("bcc", "v0.37.0")),
    fetched=2,
    received=1 << 20,
    seconds=2.0,
    why={"v0.26.0": "the newest for bcc 0.26.0", "v0.37.0": "the newest release"},
)
BOOK = SourceReport(
    source="book",
    origins=(origin("book", "09f8a3a101fd"),),
    fetched=0,
    received=0,
    seconds=0.2,
    why={"09f8a3a101fd": "the newest commit"},
)
LOST = SourceReport(
    source="acme", origins=(), fetched=0, received=0, seconds=0.2, problem="no route", fix="look", notes=("acme: odd",)
)


def outcome(
    difference: Difference = NOTHING,
    *,
    before: str = OLD,
    after: str = NEW,
    sources: tuple[SourceReport, ...] = (),
    removed: tuple[str, ...] = (),
    now: tuple[str, ...] = (),
    no_more: tuple[str, ...] = (),
) -> Outcome:
    report = SyncReport(
        snapshot=after, before=before, difference=difference, sources=sources, removed=removed, seconds=2.5
    )
    return Outcome(shape=1, report=report, runs_now=now, runs_no_more=no_more)


def name_tools(count: int) -> tuple[str, ...]:
    return tuple(f"bcc/tool{number:03}" for number in range(count))


def test_each_revision_stands_with_its_reason_in_columns() -> None:
    lines = list(format_outcome(outcome(after=OLD, sources=(LOST, BCC, BOOK)), 80))
    assert lines[:5] == [
        "acme  FAILED               nothing is held of it",
        "bcc   fetched     1.0 MiB  v0.26.0       the newest for bcc 0.26.0",
        "                           v0.37.0       the newest release",
        "book  no news              09f8a3a101fd  the newest commit",
        "",
    ]
    assert lines[5] == f"Of the others nothing is new: snapshot {OLD} stands. It took 2.5 s."


def test_nothing_could_be_fetched_at_all() -> None:
    assert list(format_outcome(outcome(after=OLD, sources=(LOST,)), 80))[-1].startswith("Nothing could be fetched: ")
    none = list(format_outcome(outcome(before="", after="", sources=(LOST,)), 80))[-1]
    assert none == "There is no snapshot: nothing could be fetched."


def test_nothing_new_is_one_sentence() -> None:
    assert list(format_outcome(outcome(after=OLD), 80)) == [f"Nothing is new: snapshot {OLD} stands. It took 2.5 s."]


def test_a_source_that_was_not_asked_says_so() -> None:
    stays = msgspec.structs.replace(BOOK, asked=False, why={})
    assert next(format_outcome(outcome(sources=(stays,)), 80)) == (
        "book  not asked            09f8a3a101fd  kept as it was"
    )


def test_changes_are_named_by_kind() -> None:
    change = msgspec.structs.replace(NOTHING, new=("bcc/a", "bcc/b"), changed=("book/c",), gone=("bcc/d",))
    lines = list(format_outcome(outcome(change, now=("a",), no_more=("d", "e")), 80))
    assert lines == [
        f"Snapshot {NEW} is the current one; before it was {OLD}.",
        "     2 new               bcc/a, bcc/b",
        "     1 changed           book/c",
        "     1 gone              bcc/d",
        "     1 run here now      a",
        "     2 run here no more  d, e",
        "                         why: toolkit info d",
        "Received 0 B in 2.5 s.",
    ]


def test_a_snapshot_that_changes_no_tool_says_so() -> None:
    assert "  no tool is new, changed or gone" in list(format_outcome(outcome(), 80))


def test_many_names_are_cut_and_the_command_that_shows_them_is_named() -> None:
    change = msgspec.structs.replace(NOTHING, changed=name_tools(25))
    text = "\n".join(format_outcome(outcome(change), 80))
    assert "tool019" in text
    assert "tool020" not in text
    assert f"and 5 more: toolkit snapshots diff {OLD}" in text


def test_no_command_is_named_that_could_not_show_them() -> None:
    change = msgspec.structs.replace(NOTHING, changed=name_tools(25))
    text = "\n".join(format_outcome(outcome(change, removed=(OLD,)), 80))
    assert "tool024" in text
    assert "snapshots diff" not in text


def test_the_first_sync_counts_by_source() -> None:
    change = msgspec.structs.replace(NOTHING, new=(*name_tools(140), "book/x", "book/y"))
    text = "\n".join(format_outcome(outcome(change, before=""), None))
    assert f"Snapshot {NEW} is the first. It has 142 tools: 140 of bcc, 2 of book." in text
    assert "tool000" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    long = msgspec.structs.replace(BOOK, why={"09f8a3a101fd": "a reason of many words " * 8})
    change = msgspec.structs.replace(NOTHING, new=name_tools(99), changed=name_tools(99), gone=name_tools(99))
    done = outcome(change, sources=(BCC, long), now=name_tools(99), no_more=name_tools(99))
    assert max(len(line) for line in format_outcome(done, width)) <= width


def test_names_from_outside_are_made_printable() -> None:
    change = msgspec.structs.replace(NOTHING, new=("acme/\x1b[2J",))
    assert "\x1b" not in "\n".join(format_outcome(outcome(change), 80))


def test_problems_come_with_their_fix_and_notes_alone() -> None:
    found = list(describe_problems(outcome(sources=(BCC, LOST)).report))
    assert found == [("acme: odd", ""), ("acme: no route", "look")]
