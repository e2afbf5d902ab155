"""One trial: when it is over, and what real engines show in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import WarmUp, facts_here
from toolkit.choose import judge_all
from toolkit.errors import CannotRun
from toolkit.launch.trial import KEPT, Ends, Watch, try_variant
from toolkit.launch.workload import workload
from toolkit.model import Choice, Index, Tool, Variant
from toolkit.paths import Paths
from toolkit.runs import Cost, Observed, Trial
from toolkit.snapshot.index import load_index


def look(*costs: Cost) -> tuple[Watch, list[bool]]:
    watch = Watch()
    return watch, [watch.look(cost) for cost in costs]


def cost(time: float, *, attached: int = 0, runs: int = 0, cpu: float = 0.0, run_ns: int = 0) -> Cost:
    return Cost(time=time, attached=("x",) * attached, programs=attached, run_count=runs, cpu=cpu, run_ns=run_ns)


def test_it_is_over_when_what_is_attached_stays_and_was_seen_to_work() -> None:
    watch, over = look(cost(0.1), cost(0.5, attached=1), cost(1, attached=2, runs=5), cost(2, attached=2, runs=9))
    assert (over, watch.settled) == ([False, False, False, True], True)


def test_without_an_event_it_waits_longer() -> None:
    _, over = look(*(cost(float(at), attached=1) for at in range(1, 5)))
    assert over == [False, False, True, True]


def test_one_that_computes_is_still_starting_and_one_that_rests_has_started() -> None:
    _, over = look(*(cost(float(at), cpu=0.9 * at) for at in range(1, 20)))
    assert not any(over)
    watch, over = look(cost(1, cpu=0.5), cost(2, cpu=0.5), cost(3, cpu=0.51))
    assert (over, watch.settled) == ([False, False, True], True)


def test_one_that_burns_the_cpu_is_stopped_at_once() -> None:
    watch, over = look(cost(1, attached=1, runs=1), cost(1.5, attached=2, runs=9, run_ns=300_000_000))
    assert over == [False, True]
    assert watch.heavy == pytest.approx(0.6)


def test_of_what_a_tool_prints_both_ends_are_held() -> None:
    ends = Ends()
    for number in range(20_000):
        assert ends.take(b"line %d\n" % number) == ""
    assert ends.data.startswith(b"line 0\n")
    assert ends.data.endswith(b"\nline 19999\n")
    assert len(ends.data) < 2 * KEPT + 2
    short = Ends()
    for data in (b"a" * (KEPT - 1), b"bc", b"d\n"):
        short.take(data)
    assert short.data == b"a" * (KEPT - 1) + b"bcd\n"


needs_all = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace, pytest.mark.packages]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, warm_up: WarmUp) -> Index:
    folder = tmp_path_factory.mktemp("index")
    return load_index(Paths(settings=folder / "none", state=warm_up(folder / "state")))


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[int]:
    with workload(tmp_path) as pid:
        yield pid


def find(index: Index, name: str) -> Variant:
    return next(one for one in index.variants if one.id == name)


def attempt(variant: Variant, *arguments: str) -> Trial:
    facts = facts_here()
    verdict = judge_all((variant,), facts)[0].verdict
    choice = Choice(variant=variant, verdict=verdict, arguments=arguments, why="a trial")
    trial = try_variant(Tool(name=variant.tool, category="cpu"), choice, facts, "this kernel", 30.0)
    assert isinstance(trial, Trial)
    return trial


class TestRealEngines:
    pytestmark = needs_all

    def test_a_native_tool_that_runs(self, index: Index, busy: int) -> None:
        trial = attempt(find(index, "libbpf-tools/runqlat"))
        assert trial.seen == msgspec.structs.replace(trial.seen, observed=Observed.RUNS, saw_events=True, blind=False)
        assert trial.seen.attached == trial.seen.programs == 3
        assert trial.kernel == "this kernel"

    def test_a_bpftrace_program_that_runs_and_its_interval_is_no_event(self, index: Index, busy: int) -> None:
        seen = attempt(find(index, "bpftrace/pidpersec")).seen
        assert (seen.observed, seen.saw_events, seen.blind) == (Observed.RUNS, True, False)

    def test_a_tool_that_gives_up_is_blocked_in_its_own_words(self, index: Index) -> None:
        trial = attempt(find(index, "bcc/biolatency"))
        if facts_here().headers.known:
            pytest.skip("this host has headers, so that it may run")
        assert trial.seen.observed is Observed.BLOCKED
        assert "No such file or directory" in trial.seen.symptom

    def test_one_that_asks_for_an_argument_is_not_judged(self, index: Index) -> None:
        assert attempt(find(index, "libbpf-tools/fsdist")).seen.observed is Observed.UNTESTED

    def test_starting_and_attaching_nothing_is_partial_and_blind(self, tmp_path: Path, index: Index) -> None:
        seen = attempt(find(index, "bpftrace/biolatency")).seen
        if facts_here().kprobes.value:
            pytest.skip("this kernel has kprobes")
        assert (seen.observed, seen.blind, seen.attached) == (Observed.PARTIAL, True, 0)
        assert seen.programs >= 2
        assert "could not attach probe" in seen.symptom
        assert any(name.startswith("kprobe:") for name in seen.lacking)

    def test_a_file_that_is_not_what_was_analysed_is_not_started(self, index: Index) -> None:
        other = msgspec.structs.replace(find(index, "libbpf-tools/runqlat"), sha256="0" * 64)
        with pytest.raises(CannotRun, match="changed since it was analysed"):
            attempt(other)
