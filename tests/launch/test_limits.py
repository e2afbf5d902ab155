"""Every misbehaviour under every limit, by the means that this host has and by watching alone: how it ends, in which
words, and that nothing is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plans import WATCHED, fake_tool, plan_for
from tests.support.processes import find_run
from toolkit.host.means import find_enforcement
from toolkit.launch import keeper
from toolkit.launch.cgroups import PREFIX, Group, list_settings, remove_dead, scope_call
from toolkit.launch.processes import MARK, list_marked, make_mark
from toolkit.launch.supervise import Sinks, supervise
from toolkit.runs import Enforcement, Limits, Means, Outcome, Plan, Result

MIB = 1 << 20
SMALL = 64 * MIB
KEPT = 1 << 16  # bytes of what a tool prints: floods come in gigabytes
HERE = find_enforcement()
BOTH = pytest.mark.parametrize("enforcement", [HERE, WATCHED], ids=["by the kernel", "by watching"])


def run(plan: Plan) -> tuple[Result, bytes]:
    printed = b""

    def take(data: bytes) -> str:
        nonlocal printed
        printed = (printed + data)[-KEPT:]
        return ""

    return supervise(plan, Sinks(stdout=take, stderr=take, cost=lambda _: None)), printed


def find_groups() -> set[str]:
    places = set(HERE.folders.values())
    return {f"{place}/{name}" for place in places for name in os.listdir(place) if name.startswith(PREFIX)}


def find_own_groups() -> set[str]:
    """Those of runs of this very process: other tests may run at the same time."""
    return {group for group in find_groups() if Path(group).name.startswith(f"{PREFIX}{os.getpid()}.")}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    assert find_own_groups() == set()
    assert find_run(os.getpid()) == []


def stopped_by(result: Result) -> tuple[Outcome, int, str]:
    return result.outcome, result.status, result.limit


LIMITED = (Outcome.LIMIT, 124)


@BOTH
@pytest.mark.parametrize("kind", ["slowly", "apart"])
def test_one_that_takes_memory_is_asked_to_end_while_it_can(kind: str, enforcement: Enforcement) -> None:
    result, printed = run(plan_for(*fake_tool("greedy", kind), memory_bytes=SMALL, enforcement=enforcement))
    assert stopped_by(result) == (*LIMITED, "memory")
    assert "more than 64 MiB of memory" in result.detail
    assert kind == "apart" or printed.endswith(b"the map\n")


@pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here")
def test_the_kernel_ends_one_that_takes_it_all_at_once() -> None:
    result, _ = run(plan_for(*fake_tool("greedy", "at-once"), memory_bytes=SMALL, enforcement=HERE))
    assert stopped_by(result) == (*LIMITED, "memory")
    assert result.tool_status == -9


def test_where_only_we_watch_one_process_cannot_get_it_all_at_once() -> None:
    result, printed = run(plan_for(*fake_tool("greedy", "at-once"), memory_bytes=SMALL))
    assert (result.outcome, result.tool_status) == (Outcome.ENDED, 1)
    assert b"MemoryError" in printed


@BOTH
@pytest.mark.parametrize("words", [(), ("stubborn",)])
def test_a_thousand_children_are_too_many(words: tuple[str, ...], enforcement: Enforcement) -> None:
    grace = 0.2 if words else 20
    result, printed = run(plan_for(*fake_tool("spawns", *words), processes=20, grace=grace, enforcement=enforcement))
    assert stopped_by(result) == (*LIMITED, "processes")
    assert "more than 20 processes" in result.detail
    held = enforcement.means is not Means.WATCHING
    assert not held or printed.endswith(b"the map\n") != bool(words)


@BOTH
def test_one_that_spins_is_stopped_after_three_seconds_at_its_share(enforcement: Enforcement) -> None:
    result, printed = run(plan_for(*fake_tool("spins"), cpu=20, enforcement=enforcement))
    assert stopped_by(result) == (*LIMITED, "cpu")
    assert "20 % of a CPU" in result.detail
    assert printed.endswith(b"the map\n")


def test_one_that_spins_is_left_alone_without_a_limit() -> None:
    result, _ = run(plan_for(*fake_tool("spins"), deadline=0.5, asked=True, enforcement=HERE))
    assert result.outcome is Outcome.DURATION


def test_a_flood_is_stopped_for_its_rate_before_its_size() -> None:
    result, printed = run(plan_for(*fake_tool("flood", "slowly"), output_bytes=1 << 50, output_rate=1024))
    assert stopped_by(result) == (*LIMITED, "output_rate")
    assert "more than 1 KiB a second" in result.detail
    assert printed.endswith(b"last words\n")


def test_a_flood_is_stopped_for_its_size() -> None:
    result, _ = run(plan_for(*fake_tool("flood"), output_bytes=MIB, enforcement=HERE))
    assert stopped_by(result) == (*LIMITED, "output_bytes")


# What each kind has printed when its deadline is over.
DEADLINES = {
    "stops": b"the map\n",
    "closes": b"started\n",
    "polite": b"the map\n",
    "deaf": b"deaf\n",
    "deaf term": b"deaf\n",
    "forks many x": b"",  # it may still be forking
    "spawns": b"the map\n",
}


@BOTH
@pytest.mark.parametrize("words", DEADLINES)
def test_a_deadline_ends_every_kind(words: str, enforcement: Enforcement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "TERM_PATIENCE", 0.2)
    grace = 0.2 if words.startswith("deaf") else 20
    plan = plan_for(*fake_tool(*words.split()), deadline=0.6, grace=grace, processes=2000, enforcement=enforcement)
    result, printed = run(plan)
    assert stopped_by(result) == (*LIMITED, "duration")
    assert DEADLINES[words] in printed


@pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here")
def test_a_cgroup_that_cannot_be_had_leaves_the_run_watched_and_says_so() -> None:
    nowhere = Enforcement(means=Means.CGROUP1, folders={"memory": "/nonexistent"})
    plan = plan_for(*fake_tool("greedy", "slowly"), memory_bytes=SMALL, enforcement=nowhere)
    result, _ = run(plan)
    assert "No such file" in result.unheld
    assert stopped_by(result) == (*LIMITED, "memory")


@pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here")
def test_the_next_run_removes_what_a_dead_one_left() -> None:
    dead = Group(HERE, f"{2**22 - 3}.1.{os.getpid()}")
    mine = Group(HERE, make_mark())
    dead.make(Limits())
    mine.make(Limits())
    remove_dead(HERE)
    assert not [folder for folder in dead.folders.values() if Path(folder).exists()]
    assert all(Path(folder).exists() for folder in mine.folders.values())
    mine.remove()


def test_memory_of_both_versions_is_bounded_hard_and_asked_for_softly() -> None:
    limits = Limits(memory_bytes=100 * MIB, cpu=50, processes=7)
    second = {file: value for _, file, value, _ in list_settings(limits, 2)}
    assert (second["memory.max"], second["memory.high"]) == (str(100 * MIB), str(90 * MIB))
    assert (second["cpu.max"], second["pids.max"]) == ("50000 100000", "7")
    first = {file: value for _, file, value, _ in list_settings(limits, 1)}
    assert (first["memory.limit_in_bytes"], first["cpu.cfs_quota_us"]) == (str(100 * MIB), "50000")


def test_a_scope_is_asked_for_with_as_many_properties_as_it_says() -> None:
    call = scope_call("toolkit-1.scope", 42, Limits(cpu=50))
    at = call.index("fail")
    count = int(call[at + 1])
    assert call[at + 2 : at + 6] == ("PIDs", "au", "1", "42")
    assert (len(call) - at - 6 - 1) / 3 == count - 1
    assert call[-4:] == ("CPUQuotaPerSecUSec", "t", "500000", "0")


def test_marks_name_a_living_launcher() -> None:
    mark = make_mark()
    assert list_marked(f"{MARK}={mark}".encode()) == []
    assert mark.startswith(f"{os.getpid()}.")
