"""What a trial shows by the kernel's accounts, and when it overrides a prediction."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_facts, make_variant, requirement
from toolkit.choose import choose, judge_all
from toolkit.compat import judge
from toolkit.complaints import Complaints
from toolkit.model import Basis, Engine, EngineFact, Fact, Facts, Requirement, Status, Variant
from toolkit.runs import Account, Cost, Observed, Outcome, Result, Seen, Trial
from toolkit.trials import Points, apply_trial, count_points, decide, differs, list_lacks, name_engines, name_result

SILENCE = Complaints()
SWITCH, WAKEUP = "tracepoint:sched:sched_switch", "tracepoint:sched:sched_wakeup"


def variant_of(name: str, *requirements: Requirement, engine: Engine = Engine.NATIVE) -> Variant:
    variant = make_variant(name, *requirements, engine=engine)
    probes = tuple(need for one in requirements for need in one.any_of)
    return msgspec.structs.replace(variant, analysis=msgspec.structs.replace(variant.analysis, probes=probes))


def script(*needs: str) -> Variant:
    return variant_of("bpftrace/x", *map(requirement, needs), engine=Engine.BPFTRACE)


def account(*attached: str, name: str = "x", runs: int = 1) -> Account:
    return Account(name=name, attached=attached, run_count=runs)


def see(
    variant: Variant,
    *accounts: Account,
    complaints: Complaints = SILENCE,
    outcome: Outcome = Outcome.DURATION,
    status: int | None = 0,
    settled: bool = True,
    facts: Facts | None = None,
) -> Seen:
    result = Result(
        outcome=outcome,
        status=0,
        tool_status=status,
        seconds=2.0,
        stdout_bytes=0,
        stderr_bytes=0,
        dropped_bytes=0,
        cost=Cost(),
        peak_memory=None,
        accounts=accounts,
    )
    return decide(variant, facts or make_facts(), result, complaints, settled=settled)


def test_all_that_it_names_attached_runs() -> None:
    seen = see(script(SWITCH, WAKEUP), account("tracepoint sched_switch"), account("tracepoint sched_wakeup", runs=0))
    assert seen == Seen(observed=Observed.RUNS, programs=2, attached=2, saw_events=True)


def test_a_bpftrace_program_without_one_of_its_points_is_partial_and_says_which() -> None:
    seen = see(script(SWITCH, WAKEUP), account("tracepoint sched_switch"))
    assert (seen.observed, seen.blind, seen.lacking) == (Observed.PARTIAL, False, (WAKEUP,))


def test_one_that_attaches_nothing_is_blind_even_if_it_says_nothing_of_it() -> None:
    own = (account("raw_tracepoint x", name="BEGIN_1"), account("perf_event", name="1"))
    seen = see(script(SWITCH), *own)
    assert (seen.observed, seen.blind, seen.saw_events) == (Observed.PARTIAL, True, False)
    assert "attached to no event" in seen.reason


def test_a_profile_is_an_event_and_an_interval_is_none() -> None:
    profile = script("perf_event:software:cpu-clock")
    assert see(profile, account("perf_event", "perf_event", name="99")).observed is Observed.RUNS
    assert see(profile, account("perf_event", name="interval_s_1")).blind


@pytest.mark.parametrize("attached", ["kprobe vfs_read", "tracing"])
def test_any_of_several_ways_is_enough(attached: str) -> None:
    variant = variant_of("libbpf-tools/x", requirement("fentry:vfs_read", "kprobe:vfs_read"))
    assert see(variant, account(attached), account()).observed is Observed.RUNS


def test_a_compiled_tool_may_leave_out_what_the_host_has_but_not_what_it_lacks() -> None:
    there = variant_of("libbpf-tools/x", requirement(SWITCH), requirement(WAKEUP))
    missing = variant_of("libbpf-tools/x", requirement(SWITCH), requirement("tracepoint:a:b", essential=False))
    assert see(there, account("tracepoint sched_switch"), account()).observed is Observed.RUNS
    assert see(missing, account("tracepoint sched_switch")).observed is Observed.PARTIAL


def test_a_warning_counts_only_where_something_is_not_attached() -> None:
    variant = variant_of("libbpf-tools/x", requirement("kprobe:vfs_read"))
    warned = Complaints(given_up=("on_read",), warning="libbpf: prog 'on_read': failed to auto-attach: -2")
    assert see(variant, account("kprobe vfs_read"), complaints=warned).observed is Observed.RUNS
    seen = see(variant, account("kprobe vfs_read"), account(), complaints=warned)
    assert (seen.observed, seen.symptom) == (Observed.PARTIAL, warned.warning)


def test_one_that_gives_up_is_blocked_with_its_own_words() -> None:
    seen = see(script(SWITCH), outcome=Outcome.ENDED, status=1, complaints=Complaints(cause="ERROR: no"))
    assert (seen.observed, seen.reason, seen.symptom) == (Observed.BLOCKED, "it gave up: ERROR: no", "ERROR: no")
    assert see(script(SWITCH), outcome=Outcome.ENDED, status=-11).reason == "it ended by signal 11 and said nothing"
    caught = Complaints(cause="[Errno 2] No such file", failed=True)
    assert see(script(), outcome=Outcome.ENDED, complaints=caught).observed is Observed.BLOCKED


def test_one_that_has_nothing_to_attach_and_ends_well_runs() -> None:
    assert see(variant_of("bcc/tplist"), outcome=Outcome.ENDED).observed is Observed.RUNS
    assert see(script(SWITCH), outcome=Outcome.ENDED).observed is Observed.BLOCKED


@pytest.mark.parametrize(
    ("complaints", "outcome", "settled"),
    [
        (Complaints(asks_for_arguments=True), Outcome.ENDED, True),
        (Complaints(), Outcome.DURATION, False),  # it was still starting
        (Complaints(), Outcome.FAILED, True),
    ],
)
def test_what_could_not_be_tried_is_not_judged(complaints: Complaints, outcome: Outcome, settled: bool) -> None:
    seen = see(script(SWITCH), complaints=complaints, outcome=outcome, status=1, settled=settled)
    assert seen.observed is Observed.UNTESTED


# --- What follows from a result -----------------------------------------------------------------------------------


def make_trial(variant: Variant, facts: Facts, observed: Observed = Observed.BLOCKED, *arguments: str) -> Trial:
    predicted = judge(variant, facts)
    return Trial(
        variant=variant.id,
        sha256=variant.sha256,
        seen=Seen(observed=observed, reason="it gave up: no"),
        arguments=arguments,
        engines=name_engines(variant.engine, facts),
        predicted=predicted.status,
        lacked=list_lacks(predicted),
    )


def verdict(variant: Variant, facts: Facts, trial: Trial) -> tuple[Status, Basis]:
    trials = {name_result(trial.variant, trial.sha256, trial.arguments): trial}
    found = apply_trial(variant, facts, judge(variant, facts), trials)
    return found.status, found.basis


def test_a_result_goes_before_the_prediction_and_gives_its_reason() -> None:
    variant, facts = script(SWITCH), make_facts()
    trial = make_trial(variant, facts)
    found = apply_trial(variant, facts, judge(variant, facts), {name_result(variant.id, variant.sha256): trial})
    assert (found.status, found.basis) == (Status.BLOCKED, Basis.VERIFIED)
    assert [reason.text for reason in found.reasons] == ["seen in a trial: it gave up: no"]
    assert differs(trial)


def test_where_both_agree_the_prediction_says_how_to_mend_it() -> None:
    variant, facts = script("tracepoint:a:b"), make_facts()
    trial = make_trial(variant, facts)
    found = apply_trial(variant, facts, judge(variant, facts), {name_result(variant.id, variant.sha256): trial})
    texts = [reason.text for reason in found.reasons]
    assert texts == ["this kernel has no tracepoint a:b", "seen in a trial: it gave up: no"]
    assert not differs(trial)


def test_a_result_expires_with_the_file_the_engine_and_the_host() -> None:
    variant, facts = script(SWITCH), make_facts()
    trial = make_trial(variant, facts)
    expired = (Status.RUNS, Basis.PREDICTED)
    assert verdict(variant, facts, trial) == (Status.BLOCKED, Basis.VERIFIED)
    assert verdict(msgspec.structs.replace(variant, sha256="f" * 64), facts, trial) == expired
    newer = tuple(EngineFact(name=one.name, version="9.9", argv=one.argv) for one in facts.engines)
    assert verdict(variant, msgspec.structs.replace(facts, engines=newer), trial) == expired
    # Whatever else changed: where it changes the prediction, the trial was made on another host, so to speak.
    less = msgspec.structs.replace(facts, tracepoints=Fact(value=frozenset({"a:b"})))
    assert verdict(variant, less, trial) == (Status.BLOCKED, Basis.PREDICTED)


def test_a_trial_with_arguments_says_nothing_of_the_tool_in_general() -> None:
    variant, facts = script(SWITCH), make_facts()
    assert verdict(variant, facts, make_trial(variant, facts, Observed.BLOCKED, "vfs_read")) == (
        Status.RUNS,
        Basis.PREDICTED,
    )


def test_what_could_not_be_tried_changes_no_verdict() -> None:
    variant, facts = script(SWITCH), make_facts()
    trial = make_trial(variant, facts, Observed.UNTESTED)
    assert verdict(variant, facts, trial) == (Status.RUNS, Basis.PREDICTED)
    assert not differs(trial)


def test_run_takes_another_variant_than_one_that_a_trial_showed_to_fail() -> None:
    facts = make_facts()
    native, other = variant_of("libbpf-tools/x", requirement(SWITCH)), script(SWITCH)
    trials = {name_result(native.id, native.sha256): make_trial(native, facts)}
    assert judge_all((other, native), facts)[0].variant is native
    chosen = choose((native, other), facts, trials=trials).choice
    assert chosen is not None
    assert chosen.variant is other


def test_points_are_counted_by_what_is_attached() -> None:
    attached = ("perf_event", "tracepoint sched_switch")
    assert count_points(script(SWITCH), make_facts(), attached) == Points(expected=1, attached=1)
    assert count_points(script(SWITCH, WAKEUP), make_facts(), attached) == Points(
        expected=2, attached=1, missing=(WAKEUP,)
    )


def test_a_compiled_tool_need_not_attach_what_it_could() -> None:
    attached = ("tracepoint sched_switch",)
    tool = variant_of("libbpf-tools/x", requirement(SWITCH), requirement(WAKEUP))
    assert count_points(tool, make_facts(), attached) == Points(expected=1, attached=1)
    lacking = variant_of("libbpf-tools/x", requirement(SWITCH), requirement("tracepoint:no:such"))
    assert count_points(lacking, make_facts(), attached).missing == ("tracepoint:no:such",)


def test_without_the_right_to_ask_nothing_is_known_of_points() -> None:
    facts = make_facts(capabilities=frozenset({"bpf", "perfmon"}))
    assert count_points(script(SWITCH, WAKEUP), facts, ("perf_event",)) == Points()
