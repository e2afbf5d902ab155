"""What BPF programs cost, by who holds them."""

from __future__ import annotations

import pytest

from toolkit.launch.load import Held, Holder, Loaded, measure_load

TOOL = Holder(pid=20, name="runqlat", run="10.5")
LAUNCHER = Holder(pid=10, name="toolkit")


def loaded(number: int, *holders: Holder, ns: int = 0, count: int = 0) -> Loaded:
    return Loaded(id=number, name=f"p{number}", type="tracing", holders=holders, run_ns=ns, run_count=count)


def test_rates_are_those_between_two_looks() -> None:
    load = measure_load([loaded(1, TOOL, ns=10**9, count=5)], [loaded(1, TOOL, ns=10**9 + 10**7, count=10_005)], 2.0)
    (owner,) = load.owners
    (row,) = owner.programs
    assert (row.percent, row.events, row.ns) == (0.5, 5000.0, 1000.0)
    assert (load.percent, load.events, load.programs) == (0.5, 5000.0, 1)


def test_a_program_that_is_new_began_with_nothing_and_one_that_is_gone_is_left_out() -> None:
    load = measure_load([loaded(1, TOOL, ns=5)], [loaded(2, TOOL, ns=10**7, count=1)], 1.0)
    assert [(row.id, row.percent) for row in load.owners[0].programs] == [(2, 1.0)]


def test_a_run_owns_what_its_launcher_holds_too() -> None:
    (owner,) = measure_load([], [loaded(1, LAUNCHER, TOOL)], 1.0).owners
    assert (owner.held, owner.name, owner.pids) == (Held.RUN, "runqlat", (20,))


def test_what_two_processes_share_is_the_first_ones_and_what_none_holds_is_nobodys() -> None:
    others = Holder(pid=7, name="agent"), Holder(pid=9, name="agent")
    owners = measure_load([], [loaded(1, *others), loaded(2, others[1]), loaded(3)], 1.0).owners
    assert {(one.held, one.pids) for one in owners} == {
        (Held.PROCESS, (7,)),
        (Held.PROCESS, (9,)),
        (Held.NOBODY, ()),
    }


def test_the_hottest_stand_first() -> None:
    looks = [loaded(1, TOOL, ns=1), loaded(2, TOOL, ns=3), loaded(3, ns=9)]
    load = measure_load([], looks, 1e-7)
    assert [row.id for owner in load.owners for row in owner.programs] == [3, 2, 1]


def test_figures_that_fall_are_none() -> None:
    row = measure_load([loaded(1, ns=9, count=9)], [loaded(1)], 1.0).owners[0].programs[0]
    assert (row.percent, row.events) == (0.0, 0.0)
    assert row.ns == pytest.approx(0.0)
