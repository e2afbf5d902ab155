"""Whether what a variant needs outside of the kernel is there: programs, libraries, files, the machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.answer import MET, Answer
from toolkit.mending import HARDWARE_FIX, KPROBES_FIX, PART_FIX, TRACED_FIXES, UNLOOKED_FIX, looked_fix
from toolkit.model import LOOKED_KINDS, Facts, Need, NeedKind, Variant


def find_outside(variants: Iterable[Variant]) -> tuple[Need, ...]:
    """What variants need outside of the kernel, each need once."""
    needs = (need for variant in variants for need in _list_needs(variant))
    return tuple(dict.fromkeys(need for need in needs if need.kind in LOOKED_KINDS and _is_looked_up(need)))


def _is_looked_up(need: Need) -> bool:
    """Whether somebody has to look: not for the machine, which uname(2) tells, nor for what is chosen at run time."""
    chosen = not need.name or (need.kind in TRACED and need.name.startswith(":"))
    return not chosen and (need.kind is not NeedKind.PLATFORM or need.name not in MACHINES)


def _list_needs(variant: Variant) -> Iterator[Need]:
    """Every need that a verdict on a variant asks of: those of its requirements, and of its known troubles."""
    for requirement in variant.analysis.requirements:
        yield from requirement.any_of
    for trouble in variant.troubles:
        yield from (*trouble.has, *trouble.lacks)


def answer_looked(need: Need, facts: Facts) -> Answer:
    """Whether something outside of the kernel is there, as far as it was looked for."""
    words = LOOKED_WORDS[need.kind if need.kind not in TRACED or ":" in need.name else NeedKind.PROGRAM]
    file, _, point = need.name.partition(":")
    what = words.format(file or "what its arguments choose", point, need.name)
    answer = facts.looked.get(str(need))
    if answer is None:
        return Answer(None, f"it is not known whether there is {what}", _unlooked_fix(need))
    return MET if answer else Answer(False, f"there is no {what}", looked_fix(need, facts))


def _unlooked_fix(need: Need) -> str:
    """How to learn what nobody looked for, where looking helps."""
    if need.kind in TRACED and need.name.startswith(":"):
        return TRACED_FIXES[need.kind]
    return PART_FIX if need.kind is NeedKind.FILE and not need.name.startswith("/") else UNLOOKED_FIX


TRACED = frozenset({NeedKind.UPROBE, NeedKind.USDT})


def answer_file(need: Need, facts: Facts) -> Answer:
    """A path; of what tracefs has only with kprobes or uprobes, those tell, also where nobody looked."""
    name = need.name.rpartition("/tracing/")[2]
    known = {"kprobe_events": facts.kprobes, "uprobe_events": facts.uprobes}.get(name)
    if known is None or not known.known:
        return answer_looked(need, facts)
    fix = KPROBES_FIX if name == "kprobe_events" else ""
    return MET if known.value else Answer(False, f"there is no file {need.name}", fix)


def answer_platform(need: Need, facts: Facts) -> Answer:
    """A machine as uname(1) calls it, or a maker of processors as /proc/cpuinfo has it."""
    if need.name not in MACHINES or not facts.machine:
        return answer_looked(need, facts)
    if need.name == facts.machine:
        return MET
    return Answer(False, f"it is for {need.name}, and this is {facts.machine}", HARDWARE_FIX)


MACHINES = frozenset({"x86_64", "i686", "aarch64", "armv7l", "ppc64le", "s390x", "riscv64", "loongarch64"})
# {0} and {1}: what stands before and after the first colon of the name; {2}: the whole name.
LOOKED_WORDS = {
    NeedKind.UPROBE: "function {1} in {0} to trace",
    NeedKind.USDT: "USDT probe {1} in {0}",
    NeedKind.USER_HEADER: "header {2}: the C library's headers are not installed, or do not have it",
    NeedKind.HEADER_TEXT: "{1!r} in the kernel header {0}",
    NeedKind.PROGRAM: "program or library {2}",
    NeedKind.FILE: "file {2}",
    NeedKind.PYTHON_MODULE: "Python module {2}",
    NeedKind.PLATFORM: "processor of the kind {2}",
}
