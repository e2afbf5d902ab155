"""What is wrong with this host for BPF tools, and the exact command that mends it. Pure: facts in, findings out."""

from __future__ import annotations

from enum import StrEnum

from toolkit.answers import answer_need, find_loadable
from toolkit.compat import find_missing_rights
from toolkit.distributions import install_command
from toolkit.kernels import PROCESSOR_PMUS
from toolkit.mending import TRACEFS_FIX, header_fix
from toolkit.model import ATTACH_KINDS, Engine, Facts, Index, Value
from toolkit.options import is_unset, set_fix


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"  # some tools lack something
    PROBLEM = "problem"  # most tools do


class Finding(Value, frozen=True, omit_defaults=False):
    """One thing that was looked at: what, what was found, and the command that mends it."""

    subject: str
    level: Level
    text: str
    fix: str = ""


def find_problems(facts: Facts, index: Index) -> tuple[Finding, ...]:
    """Everything worth saying, from what matters most to what matters least."""
    return (
        _rights(facts),
        _tracefs(facts),
        *_engines(facts, index),
        _btf(facts),
        _headers(facts),
        _kprobes(facts),
        _fentry(facts),
        _uprobes(facts),
        _counters(facts),
        *_modules(facts, index),
        *_settings(facts),
        *_files(index),
    )


def _rights(facts: Facts) -> Finding:
    reason = find_missing_rights(facts)
    if reason:
        return Finding(subject="rights", level=Level.PROBLEM, text=reason.text, fix=reason.fix)
    if facts.bpf.value is None:
        return Finding(
            subject="rights", level=Level.NOTE, text=f"whether BPF may be used is unknown: {facts.bpf.unknown}"
        )
    return Finding(subject="rights", level=Level.OK, text="this user may load BPF programs")


def _tracefs(facts: Facts) -> Finding:
    if facts.tracefs.value is None:
        rights = find_missing_rights(facts)
        fix = rights.fix if rights else TRACEFS_FIX
        return Finding(subject="tracefs", level=Level.PROBLEM, text=facts.tracefs.unknown, fix=fix)
    if facts.tracepoints.value is None:
        return Finding(subject="tracefs", level=Level.PROBLEM, text=facts.tracepoints.unknown)
    text = f"{facts.tracefs.value}, {len(facts.tracepoints.value):,} tracepoints"
    return Finding(subject="tracefs", level=Level.OK, text=text)


def _engines(facts: Facts, index: Index) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for engine in (Engine.BPFTRACE, Engine.BCC):
        have = next((one for one in facts.engines if one.name is engine), None)
        if have:
            text = f"{have.version}, started with {' '.join(have.argv)}"
            findings.append(Finding(subject=engine, level=Level.OK, text=text))
            continue
        why = facts.missing_engines.get(engine, "it was not found")
        fix = install_command(facts.distribution, engine)
        findings.append(Finding(subject=engine, level=Level.NOTE, text=f"not here: {why}", fix=fix))
    native = sum(variant.engine is Engine.NATIVE for variant in index.variants)
    if native:
        findings.append(Finding(subject="libbpf-tools", level=Level.OK, text=f"{native} tools compiled ahead"))
    else:
        fix = install_command(facts.distribution, "native")
        findings.append(Finding(subject="libbpf-tools", level=Level.NOTE, text="not installed", fix=fix))
    return tuple(findings)


def _btf(facts: Facts) -> Finding:
    if facts.btf.value:
        return Finding(subject="BTF", level=Level.OK, text=facts.btf.value)
    fix = set_fix("CONFIG_DEBUG_INFO_BTF")
    return Finding(subject="BTF", level=Level.PROBLEM, text=facts.btf.unknown, fix=fix)


def _headers(facts: Facts) -> Finding:
    if facts.headers.value:
        return Finding(subject="headers", level=Level.OK, text=facts.headers.value)
    text = f"{facts.headers.unknown}; every BCC tool needs them"
    return Finding(subject="headers", level=Level.NOTE, text=text, fix=header_fix(facts))


