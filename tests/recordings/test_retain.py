"""Retention: what has to go, and that it goes whole, oldest first, and never what is tagged or goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.recordings.test_recordings import RESULT, make_run
from toolkit.recordings.prune import prune_recordings
from toolkit.recordings.retain import Rules, Stored, choose_doomed
from toolkit.recordings.tags import add_tags
from toolkit.recordings.write import Recorder

NOW = 1_000_000.0


def stored(*ages: float, **changes: bool) -> tuple[Stored, ...]:
    return tuple(Stored(id=f"{age:g}", started=NOW - age, bytes=100, **changes) for age in ages)


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (Rules(), ()),
        (Rules(seconds=20), ("40", "30")),
        (Rules(count=3), ("40",)),
        (Rules(bytes=250), ("40", "30")),
        (Rules(bytes=50), ("40", "30", "20", "10")),
        (Rules(seconds=35, count=2, bytes=1000), ("40", "30")),
    ],
)
def test_each_bound_lets_the_newest_stay(rules: Rules, gone: tuple[str, ...]) -> None:
    assert tuple(one.id for one in choose_doomed(stored(10, 20, 30, 40), rules, NOW)) == gone


@pytest.mark.parametrize("kept", [{"tagged": True}, {"running": True}])
def test_what_is_tagged_or_goes_on_stays_and_counts_for_nothing(kept: dict[str, bool]) -> None:
    every = (*stored(1, 2, 3, **kept), *stored(10, 20))
    assert [one.id for one in choose_doomed(every, Rules(count=1, bytes=100), NOW)] == ["20"]


def test_tagged_ones_go_where_that_is_asked_for() -> None:
    assert len(choose_doomed(stored(10, 20, tagged=True), Rules(count=1, tagged=True), NOW)) == 1


def names(folder: Path) -> list[str]:
    return sorted(name[:8] for name in os.listdir(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four of 2026: the first is tagged, and the run of the last goes on."""
    place = tmp_path / "recordings"
    for day in (1, 2, 3):
        Recorder(place, make_run(f"2026112{day}T100000Z-runqlat-000{day}")).finish(RESULT)
    add_tags(place / "20261121T100000Z-runqlat-0001", tmp_path / "index", ("keep",))
    return place


def test_pruning_removes_whole_folders_oldest_first(folder: Path) -> None:
    going_on = Recorder(folder, make_run("20261124T100000Z-runqlat-0004"))
    rules = Rules(seconds=1)
    dry = prune_recordings(folder, Rules(count=1), dry=True)
    assert [one.id[:8] for one in dry.removed] == ["20261122"]
    assert len(names(folder)) == 4
    pruned = prune_recordings(folder, Rules(bytes=1))
    assert [one.id[:8] for one in pruned.removed] == ["20261122", "20261123"]
    assert pruned.bytes > 0
    assert names(folder) == ["20261121", "20261124"]
    assert not prune_recordings(folder, rules).problem
    assert (going_on.path / "stdout").exists()
    going_on.finish(RESULT)


def test_no_time_means_that_nothing_goes_and_says_so(folder: Path) -> None:
    pruned = prune_recordings(folder, Rules(bytes=1), seconds=-1.0)
    assert not pruned.removed
    assert "left for the next time" in pruned.problem


def test_links_and_strange_names_are_left_alone(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("")
    (folder / "20200101T000000Z-x-link").symlink_to(outside)
    (folder / "20209999T000000Z-x-0000").mkdir()
    (folder / "notes").mkdir()
    inside = folder / "20261122T100000Z-runqlat-0002" / "link"
    inside.symlink_to(outside)
    prune_recordings(folder, Rules(bytes=1))
    assert (outside / "precious").exists()
    assert names(folder) == ["20200101", "20209999", "20261121", "notes"]


def test_what_a_killed_one_left_is_swept(folder: Path) -> None:
    gone, unborn, fresh = (
        folder / f"{mark}20261101T000000Z-x-000{number}" for number, mark in enumerate((".gone-", ".new-", ".new-"))
    )
    for place in (gone, unborn, fresh):
        place.mkdir()
    os.utime(unborn, (1, 1))
    prune_recordings(folder, Rules(count=100))
    assert [place.exists() for place in (gone, unborn, fresh)] == [False, False, True]
