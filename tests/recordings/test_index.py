"""The index: it answers what the folders hold, notices what changed there, and never fails for what became of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.conftest import ROOT
from tests.recordings.test_recordings import RESULT, make_run
from toolkit.recordings import index
from toolkit.recordings.index import find_ids
from toolkit.recordings.layout import Query, RunRecord, State
from toolkit.recordings.tags import add_tags, remove_tags
from toolkit.recordings.write import Recorder
from toolkit.runs import Outcome

IDS = tuple(f"2026112{day}T100000Z-runqlat-000{day}" for day in (3, 2, 1))


def record(folder: Path, identifier: str, outcome: Outcome = Outcome.ENDED, **changes: object) -> RunRecord:
    run = msgspec.structs.replace(make_run(identifier), **changes)
    Recorder(folder, run).finish(msgspec.structs.replace(RESULT, outcome=outcome))
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings that differ in everything that can be asked for."""
    place = tmp_path / "recordings"
    record(place, IDS[0], tool="runqlat", host="web1", user="ada", started=3000.0)
    record(place, IDS[1], Outcome.LIMIT, tool="biolatency", category="disk", host="web2", user="bob", started=2000.0)
    record(place, IDS[2], Outcome.OUTPUT_CLOSED, tool="tcplife", category="net", variant="bcc/tcplife", started=1000.0)
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "recordings.sqlite"


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust a folder's time at once, so that what the index holds is what answers."""
    monkeypatch.setattr(index, "SETTLED", -(10**18))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(), IDS),
        (Query(tool="biolatency"), IDS[1:2]),
        (Query(category="net"), IDS[2:]),
        (Query(variant="bcc/tcplife"), IDS[2:]),
        (Query(host="web2"), IDS[1:2]),
        (Query(user="bob"), IDS[1:2]),
        (Query(state=State.LIMIT), IDS[1:2]),
        (Query(state=State.OUTPUT_CLOSED), IDS[2:]),
        (Query(since=2000.0), IDS[:2]),
        (Query(until=2000.0), IDS[2:]),
        (Query(since=1500.0, until=2500.0, user="bob"), IDS[1:2]),
        (Query(tool="' OR 1=1 --"), ()),
    ],
)
def test_it_answers_every_question(folder: Path, file: Path, query: Query, wanted: tuple[str, ...]) -> None:
    assert find_ids(folder, file, query, 10) == wanted
    assert find_ids(folder, file, query, 10) == wanted


def test_a_limit_keeps_the_newest(folder: Path, file: Path) -> None:
    assert find_ids(folder, file, Query(), 2) == IDS[:2]


def test_what_is_added_and_removed_by_hand_is_noticed(folder: Path, file: Path) -> None:
    find_ids(folder, file, Query(), 10)
    shutil.rmtree(folder / IDS[1])
    copied = "20261124T100000Z-runqlat-0004"
    shutil.copytree(folder / IDS[0], folder / copied)
    assert find_ids(folder, file, Query(), 10) == (copied, IDS[0], IDS[2])


def test_what_is_added_since_is_not_held_against_all(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "zz-not-a-recording").touch()
    find_ids(folder, file, Query(), 10)
    with monkeypatch.context() as later_ones:
        later_ones.setattr(index, "_read_known", lambda _: pytest.fail("it read all names"))
        for number in (5, 6):
            record(folder, f"20261125T10000{number}Z-runqlat-0005")
            find_ids(folder, file, Query(), 10)
    shutil.rmtree(folder / IDS[2])
    copied = "20261101T100000Z-runqlat-0007"  # earlier than all, in place of one that went
    shutil.copytree(folder / IDS[0], folder / copied)
    record(folder, "20261125T100008Z-runqlat-0008")
    found = find_ids(folder, file, Query(), 10)
    assert [name[-1] for name in found] == ["8", "5", "5", *(one[-1] for one in IDS[:2]), "7"]