def _kprobes(facts: Facts) -> Finding:
    if facts.kprobes.value is False:
        unset = is_unset("CONFIG_KPROBES", facts)
        why = "CONFIG_KPROBES is not set in this kernel" if unset else facts.kprobes.origin
        fix = set_fix("CONFIG_KPROBES") if unset else ""
        text = f"{why}: tools that trace kernel functions with them cannot run"
        return Finding(subject="kprobes", level=Level.NOTE, text=text, fix=fix)
    if facts.kprobes.value is None:
        return Finding(subject="kprobes", level=Level.NOTE, text=f"unknown: {facts.kprobes.unknown}")
    count = f", {len(facts.functions.value):,} functions" if facts.functions.value else ""
    return Finding(subject="kprobes", level=Level.OK, text=f"available{count}")


def _fentry(facts: Facts) -> Finding:
    if facts.fentry.value is False:
        return Finding(subject="fentry", level=Level.NOTE, text=f"refused by this kernel ({facts.fentry.origin})")
    if facts.fentry.value is None:
        return Finding(subject="fentry", level=Level.NOTE, text=f"unknown: {facts.fentry.unknown}")
    return Finding(subject="fentry", level=Level.OK, text="available")


def _uprobes(facts: Facts) -> Finding:
    if facts.uprobes.value:
        return Finding(subject="uprobes", level=Level.OK, text="available")
    why = facts.uprobes.unknown or facts.uprobes.origin
    return Finding(subject="uprobes", level=Level.NOTE, text=f"not available: {why}")


def _counters(facts: Facts) -> Finding:
    if facts.counters.value:
        text = f"hardware counters that open: {', '.join(sorted(facts.counters.value))}"
        return Finding(subject="PMU", level=Level.OK, text=text)
    names = facts.pmus.value if facts.counters.value is None else frozenset[str]()
    if names is None:
        return Finding(subject="PMU", level=Level.NOTE, text=facts.pmus.unknown)
    if any(name.startswith(PROCESSOR_PMUS) for name in names):
        return Finding(subject="PMU", level=Level.OK, text="hardware counters available")
    text = "no hardware counters, as in most virtual machines: llcstat and kin cannot run"
    return Finding(subject="PMU", level=Level.NOTE, text=text)


def _modules(facts: Facts, index: Index) -> tuple[Finding, ...]:
    """The modules that tools trace, which could be loaded and are not."""
    needs = {
        need
        for variant in index.variants
        for requirement in variant.analysis.requirements
        for need in requirement.any_of
        if need.kind in ATTACH_KINDS and need.name
    }
    missing = {find_loadable(need, facts) for need in needs if answer_need(need, facts).met is False} - {""}
    if not missing:
        return ()
    names = sorted(missing)
    text = f"not loaded: {', '.join(names)}; tools that trace them cannot run before"
    return (Finding(subject="modules", level=Level.NOTE, text=text, fix=f"modprobe -a {' '.join(names)}"),)


def _settings(facts: Facts) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    if facts.lockdown.value not in (None, "none"):
        text = f"kernel lockdown: {facts.lockdown.value}"
        findings.append(Finding(subject="lockdown", level=Level.NOTE, text=text))
    memlock = -1 if facts.memlock.value is None else facts.memlock.value
    if 0 <= memlock < 64 << 20 and facts.bpf.value is not True and not find_missing_rights(facts):
        # Newer kernels charge BPF memory to the cgroup instead (v5.11, "bpf: Eliminate rlimit-based memory
        # accounting"): there the trial load has succeeded, whatever the limit is.
        text = f"only {memlock >> 10} KiB may be locked; an older kernel charges BPF maps to that"
        findings.append(Finding(subject="memlock", level=Level.NOTE, text=text, fix="ulimit -l unlimited"))
    return tuple(findings)


def _files(index: Index) -> tuple[Finding, ...]:
    distrusted = tuple(variant for variant in index.variants if variant.distrust)
    findings = [
        Finding(subject=variant.id, level=Level.PROBLEM, text=variant.distrust, fix="reinstall its package")
        for variant in distrusted
    ]
    findings += [Finding(subject="file", level=Level.NOTE, text=text) for text in index.skipped]
    return tuple(findings)
