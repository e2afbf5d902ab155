"""What an output lacks without showing it is said, with what helps; and nothing is said in vain."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.plans import plan_for
from toolkit.cli.gaps import describe_engine, describe_gaps, read_map_keys
from toolkit.model import Engine
from toolkit.remarks import Remarks
from toolkit.runs import Cost, Outcome, Plan, Result
from toolkit.trials import Points

RESULT = Result(
    outcome=Outcome.DURATION,
    status=0,
    tool_status=0,
    seconds=9.0,
    stdout_bytes=0,
    stderr_bytes=0,
    dropped_bytes=0,
    cost=Cost(programs=1, attached=("tracepoint a",)),
    peak_memory=None,
)
FULL = b"".join(b"@at[%d]: 1\n" % number for number in range(4)) + b"\n"


def plan_of(engine: Engine, **env: str) -> Plan:
    plan = plan_for("/bin/true")
    found = replace(plan.choice.variant.found, engine=engine)
    choice = replace(plan.choice, variant=replace(plan.choice.variant, found=found))
    return replace(plan, choice=choice, env=env)


SCRIPT = plan_of(Engine.BPFTRACE, BPFTRACE_MAX_MAP_KEYS="4")


def gaps(plan: Plan = SCRIPT, remarks: Remarks | None = None, points: Points | None = None, **changes: object) -> str:
    return "\n".join(describe_gaps(plan, replace(RESULT, **changes), remarks or Remarks(), points or Points()))


def test_where_nothing_is_missing_nothing_is_said() -> None:
    assert gaps() == ""
    assert gaps(points=Points(expected=3, attached=3)) == ""


def test_lost_events_are_told_with_what_helps_that_engine() -> None:
    lost = Cost(attached=("a",), lost=1234)
    assert "1,234 events were lost" in gaps(cost=lost)
    assert "BPFTRACE_PERF_RB_PAGES=1024 toolkit run" in gaps(cost=lost)
    assert "BPFTRACE" not in gaps(plan_of(Engine.NATIVE), cost=lost)


def test_full_maps_are_named_with_the_setting_that_makes_room() -> None:
    remarks = Remarks(read_map_keys(SCRIPT))
    remarks.hear("O", FULL)
    told = gaps(remarks=remarks)
    assert told.startswith("@at has all the 4 keys that it may have: later ones are missing")
    assert "BPFTRACE_MAP_KEYS_MAX=16 BPFTRACE_MAX_MAP_KEYS=16 toolkit run" in told
    remarks.hear("E", b"x.bt:1:1-2: WARNING: Map full; can't update element.\n")
    assert "1 updates were refused" in gaps(remarks=remarks)


def test_probes_that_are_not_attached_are_named() -> None:
    points = Points(expected=5, attached=1, missing=("kprobe:a", "kprobe:b", "kprobe:c", "kprobe:d"))
    assert gaps(points=points) == (
        "only 1 of its 5 probes could be attached; its output lacks kprobe:a, kprobe:b, kprobe:c and 1 more"
    )
    assert gaps(points=replace(points, attached=0)).startswith("none of its 5 probes")


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 1.0},  # it had no time to attach them
        {"cost": Cost()},  # nothing at all is attached, which is said elsewhere
        {"outcome": Outcome.ENDED, "tool_status": 1},  # it says itself why it failed
        {"outcome": Outcome.FAILED, "tool_status": None},
    ],
)
def test_probes_are_not_missed_in_a_run_that_could_not_have_them(changes: dict[str, object]) -> None:
    points = Points(expected=2, attached=1, missing=("kprobe:a",))
    assert list(describe_gaps(SCRIPT, replace(RESULT, **changes), Remarks(), points)) == []


def test_after_too_high_a_cost_the_option_that_allows_it_is_named() -> None:
    assert "`--bpf-cost 10`" in gaps(outcome=Outcome.LIMIT, limit="bpf_cost")


def test_the_cost_that_is_named_would_have_been_enough() -> None:
    burned = Cost(attached=("a",), run_ns=2_000_000_000)  # in 9 s: 22.2 %
    assert "`--bpf-cost 45`" in gaps(outcome=Outcome.LIMIT, limit="bpf_cost", cost=burned)


def test_limits_of_the_engine_are_those_of_its_environment() -> None:
    assert read_map_keys(plan_of(Engine.NATIVE)) == 0
    assert read_map_keys(plan_of(Engine.BPFTRACE)) == 4096
    assert read_map_keys(plan_of(Engine.BPFTRACE, BPFTRACE_MAP_KEYS_MAX="9")) == 9
    assert read_map_keys(plan_of(Engine.BPFTRACE, BPFTRACE_MAP_KEYS_MAX="many")) == 4096
    assert describe_engine(plan_of(Engine.NATIVE)) == ""
    assert describe_engine(SCRIPT).startswith("4 keys a map (BPFTRACE_MAP_KEYS_MAX")
