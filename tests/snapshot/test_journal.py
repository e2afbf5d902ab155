"""How syncs went, in writing: nothing is lost by two at once, a crash in the middle of a line, or time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from toolkit.errors import StateError
from toolkit.paths import Paths
from toolkit.snapshot.compare import Difference
from toolkit.snapshot.journal import (
    LARGEST_LOG,
    Attempt,
    Journal,
    SourceState,
    add_failure,
    add_report,
    append_log,
    change_journal,
    read_journal,
)
from toolkit.snapshot.sync import SourceReport, SyncReport

NOTHING = Difference(new=(), changed=(), gone=(), origins_new=(), origins_gone=())
BOTH = frozenset({"acme", "bcc"})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


def report(*failing: str, notes: tuple[str, ...] = ()) -> SyncReport:
    sources = tuple(
        SourceReport(
            source=name,
            origins=(),
            fetched=0,
            received=0,
            seconds=0.1,
            problem="gone" if name in failing else "",
            fix="look at it" if name in failing else "",
            notes=notes,
        )
        for name in sorted(BOTH)
    )
    return SyncReport(snapshot="s1", before="s0", difference=NOTHING, sources=sources, removed=(), seconds=1.5)


def test_a_success_is_the_last_attempt_and_the_last_success() -> None:
    journal = add_report(Journal(), report(notes=("a tag moved",)), BOTH, 100.0)
    assert journal.last == journal.last_success
    assert journal.last == Attempt(
        ended=100.0, seconds=1.5, success=True, snapshot="s1", notes=("a tag moved", "a tag moved")
    )
    assert [(one.source, one.last_success, one.problem) for one in journal.sources] == [
        ("acme", 100.0, ""),
        ("bcc", 100.0, ""),
    ]


def test_a_source_that_fails_keeps_the_time_of_its_last_success() -> None:
    good = add_report(Journal(), report(), BOTH, 100.0)
    bad = add_report(good, report("bcc"), BOTH, 200.0)
    assert bad.last is not None
    assert not bad.last.success
    assert bad.last_success == good.last
    assert bad.sources == (
        SourceState(source="acme", asked=200.0, last_success=200.0),
        SourceState(source="bcc", asked=200.0, last_success=100.0, problem="gone", fix="look at it"),
    )
    never = add_report(Journal(), report("bcc"), BOTH, 100.0)
    assert (never.last_success, never.sources[1].last_success) == (None, None)


def test_a_source_that_was_not_asked_stays_as_it_was_and_one_that_is_no_more_goes() -> None:
    before = add_report(Journal(), report("bcc"), BOTH, 100.0)
    with_old = msgspec.structs.replace(
        before, sources=(*before.sources, SourceState(source="old", asked=1.0, last_success=1.0))
    )
    after = add_report(with_old, report(), frozenset({"acme"}), 200.0)
    assert [(one.source, one.asked, one.problem) for one in after.sources] == [
        ("acme", 200.0, ""),
        ("bcc", 100.0, "gone"),
    ]


def test_a_sync_that_could_not_be_done_leaves_all_but_the_last_attempt() -> None:
    good = add_report(Journal(), report(), BOTH, 100.0)
    bad = add_failure(good, "no space", "s1", 0.5, 200.0)
    assert bad.last == Attempt(ended=200.0, seconds=0.5, success=False, snapshot="s1", problem="no space")
    assert (bad.last_success, bad.sources) == (good.last_success, good.sources)


def test_it_is_written_and_read_back_and_one_that_is_not_whole_is_none(paths: Paths) -> None:
    journal = change_journal(paths, lambda one: add_report(one, report("bcc"), BOTH, 100.0), ())
    assert read_journal(paths.journal) == journal
    assert paths.journal.stat().st_mode & 0o777 == 0o600
    not_utf8, endless = b'{"last": {"problem": "\xff"}}', b'{"last": ' + b"[" * 100_000
    for damaged in (b"", b'{"shape": 1', b"\xff", not_utf8, endless, b'{"shape": 1, "lst": null}'):
        paths.journal.write_bytes(damaged)
        assert read_journal(paths.journal) == Journal()
    assert change_journal(paths, lambda one: add_failure(one, "x", "", 0, 1.0), ()).last is not None


def test_two_at_once_lose_nothing(paths: Paths) -> None:
    def add_one(number: int) -> None:
        name = f"source{number:02}"
        change_journal(
            paths,
            lambda one: msgspec.structs.replace(
                one, sources=(*one.sources, SourceState(source=name, asked=1.0, last_success=None))
            ),
            (name,),
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(12)))
    assert sorted(one.source for one in read_journal(paths.journal).sources) == [f"source{n:02}" for n in range(12)]
    assert len(paths.sync_log.read_text().splitlines()) == 12


def test_a_line_that_a_crash_left_half_does_not_spoil_the_next(paths: Paths) -> None:
    append_log(paths, ("one",))
    with paths.sync_log.open("a") as file:
        file.write("2026-11-25T02:17:00Z tw")
    append_log(paths, ("three", "four"))
    lines = paths.sync_log.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "tw", "three", "four"]
    assert lines[0][10] == "T"
    assert lines[0][19] == "Z"


def test_the_log_stays_small_and_keeps_what_came_before(paths: Paths) -> None:
    lines = tuple(f"{number} {'x' * 900}" for number in range(100))
    for _ in range(9):
        append_log(paths, lines)
    kept = sorted(path.name for path in paths.state.glob("sync.log*"))
    assert kept == ["sync.log", "sync.log.1"]
    for name in kept:
        assert 0 < (paths.state / name).stat().st_size <= LARGEST_LOG
        assert (paths.state / name).read_text().endswith("\n")


def test_a_hostile_name_makes_no_line_of_its_own_and_no_endless_one(paths: Paths) -> None:
    append_log(paths, ("acme: \x1b[2Ja\n2026-01-01T00:00:00Z sync done\udcff", "y" * 10_000))
    first, second = paths.sync_log.read_text().splitlines()
    assert first.endswith("acme: ?[2Ja 2026-01-01T00:00:00Z sync done?")
    assert len(second) < 1100


def test_a_hostile_name_does_not_keep_the_journal_from_being_written(paths: Paths) -> None:
    hostile = report("bcc", notes=("\x1b[2J\udcff",))
    journal = change_journal(paths, lambda one: add_report(one, hostile, BOTH, 1.0), ())
    assert journal.last is not None
    assert journal.last.notes[0] == "?[2J?"


def test_what_cannot_be_written_is_named_with_its_cause(paths: Paths, tmp_path: Path) -> None:
    paths.state.mkdir()
    paths.sync_log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match=r"cannot write .*sync\.log"):
        append_log(paths, ("x",))
    assert not (tmp_path / "elsewhere").exists()
