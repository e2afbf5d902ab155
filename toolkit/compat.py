"""Whether a variant works on a host, and which variant of a tool fits best. Pure: (variant, facts) in, verdict out.

Presence decides for kernels, because distributions backport; versions decide for engines. What cannot be known is
said to be unknown, never assumed. Judging one requirement gives an Answer: met, missing with the cause, or unknown.
"""

from __future__ import annotations

from toolkit.answer import MET, Answer
from toolkit.answers import answer_need
from toolkit.mending import VAGUE
from toolkit.model import (
    ATTACH_KINDS,
    Engine,
    Facts,
    Need,
    NeedKind,
    Reason,
    Requirement,
    Status,
    Trouble,
    Variant,
    Verdict,
)
from toolkit.troubles import answer_trouble
from toolkit.versions import engine_version, find_missing_engine, parse_version

# CAP_SYS_ADMIN is what root had before Linux 5.8 split CAP_BPF and CAP_PERFMON from it (commit 2c78ee898d8f).
RIGHTS = ("bpf", "perfmon")


def judge(variant: Variant, facts: Facts) -> Verdict:
    """Predict what happens when this variant runs on a host with these facts."""
    if variant.distrust:
        return _blocked(Reason(text=f"not safe to run: {variant.distrust}", fix="reinstall its package"))
    missing = find_missing_rights(facts) or find_missing_engine(variant.engine, facts)
    if missing is not None:
        return _blocked(missing)
    release = _find_newer_release(variant, facts)
    if release is not None:
        return _blocked(release)
    if variant.analysis.problem:
        text = f"it could not be analysed: {variant.analysis.problem}"
        return Verdict(status=Status.UNKNOWN, reasons=(Reason(text=text),))
    if variant.analysis.fault:
        return _blocked(Reason(text=f"no {variant.engine} takes it: {variant.analysis.fault}", fix=_FAULT_FIX))
    return _judge_requirements(variant, facts)


def _find_newer_release(variant: Variant, facts: Facts) -> Reason | None:
    """Why a tool that came with a newer release of its engine is not for the engine here."""
    engine, _, made_for = variant.found.made_for.partition(">=")
    have = engine_version(Engine(engine), facts) if made_for else ()
    if not have or parse_version(made_for)[: len(have)] <= have:
        return None
    need = Need(kind=NeedKind.ENGINE, name=variant.found.made_for)
    here = ".".join(map(str, have))
    text = f"it is part of {engine} {made_for}, newer than the engine here ({here})"
    return Reason(text=text, fix=f"upgrade {engine}, or take the tool of a release that fits it", need=need)


def find_missing_rights(facts: Facts) -> Reason | None:
    """Why this user may not load BPF programs, or None; capabilities count, not the user id."""
    held = facts.capabilities
    if "sys_admin" not in held and not held.issuperset(RIGHTS):
        missing = " and ".join(f"CAP_{name.upper()}" for name in RIGHTS if name not in held)
        text = f"this user may not load BPF programs: {missing} missing (before Linux 5.8: CAP_SYS_ADMIN)"
        return Reason(text=text, fix=_RIGHTS_FIX)
    if facts.bpf.value is False:
        return Reason(text=f"the kernel refuses BPF programs: {facts.bpf.origin}", fix=_BPF_FIX)
    if facts.lockdown.value == "confidentiality":
        return Reason(
            text="kernel lockdown is in confidentiality mode: BPF may not read kernel memory", fix=_LOCKDOWN_FIX
        )
    return None


# Reading tracefs, which is root's, takes CAP_DAC_READ_SEARCH: without it nothing attaches to a tracepoint.
_LEAST = "+bpf,+perfmon,+dac_read_search"
_RIGHTS_FIX = (
    "run it as root, with sudo; or with these rights alone, good for compiled tools: sudo setpriv --reuid=$USER "
    f"--regid=$(id -g) --init-groups --inh-caps={_LEAST} --ambient-caps={_LEAST} toolkit …"
)
_LOCKDOWN_FIX = "boot with lockdown=integrity, or without the kernel parameter lockdown="
_BPF_FIX = (
    "in a container: start it with --privileged, or --cap-add BPF --cap-add PERFMON and a seccomp profile that "
    "allows bpf(2); on a host: CONFIG_BPF_SYSCALL=y"
)


_FAULT_FIX = "mend its text, or take another variant"


# --- Requirements -------------------------------------------------------------------------------------------------