def test_nothing_is_listed_again_while_the_folder_stays_the_same(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_ids(folder, file, Query(), 10)
    monkeypatch.setattr(index, "list_raw_names", lambda _: pytest.fail("it listed the folder"))
    monkeypatch.setattr(index, "read_recording", lambda _: pytest.fail("it read a recording"))
    assert find_ids(folder, file, Query(), 10) == IDS


def test_a_folder_that_changed_just_now_is_looked_at_again(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "SETTLED", 10**18)
    find_ids(folder, file, Query(), 10)
    monkeypatch.setattr(index, "list_raw_names", lambda _: pytest.fail("listed"))
    with pytest.raises(pytest.fail.Exception, match="listed"):
        find_ids(folder, file, Query(), 10)


def test_tags_are_found_as_soon_as_they_are_given_or_taken(folder: Path, file: Path) -> None:
    find_ids(folder, file, Query(), 10)
    add_tags(folder / IDS[1], file, ("incident-42", "keep"))
    assert find_ids(folder, file, Query(tags=("keep",)), 10) == IDS[1:2]
    assert find_ids(folder, file, Query(tags=("keep", "incident-42")), 10) == IDS[1:2]
    assert find_ids(folder, file, Query(tags=("incident",)), 10) == ()
    remove_tags(folder / IDS[1], file, ("keep",))
    assert find_ids(folder, file, Query(tags=("keep",)), 10) == ()


def test_a_run_that_goes_on_ends_or_crashes(folder: Path, file: Path) -> None:
    recorders = [Recorder(folder, make_run(f"2026113{day}T000000Z-runqlat-00a{day}")) for day in (0, 1)]
    assert len(find_ids(folder, file, Query(state=State.RUNNING), 10)) == 2
    recorders[0].finish(RESULT)
    name = recorders[1].path.name
    del recorders  # as the kernel does with the lock of a process that dies
    assert find_ids(folder, file, Query(state=State.RUNNING), 10) == ()
    assert find_ids(folder, file, Query(state=State.CRASHED), 10) == (name,)


def test_a_recording_that_is_copied_piece_by_piece_is_read_when_it_is_whole(folder: Path, file: Path) -> None:
    name = "20261125T000000Z-runqlat-000b"
    (folder / name).mkdir()
    assert find_ids(folder, file, Query(), 10) == IDS
    shutil.copy(folder / IDS[0] / "run.json", folder / name)
    assert find_ids(folder, file, Query(state=State.CRASHED), 10) == (name,)
    shutil.copy(folder / IDS[0] / "result.json", folder / name)
    assert find_ids(folder, file, Query(state=State.ENDED), 10) == (name, IDS[0])


def write_garbage(file: Path) -> None:
    file.write_bytes(b"not a database" * 1000)


def cut_in_half(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def give_another_shape(file: Path) -> None:
    db = sqlite3.connect(file)
    db.executescript("DROP TABLE recordings; CREATE TABLE recordings (id TEXT); PRAGMA user_version = 99")
    db.close()


def put_a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("harm", [Path.unlink, write_garbage, cut_in_half, give_another_shape, put_a_fifo])
def test_one_that_is_missing_or_damaged_is_made_anew(folder: Path, file: Path, harm: object) -> None:
    find_ids(folder, file, Query(), 10)
    assert callable(harm)
    harm(file)
    assert find_ids(folder, file, Query(), 10) == IDS
    db = sqlite3.connect(file)
    assert db.execute("SELECT count(*) FROM recordings").fetchone() == (3,)
    db.close()


def test_one_that_cannot_be_written_is_answered_for_in_memory(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert find_ids(folder, tmp_path / "file" / "recordings.sqlite", Query(), 10) == IDS


def test_while_another_writes_a_copy_answers(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PATIENCE", 0.05)
    find_ids(folder, file, Query(), 10)
    new = record(folder, "20261124T100000Z-runqlat-0004")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert find_ids(folder, file, Query(), 10) == (new.id, *IDS)
    other.execute("ROLLBACK")
    other.close()


def test_two_that_make_it_at_once_both_answer(folder: Path, file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from toolkit.recordings.index import find_ids;"
        "from toolkit.recordings.layout import Query; print(len(find_ids(*map(Path, sys.argv[1:]), Query(), 10)))"
    )
    command = (sys.executable, "-c", code, str(folder), str(file))
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [one.communicate()[0].strip() for one in both] == ["3"] * 4


def test_no_folder_means_no_recordings(tmp_path: Path, file: Path) -> None:
    assert find_ids(tmp_path / "none", file, Query(), 10) == ()
