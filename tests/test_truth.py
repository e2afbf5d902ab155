"""Verdicts against what really happens: each variant of ten tools is started on this kernel, and the kernel is asked.

What counts is what a tool's process had attached, not what the tool said. `blocked`: it gave up by itself.
`partial`: it went on without an event to trace. `runs`: it was tracing when its time was over.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.launch.test_supervise import run
from toolkit.choose import judge_all
from toolkit.host import probe_facts
from toolkit.launch.plan import make_plan
from toolkit.model import Choice, Status, Tool, Variant
from toolkit.paths import Paths
from toolkit.runs import Limits, Outcome, Result
from toolkit.snapshot.index import load_index

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace, pytest.mark.packages]

TOOLS = (
    "runqlat",
    "biolatency",
    "execsnoop",
    "opensnoop",
    "tcplife",
    "tcpconnect",
    "vfsstat",
    "capable",
    "biosnoop",
    "xfsslower",
)
# bpftrace's own: BEGIN and END are uprobes on itself, an interval is a perf event.
NOT_EVENTS = ("perf_event", "uprobe", "uretprobe")


def observe(variant: Variant) -> tuple[Status, Result]:
    """Start a variant for some seconds, and see."""
    choice = Choice(variant=variant, verdict=judge_all((variant,), FACTS)[0].verdict, arguments=(), why="a trial")
    tool = Tool(name=variant.tool, category="cpu")
    plan = make_plan(tool, choice, Limits(grace=3.0), FACTS, {}, duration=3.0)
    result, _ = run(plan)
    if result.outcome is Outcome.ENDED:
        return Status.BLOCKED, result
    events = [one for one in result.cost.attached if not one.startswith(NOT_EVENTS)]
    return (Status.RUNS if events else Status.PARTIAL), result


FACTS = probe_facts()


@pytest.mark.parametrize("name", TOOLS)
def test_the_verdict_is_what_happens(name: str, tmp_path: Path) -> None:
    index = load_index(Paths(settings=tmp_path / "none", state=tmp_path / "state"))
    variants = tuple(variant for variant in index.variants if variant.tool == name)
    assert len(variants) >= 2
    wrong = []
    for one in judge_all(variants, FACTS):
        seen, result = observe(one.variant)
        if seen is not one.verdict.status:
            wrong.append(
                f"{one.variant.id}: predicted {one.verdict.status}, seen {seen}: {json.dumps(result.cost.attached)}"
            )
    assert wrong == []
