"""What a trial shows, and when it overrides a prediction. Pure: what a run did in, a Trial or a Verdict out.

A requirement that is an attach point is met when any of its alternatives is attached, as in `compat`. One that is not
attached makes the output incomplete when this host lacks it by the facts, and always in a bpftrace program, which
attaches all that it names; other tools decide at run time what they load, by their options or by what the kernel has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from toolkit.compat import answer_requirement, list_requirements
from toolkit.model import (
    ATTACH_KINDS,
    Basis,
    Engine,
    Facts,
    NeedKind,
    Reason,
    Requirement,
    Status,
    Value,
    Variant,
    Verdict,
)
from toolkit.runs import Account, Observed, Outcome, Result, Seen, Trial
from toolkit.versions import engine_version

if TYPE_CHECKING:
    from toolkit.complaints import Complaints

# What bpftrace calls the programs for its own events; 0.17 names the one of an interval by its number.
_OWN = re.compile(r"(?:begin|end|self)(?:_\d+)?$", re.IGNORECASE)
_INTERVAL = re.compile(r"interval(?:_|$)", re.IGNORECASE)
_NETWORK_LINKS = ("xdp", "tcx", "cgroup", "netns", "netfilter", "netkit", "sockmap")
# The words with which a link or a perf event of each kind begins (launch.meter), and whether a name follows.
_WORDS: dict[NeedKind, tuple[tuple[str, ...], bool]] = {
    NeedKind.TRACEPOINT: (("tracepoint", "raw_tracepoint"), True),
    NeedKind.RAW_TRACEPOINT: (("raw_tracepoint", "tracing"), True),
    NeedKind.TP_BTF: (("raw_tracepoint", "tracing"), True),
    NeedKind.KPROBE: (("kprobe", "kretprobe", "kprobe_multi"), True),
    NeedKind.FENTRY: (("tracing",), False),
    NeedKind.LSM: (("tracing", "lsm_cgroup"), False),
    NeedKind.UPROBE: (("uprobe", "uretprobe", "uprobe_multi"), False),
    NeedKind.USDT: (("uprobe", "uprobe_multi"), False),
    NeedKind.PERF_EVENT: (("perf_event", "perf"), False),
    NeedKind.ITER: (("iter",), False),
    NeedKind.STRUCT_OPS: (("struct_ops",), False),
    NeedKind.NETWORK: (_NETWORK_LINKS, False),
}


def find_own(variant: Variant, accounts: Sequence[Account]) -> tuple[Account, ...]:
    """The programs of the tool itself: not those for bpftrace's BEGIN and END."""
    if variant.engine is not Engine.BPFTRACE:
        return tuple(accounts)
    return tuple(one for one in accounts if not _OWN.match(one.name))


def find_events(variant: Variant, accounts: Sequence[Account]) -> tuple[Account, ...]:
    """The programs that trace something: an interval of bpftrace is no event."""
    own = find_own(variant, accounts)
    if variant.engine is not Engine.BPFTRACE:
        return own
    samples = any(need.kind is NeedKind.PERF_EVENT for need in variant.analysis.probes)
    ticks = () if samples else ({"perf_event"}, {"perf"})
    return tuple(one for one in own if not _INTERVAL.match(one.name) and set(one.attached) not in ticks)


def find_unattached(variant: Variant, facts: Facts, accounts: tuple[Account, ...]) -> tuple[Requirement, ...]:
    """The requirements that are attach points, none of whose alternatives is attached."""
    attached = tuple(text for one in find_events(variant, accounts) for text in one.attached)
    return tuple(
        requirement
        for requirement in list_requirements(variant, facts)
        if all(need.kind in ATTACH_KINDS for need in requirement.any_of)
        and not any(_is_attached(need.kind, need.name, attached) for need in requirement.any_of)
    )


class Points(Value, frozen=True):
    """The attach points of a run: how many should be attached, how many are, and which are not."""

    expected: int = 0  # 0: nothing is known of them
    attached: int = 0
    missing: tuple[str, ...] = ()


def count_points(variant: Variant, facts: Facts, attached: tuple[str, ...]) -> Points:
    """What of a variant is attached, by the words of its links and perf events.

    Without CAP_SYS_ADMIN the kernel does not tell what a perf event is for: then nothing is known.
    """
    if "sys_admin" not in facts.capabilities or variant.analysis.problem:
        return Points()
    wanted = [
        requirement
        for requirement in list_requirements(variant, facts)
        if all(need.kind in ATTACH_KINDS and need.kind in _WORDS for need in requirement.any_of)
    ]
    open_ = [
        requirement
        for requirement in wanted
        if not any(_is_attached(need.kind, need.name, attached) for need in requirement.any_of)
    ]
    missing = tuple(str(requirement.any_of[0]) for requirement in open_ if _is_missed(variant, facts, requirement))
    there = len(wanted) - len(open_)
    return Points(expected=there + len(missing), attached=there, missing=missing)


def _is_missed(variant: Variant, facts: Facts, requirement: Requirement) -> bool:
    """Whether an attach point that is not attached should be: other tools than bpftrace's decide at run time."""
    return variant.engine is Engine.BPFTRACE or answer_requirement(requirement, facts).met is False


def _is_attached(kind: NeedKind, name: str, attached: tuple[str, ...]) -> bool:
    words, named = _WORDS.get(kind, ((), False))
    if not words:
        return True  # of a kind that leaves no link, such as a socket filter, nothing can be said
    wanted = name.rpartition(":")[2]
    for text in attached:
        word, _, where = text.partition(" ")
        if word not in words:
            continue
        if not named or not wanted or not where or fnmatchcase(where.partition(".")[0], wanted.partition(".")[0]):
            return True
    return False


