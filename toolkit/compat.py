"""Whether a variant works on a host, and which variant of a tool fits best. Pure: (variant, facts) in, verdict out.

Presence decides for kernels, because distributions backport; versions decide for engines. What cannot be known is
said to be unknown, never assumed. Judging one requirement gives an Answer: met, missing with the cause, or unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from fnmatch import fnmatchcase

from toolkit.model import (
    ATTACH_KINDS,
    Engine,
    Fact,
    Facts,
    Need,
    NeedKind,
    Reason,
    Requirement,
    Status,
    Value,
    Variant,
    Verdict,
)

# CAP_SYS_ADMIN is what root had before Linux 5.8 split CAP_BPF and CAP_PERFMON from it (commit 2c78ee898d8f).
RIGHTS = ("bpf", "perfmon")

# Whose kernel releases look how, and what installs their headers. A kernel of one's own, or of a cloud, has no such
# package, and a command that cannot work is worse than none.
HEADER_PACKAGES: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"debian", "ubuntu", "raspbian", "linuxmint", "pop", "kali"}),
        r"-(amd64|arm64|armmp|powerpc64le|s390x|riscv64|generic|lowlatency|aws|azure|gcp|oracle|kvm|raspi|rpi|ibm)$",
        "apt-get install -y linux-headers-{}",
    ),
    (
        frozenset({"fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn"}),
        r"\.(fc|el|amzn)\d+",
        "dnf install -y kernel-devel-{}",
    ),
    (
        frozenset({"opensuse-leap", "opensuse-tumbleweed", "sles"}),
        r"-default$",
        "zypper install -y kernel-default-devel",
    ),
    (frozenset({"arch"}), r"-arch\d", "pacman -S --noconfirm linux-headers"),
)

TRACEFS_FIX = "mount -t tracefs nodev /sys/kernel/tracing"


class Answer(Value, frozen=True, kw_only=False):
    """Whether one need is met: True, False or None for unknown; `cause` says why it is not met, `fix` what helps."""

    met: bool | None
    cause: str = ""
    fix: str = ""


MET = Answer(True)


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
    return _judge_requirements(variant, facts)


def _find_newer_release(variant: Variant, facts: Facts) -> Reason | None:
    """Why a tool that came with a newer release of its engine is not for the engine here."""
    engine, _, made_for = variant.found.made_for.partition(">=")
    have = engine_version(Engine(engine), facts) if made_for else ()
    if not have or parse_version(made_for)[: len(have)] <= have:
        return None
    need = Need(kind=NeedKind.ENGINE, name=variant.found.made_for)
    here = ".".join(map(str, have))
    return Reason(text=f"it is part of {engine} {made_for}, newer than the engine here ({here})", need=need)


def find_missing_rights(facts: Facts) -> Reason | None:
    """Why this user may not load BPF programs, or None; capabilities count, not the user id."""
    held = facts.capabilities
    if "sys_admin" not in held and not held.issuperset(RIGHTS):
        missing = " and ".join(f"CAP_{name.upper()}" for name in RIGHTS if name not in held)
        return Reason(text=f"this user may not load BPF programs: {missing} missing", fix="run it as root, with sudo")
    if facts.bpf.value is False:
        return Reason(text=f"the kernel refuses BPF programs: {facts.bpf.origin}", fix=_BPF_FIX)
    if facts.lockdown.value == "confidentiality":
        return Reason(text="kernel lockdown is in confidentiality mode: BPF may not read kernel memory")
    return None


_BPF_FIX = (
    "in a container: start it with --privileged, or --cap-add BPF --cap-add PERFMON and a seccomp profile that "
    "allows bpf(2); on a host: CONFIG_BPF_SYSCALL=y"
)


def find_missing_engine(engine: Engine, facts: Facts) -> Reason | None:
    """Why an engine cannot start anything here, or None when it can."""
    if engine is Engine.SHELL or any(one.name is engine for one in facts.engines):
        return None
    why = facts.missing_engines.get(engine, "it was not found")
    return Reason(text=f"no {engine} engine: {why}", need=Need(kind=NeedKind.ENGINE, name=engine))


def engine_version(engine: Engine, facts: Facts) -> tuple[int, ...]:
    """The version of an engine as numbers, () when it is not there or says nothing readable."""
    text = next((one.version for one in facts.engines if one.name is engine), "")
    return parse_version(text)


def parse_version(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version up to the first part that is none: 'v0.17.0-1' gives (0, 17, 0)."""
    numbers: list[int] = []
    for part in text.lstrip("v").split("."):
        digits = part[: next((at for at, sign in enumerate(part) if sign not in "0123456789"), len(part))]
        if not digits:
            break
        numbers.append(int(digits[:9]))
        if digits != part:
            break
    return tuple(numbers)


# --- Requirements -------------------------------------------------------------------------------------------------


