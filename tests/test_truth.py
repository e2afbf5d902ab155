"""Verdicts against what really happens: each variant of ten tools is started on this kernel, and the kernel is asked.

What counts is what a tool's process had attached, not what the tool said: `toolkit verify` in small.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conftest import WarmUp
from toolkit.choose import judge_all
from toolkit.host import load_facts
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


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory, warm_up: WarmUp) -> Iterator[dict[str, list[Future[str]]]]:
    """The trials of each tool's variants, three at a time: most of the time of a trial is waiting."""
    folder = tmp_path_factory.mktemp("truth")
    state = warm_up(folder / "state")
    index = load_index(Paths(settings=folder / "none", state=state))
    with workload(folder), ProcessPoolExecutor(3, get_context("spawn")) as pool:
        yield {
            name: [pool.submit(find_difference, state, one.id) for one in index.variants if one.tool == name]
            for name in TOOLS
        }


def find_difference(state: Path, name: str) -> str:
    """What was seen of a variant, if that is not what was predicted."""
    paths = Paths(settings=Path("/none"), state=state)
    facts = load_facts(paths.facts)
    variant = next(one for one in load_index(paths).variants if one.id == name)
    (one,) = judge_all((variant,), facts)
    choice = Choice(variant=variant, verdict=one.verdict, arguments=(), why="a trial")
    trial = try_variant(Tool(name=variant.tool, category="cpu"), choice, facts, "this kernel", 30.0)
    assert isinstance(trial, Trial)
    if trial.seen.observed == str(one.verdict.status):
        return ""
    return f"{name}: predicted {one.verdict.status}, seen {trial.seen}"


@pytest.mark.parametrize("name", TOOLS)
def test_the_verdict_is_what_happens(name: str, trials: dict[str, list[Future[str]]]) -> None:
    assert len(trials[name]) >= 2
    assert [told for told in (one.result() for one in trials[name]) if told] == []
