"""What makes a run's output incomplete and does not show in it, in sentences with what to do about each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from toolkit.model import Engine
from toolkit.remarks import MAP_KEYS, Remarks
from toolkit.runs import Outcome, Plan, Result
from toolkit.trials import Points

# The first names are older than bpftrace 0.20, which knows the second.
KEYS = ("BPFTRACE_MAP_KEYS_MAX", "BPFTRACE_MAX_MAP_KEYS")
STRINGS = ("BPFTRACE_STRLEN", "BPFTRACE_MAX_STRLEN")
BUFFERS = "BPFTRACE_PERF_RB_PAGES"
LISTED = 3
# A tool is seen by then, and so are the probes that it attaches: bpftrace takes its time for many.
SETTLED = 3.0  # seconds


def read_map_keys(plan: Plan) -> int:
    """How many keys a map of this run may have; 0 for engines other than bpftrace."""
    if plan.choice.variant.engine is not Engine.BPFTRACE:
        return 0
    return _read_setting(plan.env, KEYS) or MAP_KEYS


def describe_engine(plan: Plan) -> str:
    """The limits of the engine itself, beyond which it counts or prints no more; empty where it has none."""
    if plan.choice.variant.engine is not Engine.BPFTRACE:
        return ""
    strings = _read_setting(plan.env, STRINGS)
    length = f"{strings} bytes" if strings else "the engine's default"
    return f"{read_map_keys(plan):,} keys a map ({' or '.join(KEYS)}), strings of {length} ({' or '.join(STRINGS)})"


def describe_gaps(plan: Plan, result: Result, remarks: Remarks, points: Points) -> Iterator[str]:
    """Lost events, keys without room, probes that are not attached; and what helps after a cost that was too high."""
    bpftrace = plan.choice.variant.engine is Engine.BPFTRACE
    if result.cost.lost:
        room = (
            f"`{BUFFERS}=1024 toolkit run …` gives it more room (64)" if bpftrace else "its own options may give room"
        )
        yield f"{result.cost.lost:,} events were lost, its output lacks them: trace less, such as one process; {room}"
    if remarks.refused or remarks.full:
        maps = ", ".join(remarks.full[:LISTED]) or "a map"
        often = f", {remarks.refused:,} updates were refused" if remarks.refused else ""
        more = " ".join(f"{name}={read_map_keys(plan) * 4}" for name in KEYS)
        keys = f"{maps} has all the {read_map_keys(plan):,} keys that it may have{often}: later ones are missing"
        yield f"{keys}; `{more} toolkit run …`" if bpftrace else keys
    # Where nothing at all is attached, that is said by itself.
    if points.missing and result.cost.attached and result.seconds >= SETTLED and not _failed(result):
        shown = ", ".join(points.missing[:LISTED])
        more = f" and {len(points.missing) - LISTED} more" if len(points.missing) > LISTED else ""
        part = f"only {points.attached}" if points.attached else "none"
        yield f"{part} of its {points.expected} probes could be attached; its output lacks {shown}{more}"
    if result.limit == "bpf_cost":
        yield (
            f"its BPF programs burned more than {plan.limits.bpf_cost:g} % of one CPU: trace less, such as one process "
            "or a rarer event, or let it cost more: "
            f"`--bpf-cost {_suggest_cost(plan, result)}`"
        )


def _suggest_cost(plan: Plan, result: Result) -> int:
    """Percent of one CPU that would have been enough: twice what it burned, in steps of five."""
    burned = result.cost.run_ns / 1e7 / result.seconds if result.seconds else 0.0
    return math.ceil(2 * max(burned, plan.limits.bpf_cost) / 5) * 5


def _failed(result: Result) -> bool:
    return result.outcome is Outcome.FAILED or (result.outcome is Outcome.ENDED and result.tool_status != 0)


def _read_setting(env: Mapping[str, str], names: tuple[str, ...]) -> int:
    for name in names:
        if env.get(name, "").isdigit():
            return int(env[name])
    return 0