def _judge_requirements(variant: Variant, facts: Facts) -> Verdict:
    blocked: list[tuple[Need, Answer]] = []
    partial: list[tuple[Need, Answer]] = []
    unknown: list[tuple[Need, Answer]] = []
    strict = _gives_up_on_any_probe(variant, facts)
    for requirement in variant.analysis.requirements:
        answer = answer_requirement(requirement, facts)
        if answer.met:
            continue
        place = unknown if answer.met is None else blocked if requirement.essential or strict else partial
        place.append((_spokesman(requirement), answer))
    if blocked:
        return _blocked(*_fold(blocked))
    if unknown:
        return Verdict(status=Status.UNKNOWN, reasons=_fold(unknown))
    if not partial:
        return Verdict(status=Status.RUNS)
    blind = not _sees_something(variant, facts)
    text = "it would start, attach to no event and print nothing" if blind else "its output would be incomplete"
    return Verdict(status=Status.PARTIAL, reasons=(*_fold(partial), Reason(text=text)), blind=blind)


def _gives_up_on_any_probe(variant: Variant, facts: Facts) -> bool:
    """Whether one missing probe ends the start, even one of several in a list.

    bpftrace does so since 0.24 (docs/migration_guide.md: missing_probes is "error" now), unless the script says
    otherwise; one that does needs the bpftrace that first knew the setting, 0.21 or newer.
    """
    if variant.engine is not Engine.BPFTRACE or engine_version(Engine.BPFTRACE, facts) < (0, 24):
        return False
    names = (need.name for one in variant.analysis.requirements for need in one.any_of if need.kind is NeedKind.ENGINE)
    return all(parse_version(name.partition(">=")[2]) < (0, 21) for name in names)


def _sees_something(variant: Variant, facts: Facts) -> bool:
    """Whether any requirement that is an event to attach to is met."""
    events = tuple(
        requirement
        for requirement in variant.analysis.requirements
        if all(need.kind in ATTACH_KINDS for need in requirement.any_of)
    )
    return not events or any(answer_requirement(requirement, facts).met for requirement in events)


def answer_requirement(requirement: Requirement, facts: Facts) -> Answer:
    """Met when any of its needs is; unknown when one might be; else missing, with every cause once."""
    answers = tuple(answer_need(need, facts) for need in requirement.any_of)
    if any(answer.met for answer in answers):
        return MET
    causes = dict.fromkeys(answer.cause for answer in answers if answer.cause)
    fixes = dict.fromkeys(answer.fix for answer in answers if answer.fix)
    met = None if any(answer.met is None for answer in answers) else False
    return Answer(met, "; and ".join(causes), next(iter(fixes), ""))


def answer_need(need: Need, facts: Facts) -> Answer:
    """Whether one need is met by these facts; what no fact speaks of is taken as met (UNCHECKED)."""
    decide = DECIDERS.get(need.kind)
    return decide(need, facts) if decide else MET


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
        wanted = "" if all(name in cause for name in names) else f"; wanted: {', '.join(names[:3])}{more}"
        reasons.append(Reason(text=cause + wanted, fix=fix, need=needs[0]))
    return tuple(reasons)


def _blocked(*reasons: Reason) -> Verdict:
    return Verdict(status=Status.BLOCKED, reasons=reasons)


# --- One need at a time -------------------------------------------------------------------------------------------


def _in_set(name: str, known: Fact[Set[str]], missing: str) -> Answer:
    """Whether a name, or anything a wildcard matches, is in a set of facts."""
    if known.value is None:
        return Answer(None, known.unknown)
    if name in known.value:
        return MET
    if any(sign in name for sign in "*?[") and any(fnmatchcase(one, name) for one in known.value):
        return MET
    return Answer(False, missing)


def _tracepoint(need: Need, facts: Facts) -> Answer:
    if facts.tracepoints.value is None:
        return _no_tracefs(facts)
    return _in_set(need.name, facts.tracepoints, f"this kernel has no tracepoint {need.name}")


def _no_tracefs(facts: Facts) -> Answer:
    return Answer(None, facts.tracepoints.unknown, "" if facts.tracefs.known else TRACEFS_FIX)


def _raw_tracepoint(need: Need, facts: Facts) -> Answer:
    if facts.tracepoints.value is None:
        return _no_tracefs(facts)
    # A raw tracepoint has no system in its name. sys_enter and sys_exit are shown under raw_syscalls. Some raw
    # tracepoints are declared without an event (DECLARE_TRACE), so tracefs does not show them: pelt_cfs_tp and kin.
    if need.name.endswith("_tp"):
        return Answer(None, f"tracefs does not show bare tracepoints such as {need.name}")
    if any(one.partition(":")[2] == need.name for one in facts.tracepoints.value):
        return MET
    return Answer(False, f"this kernel has no tracepoint {need.name}")


def _tp_btf(need: Need, facts: Facts) -> Answer:
    btf = _btf(need, facts)
    return _raw_tracepoint(need, facts) if btf.met else btf