def decide(variant: Variant, facts: Facts, result: Result, complaints: Complaints, *, settled: bool) -> Seen:
    """What came of a trial that nobody interrupted; `settled`: the tool had done what it does at its start."""
    own, events = find_own(variant, result.accounts), find_events(variant, result.accounts)
    figures = Seen(
        observed=Observed.UNTESTED,
        programs=len(own),
        attached=sum(bool(one.attached) for one in own),
        saw_events=any(one.run_count for one in events if one.attached),
    )
    tracing = any(one.attached for one in events)
    if result.outcome is Outcome.FAILED:
        return replace(figures, reason=result.detail)
    if result.outcome is Outcome.ENDED and complaints.asks_for_arguments and not result.accounts:
        reason = "it asks for an argument that a trial cannot know"
        return replace(figures, reason=reason, symptom=complaints.cause)
    # Some of bcc's tools catch their errors, print them, and end with 0.
    missed = not tracing and (_wants_events(variant) or complaints.failed)
    if result.outcome is Outcome.ENDED and (result.tool_status or missed):
        return _decide_ended(figures, result, complaints)
    if result.outcome is not Outcome.ENDED and not settled and not tracing:
        return replace(figures, reason=f"it had not begun to trace after {result.seconds:.0f} s")
    return _compare(variant, facts, replace(figures, blind=not tracing and _wants_events(variant)), result, complaints)


def _wants_events(variant: Variant) -> bool:
    """Whether it should attach to something that can be seen: a socket filter, for one, leaves no link."""
    kinds = {need.kind for need in variant.analysis.probes}
    return bool(kinds) and kinds <= _WORDS.keys() - {NeedKind.NETWORK}


def _decide_ended(figures: Seen, result: Result, complaints: Complaints) -> Seen:
    """It ended by itself, without having traced or with a failure."""
    status = result.tool_status or 0
    how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    reason = f"it gave up: {complaints.cause}" if complaints.cause else f"it {how} and said nothing"
    return replace(figures, observed=Observed.BLOCKED, reason=reason, symptom=complaints.cause or how)


def _compare(variant: Variant, facts: Facts, figures: Seen, result: Result, complaints: Complaints) -> Seen:
    """It went on: what it should have attached, and what is."""
    lost = tuple(
        requirement
        for requirement in find_unattached(variant, facts, result.accounts)
        if _is_missed(variant, facts, requirement)
    )
    told = variant.engine is Engine.BPFTRACE or figures.attached < figures.programs
    given_up = complaints.given_up if told else ()
    if not lost and not given_up and not figures.blind:
        return replace(figures, observed=Observed.RUNS)
    names = given_up or tuple(str(requirement.any_of[0]) for requirement in lost)
    part = f"with {figures.attached} of {figures.programs} programs attached"
    what = "attached to no event" if figures.blind else part
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    reason = f"it goes on, {what}" + (f"; not attached: {shown}" if names else "")
    return replace(figures, observed=Observed.PARTIAL, reason=reason, lacking=names, symptom=complaints.warning)


# --- What follows -------------------------------------------------------------------------------------------------


def name_result(variant: str, sha256: str, arguments: tuple[str, ...] = ()) -> str:
    """The name under which a result is kept: it does not hold the path, so that a copy elsewhere has it too."""
    return " ".join((variant, sha256, *arguments))


def name_engines(engine: Engine, facts: Facts) -> str:
    """The versions that a result depends on: "bpftrace 0.17.0". A shell wrapper may start either engine."""
    names = {Engine.NATIVE: (), Engine.SHELL: (Engine.BCC, Engine.BPFTRACE)}.get(engine, (engine,))
    versions = ((name, ".".join(map(str, engine_version(name, facts)))) for name in names)
    return ", ".join(f"{name} {version}" for name, version in versions if version)


def list_lacks(predicted: Verdict) -> tuple[str, ...]:
    """What a prediction says is missing, in the order of its reasons."""
    return tuple(str(reason.need) for reason in predicted.reasons if reason.need is not None)


def still_holds(trial: Trial, variant: Variant, facts: Facts, predicted: Verdict) -> bool:
    """Whether a result of this kernel is still one: same engines, and same prediction.

    The prediction stands for everything of the host that matters: where headers were installed, a module loaded, or a
    right was lost since, it is another one, or has other reasons.
    """
    return (
        trial.engines == name_engines(variant.engine, facts)
        and trial.predicted is predicted.status
        and trial.lacked == list_lacks(predicted)
    )


def apply_trial(variant: Variant, facts: Facts, predicted: Verdict, trials: Mapping[str, Trial]) -> Verdict:
    """The verdict that a trial without arguments gave, if it still holds, else the prediction.

    What a tool does with arguments depends on them, so such a trial says nothing of the tool in general.
    """
    trial = trials.get(name_result(variant.id, variant.sha256)) if trials else None
    if trial is None or trial.seen.observed is Observed.UNTESTED or not still_holds(trial, variant, facts, predicted):
        return predicted
    status = Status(trial.seen.observed)
    seen = (Reason(text=f"seen in a trial: {trial.seen.reason}"),) if trial.seen.reason else ()
    reasons = (*predicted.reasons, *seen) if status is predicted.status else seen
    return Verdict(status=status, reasons=reasons, basis=Basis.VERIFIED, blind=trial.seen.blind)


def differs(trial: Trial) -> bool:
    """Whether a trial shows a prediction to be wrong; that nothing was predicted is not wrong."""
    known = trial.predicted is not Status.UNKNOWN and trial.seen.observed is not Observed.UNTESTED
    return known and str(trial.predicted) != str(trial.seen.observed)