def _judge_requirements(variant: Variant, facts: Facts) -> Verdict:
    blocked: list[tuple[Need, Answer]] = []
    partial: list[tuple[Need, Answer]] = []
    unknown: list[tuple[Need, Answer]] = []
    requirements = list_requirements(variant, facts)
    for requirement in requirements:
        answer = answer_requirement(requirement, facts)
        if answer.met:
            continue
        place = unknown if answer.met is None else blocked if requirement.essential else partial
        place.append((_spokesman(requirement), answer))
    known = {status: _list_known(variant, facts, status) for status in (Status.BLOCKED, Status.PARTIAL, Status.UNKNOWN)}
    if blocked or known[Status.BLOCKED]:
        return _blocked(*_fold(_without_echoes(blocked)), *map(_tell, known[Status.BLOCKED]))
    if unknown or known[Status.UNKNOWN]:
        reasons = (
            *_fold(unknown),
            *(_tell(one, "it is not known whether it is so here") for one in known[Status.UNKNOWN]),
        )
        return Verdict(status=Status.UNKNOWN, reasons=reasons)
    if not partial and not known[Status.PARTIAL]:
        return Verdict(status=Status.RUNS)
    blind = any(one.blind for one in known[Status.PARTIAL]) or not _sees_something(requirements, facts)
    text = "it would start, attach to no event and print nothing" if blind else "its output would be incomplete"
    reasons = (*_fold(partial), *map(_tell, known[Status.PARTIAL]), Reason(text=text))
    return Verdict(status=Status.PARTIAL, reasons=reasons, blind=blind)


def _list_known(variant: Variant, facts: Facts, status: Status) -> tuple[Trouble, ...]:
    """The known troubles of a variant that lead to a status here: those that strike, or of which that is unknown."""
    answers = ((one, answer_trouble(one, facts)) for one in variant.troubles)
    return tuple(one for one, met in answers if (Status.UNKNOWN if met is None else met and one.status) is status)


def _tell(trouble: Trouble, doubt: str = "") -> Reason:
    text = f"known: {trouble.symptom}: {trouble.why}"
    return Reason(text=f"{text}; {doubt}" if doubt else text, fix=trouble.fix, link=trouble.link)


def list_requirements(variant: Variant, facts: Facts) -> tuple[Requirement, ...]:
    """The requirements that count for the version of the variant's engine that is here; of an unknown one, all."""
    have = engine_version(variant.engine, facts)
    return tuple(
        one
        for one in variant.analysis.requirements
        if not have
        or ((not one.since or have >= parse_version(one.since)) and (not one.until or have < parse_version(one.until)))
    )


def _sees_something(requirements: tuple[Requirement, ...], facts: Facts) -> bool:
    """Whether any requirement that is an event to attach to is met."""
    events = tuple(
        requirement for requirement in requirements if all(need.kind in ATTACH_KINDS for need in requirement.any_of)
    )
    return not events or any(answer_requirement(requirement, facts).met for requirement in events)


def answer_requirement(requirement: Requirement, facts: Facts) -> Answer:
    """Met when any of its needs is; unknown when one might be; else missing, with every cause once."""
    answers = tuple(answer_need(need, facts) for need in requirement.any_of)
    if any(answer.met for answer in answers):
        return MET
    causes = dict.fromkeys(answer.cause for answer in answers if answer.cause)
    fixes = sorted(
        (answer.fix for answer in answers if answer.fix), key=lambda fix: VAGUE.index(fix) if fix in VAGUE else -1
    )
    met = None if any(answer.met is None for answer in answers) else False
    return Answer(met, "; and ".join(causes), next(iter(fixes), ""))


def _spokesman(requirement: Requirement) -> Need:
    """The need that stands for the requirement in a message: the first with a name."""
    return next((need for need in requirement.any_of if need.name), requirement.any_of[0])


def _fold(misses: list[tuple[Need, Answer]]) -> tuple[Reason, ...]:
    """One reason for each cause, naming up to three of what lacks it."""
    grouped: dict[tuple[str, str], list[Need]] = {}
    for need, answer in misses:
        grouped.setdefault((answer.cause, answer.fix), []).append(need)
    reasons: list[Reason] = []
    for (cause, fix), needs in grouped.items():
        names = tuple(dict.fromkeys(need.name for need in needs if need.name and need.kind in ATTACH_KINDS))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        wanted = "" if all(_is_said(name, cause) for name in names) else f"; wanted: {', '.join(names[:3])}{more}"
        reasons.append(Reason(text=cause + wanted, fix=fix, need=needs[0]))
    return tuple(reasons)


def _without_echoes(misses: list[tuple[Need, Answer]]) -> list[tuple[Need, Answer]]:
    """What is missing, but for the functions of a file that is itself not there."""
    files = tuple(f"{need.name}:" for need, _ in misses if need.kind is NeedKind.PROGRAM)
    traced = (NeedKind.UPROBE, NeedKind.USDT)
    return [(need, answer) for need, answer in misses if need.kind not in traced or not need.name.startswith(files)]


def _is_said(name: str, cause: str) -> bool:
    """Whether a cause names this already, perhaps in parts: the function and the file of libc:malloc."""
    return all(part in cause for part in name.split(":"))


def _blocked(*reasons: Reason) -> Verdict:
    return Verdict(status=Status.BLOCKED, reasons=reasons)