def _kprobe(need: Need, facts: Facts) -> Answer:
    if facts.kprobes.value is False:
        unset = facts.config.value is not None and facts.config.value.get("CONFIG_KPROBES", "n") != "y"
        if unset:
            return Answer(False, "no kprobes in this kernel (CONFIG_KPROBES is not set)")
        return Answer(False, f"kprobes cannot be attached here ({facts.kprobes.origin})")
    if facts.kprobes.value is None:
        return Answer(None, facts.kprobes.unknown)
    if not need.name:
        return MET
    return _in_set(need.name, facts.functions, f"no function {need.name} to attach a kprobe to")


def _fentry(need: Need, facts: Facts) -> Answer:
    if facts.fentry.value is False:
        return Answer(False, f"fentry programs are refused here ({facts.fentry.origin})")
    if facts.fentry.value is None:
        return Answer(None, facts.fentry.unknown)
    if not need.name:
        return MET
    return _in_set(need.name, facts.btf_functions, f"BTF has no function {need.name} for fentry")


def _uprobe(need: Need, facts: Facts) -> Answer:
    if facts.uprobes.value is False:
        return Answer(False, f"no uprobes in this kernel ({facts.uprobes.origin})")
    return MET if facts.uprobes.value else Answer(None, facts.uprobes.unknown)


def _perf_event(need: Need, facts: Facts) -> Answer:
    family = need.name.partition(":")[0]
    if family != "hardware":
        return MET
    if facts.pmus.value is None:
        return Answer(None, facts.pmus.unknown)
    # The processor's PMU is called cpu, or cpu_core and cpu_atom on hybrids, armv8_pmuv3_0 and kin on Arm.
    if any(one.startswith(("cpu", "armv", "apple_")) for one in facts.pmus.value):
        return MET
    return Answer(False, "no hardware counters here (no CPU PMU, as in most virtual machines)")


def _btf(need: Need, facts: Facts) -> Answer:
    if facts.btf.known:
        return MET
    return Answer(False, facts.btf.unknown, "boot a kernel with CONFIG_DEBUG_INFO_BTF=y")


def _headers(need: Need, facts: Facts) -> Answer:
    if facts.headers.known:
        return MET
    return Answer(False, f"no headers of kernel {facts.release} here", header_fix(facts))


def header_fix(facts: Facts) -> str:
    """How to get the running kernel's headers: the package that holds them, if this kernel came in a package."""
    for names, kernels, command in HEADER_PACKAGES:
        if facts.distribution in names and re.search(kernels, facts.release):
            return command.format(facts.release)
    where = f"/lib/modules/{facts.release}/build"
    return f"build this kernel with CONFIG_IKHEADERS=m, or put its headers in {where}"


def _kernel_symbol(need: Need, facts: Facts) -> Answer:
    if facts.symbols.known:
        return _in_set(need.name, facts.symbols, f"kallsyms has no {need.name} (CONFIG_KALLSYMS_ALL is not set?)")
    config = facts.config.value
    if config is not None and config.get("CONFIG_KALLSYMS_ALL", "n") != "y":
        return Answer(False, f"kallsyms has no data symbols such as {need.name} (CONFIG_KALLSYMS_ALL is not set)")
    return Answer(None, facts.symbols.unknown)


def _engine(need: Need, facts: Facts) -> Answer:
    name, _, wanted = need.name.partition(">=")
    if name == Engine.SHELL:
        return MET
    engine = Engine(name)
    missing = find_missing_engine(engine, facts)
    if missing is not None:
        return Answer(False, missing.text, missing.fix)
    have = engine_version(engine, facts)
    if not wanted or not have or have >= parse_version(wanted):
        return MET
    return Answer(False, f"it needs {name} {wanted} or newer; here is {'.'.join(map(str, have))}")


# What variants need and facts do not hold yet: a verdict does not depend on these, and the README says so. `run`
# warns when a tool attaches to nothing all the same.
UNCHECKED = frozenset(
    {
        NeedKind.STRUCT_FIELD,
        NeedKind.USER_HEADER,
        NeedKind.PROGRAM,
        NeedKind.LSM,
        NeedKind.ITER,
        NeedKind.STRUCT_OPS,
        NeedKind.NETWORK,
        NeedKind.ATTACH,
    }
)

DECIDERS: dict[NeedKind, Callable[[Need, Facts], Answer]] = {
    NeedKind.TRACEPOINT: _tracepoint,
    NeedKind.RAW_TRACEPOINT: _raw_tracepoint,
    NeedKind.TP_BTF: _tp_btf,
    NeedKind.KPROBE: _kprobe,
    NeedKind.FENTRY: _fentry,
    NeedKind.UPROBE: _uprobe,
    NeedKind.USDT: _uprobe,
    NeedKind.PERF_EVENT: _perf_event,
    NeedKind.BTF: _btf,
    NeedKind.HEADERS: _headers,
    NeedKind.KERNEL_SYMBOL: _kernel_symbol,
    NeedKind.ENGINE: _engine,
}
