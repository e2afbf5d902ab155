"""Verdicts against what really happens: each variant of ten tools is started on this kernel, and the kernel is asked.

What counts is what a tool's process had attached, not what the tool said: `toolkit verify` in small.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import WarmUp, facts_here
from toolkit.choose import judge_all
from toolkit.launch.trial import try_variant
from toolkit.launch.workload import workload
from toolkit.model import Choice, Tool
from toolkit.paths import Paths
from toolkit.runs import Trial
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


@pytest.mark.parametrize("name", TOOLS)
def test_the_verdict_is_what_happens(name: str, tmp_path: Path, warm_up: WarmUp) -> None:
    facts = facts_here()
    index = load_index(Paths(settings=tmp_path / "none", state=warm_up(tmp_path / "state")))
    variants = tuple(variant for variant in index.variants if variant.tool == name)
    assert len(variants) >= 2
    wrong = []
    with workload(tmp_path):
        for one in judge_all(variants, facts):
            choice = Choice(variant=one.variant, verdict=one.verdict, arguments=(), why="a trial")
            trial = try_variant(Tool(name=name, category="cpu"), choice, facts, "this kernel", 30.0)
            assert isinstance(trial, Trial)
            if trial.seen.observed != str(one.verdict.status):
                wrong.append(f"{one.variant.id}: predicted {one.verdict.status}, seen {trial.seen}")
    assert wrong == []
