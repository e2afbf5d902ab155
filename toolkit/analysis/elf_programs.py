"""What the programs of a BPF object need: the section names are attach points (libbpf's section definitions)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from toolkit.analysis.elf_calls import NO_CALLS, Calls
from toolkit.analysis.elf_object import Program
from toolkit.analysis.needs import function_key, one, syscall_functions, unique
from toolkit.model import Need, NeedKind, Requirement


class Strings(Protocol):
    """What the host binary says in its strings."""

    def __contains__(self, name: object) -> bool: ...

    def beginning(self, prefix: str) -> tuple[str, ...]:
        """The identifiers that begin like this."""
        ...


_FUNCTIONS = {
    "kprobe": NeedKind.KPROBE,
    "kretprobe": NeedKind.KPROBE,
    "kprobe.multi": NeedKind.KPROBE,
    "kretprobe.multi": NeedKind.KPROBE,
    "kprobe.session": NeedKind.KPROBE,
    "fentry": NeedKind.FENTRY,
    "fexit": NeedKind.FENTRY,
    "fmod_ret": NeedKind.FENTRY,
}
_EVENTS = {
    "tp_btf": NeedKind.TP_BTF,
    "raw_tp": NeedKind.RAW_TRACEPOINT,
    "raw_tp.w": NeedKind.RAW_TRACEPOINT,
    "raw_tracepoint": NeedKind.RAW_TRACEPOINT,
    "raw_tracepoint.w": NeedKind.RAW_TRACEPOINT,
    "iter": NeedKind.ITER,
    "lsm": NeedKind.LSM,
    "lsm_cgroup": NeedKind.LSM,
    "struct_ops": NeedKind.STRUCT_OPS,
}
_USER = {
    "uprobe": NeedKind.UPROBE,
    "uretprobe": NeedKind.UPROBE,
    "uprobe.multi": NeedKind.UPROBE,
    "uretprobe.multi": NeedKind.UPROBE,
    "uprobe.session": NeedKind.UPROBE,
    "usdt": NeedKind.USDT,
}
_NETWORK = (
    "xdp",
    "tc",
    "tcx",
    "classifier",
    "action",
    "socket",
    "cgroup",
    "sk_",
    "sockops",
    "flow_",
    "lwt_",
    "netfilter",
)
# A function that no kernel has: the real one is set at run time (bpf_program__set_attach_target), or the program is
# attached by hand. A handler is attached to user-space functions as well.
_PLACEHOLDER = re.compile(r"dummy\w*|\w+_dummy|placeholder|foo|bar|")
_HANDLER = re.compile(r"handle_(?:entry|exit|return|enter)")
_PLACEHOLDER_FOR = re.compile(r"/dummy_(?:\w+_)?([a-z]+)$")  # dummy_file_read: for reading
_SHORTEST_PREFIX = 3  # of file systems: nfs, xfs
_LONGEST_PREFIX = 32
# The counter that a perf-event program is for, from a word in its function's name; others sample by the clock.
_COUNTERS = {
    "miss": "hardware:cache-misses",
    "misses": "hardware:cache-misses",
    "ref": "hardware:cache-references",
    "references": "hardware:cache-references",
    "cycles": "hardware:cpu-cycles",
    "instructions": "hardware:instructions",
    "branch": "hardware:branch-instructions",
    "fault": "software:page-faults",
    "faults": "software:page-faults",
}


# A library that a tool looks for in the process it is given, and the program that runs with it.
_RUNTIMES = {"libjvm.so": "java"}


def program_needs(program: Program, strings: Strings) -> tuple[Need, ...]:
    """The needs of one program, any one of which will do."""
    kind, _, target = program.section.removeprefix("?").partition("/")
    kind = kind.removesuffix(".s")
    if kind in _FUNCTIONS:
        return _function(_FUNCTIONS[kind], target, program.function, strings)
    if kind in ("ksyscall", "kretsyscall"):
        return syscall_functions(target) if target else (Need(kind=NeedKind.KPROBE),)
    if kind in ("tp", "tracepoint"):
        return (Need(kind=NeedKind.TRACEPOINT, name=target.replace("/", ":", 1)),)
    if kind in _EVENTS:
        return (Need(kind=_EVENTS[kind], name=target),)
    if kind in _USER:
        runtimes = [program for library, program in _RUNTIMES.items() if library in strings]
        return (Need(kind=_USER[kind], name=target if ":" in target else "".join(runtimes[:1])),)
    if kind == "perf_event":
        return (Need(kind=NeedKind.PERF_EVENT, name=_counter(program.function)),)
    if program.section.startswith(_NETWORK):
        return (Need(kind=NeedKind.NETWORK, name=program.section.partition("/")[0]),)
    return (Need(kind=NeedKind.ATTACH, name=program.section),)


def _function(kind: NeedKind, target: str, function: str, strings: Strings) -> tuple[Need, ...]:
    name = target.partition("+")[0]
    if _HANDLER.fullmatch(name) and name == function:
        return Need(kind=kind), Need(kind=NeedKind.UPROBE)
    if not name:
        # A section without a target: the tool attaches by hand, to a function that is called like the program;
        # where the kernel renamed it, the binary holds the other name too.
        others = [other for other in ("__" + function, function.lstrip("_")) if other != function and other in strings]
        return tuple(Need(kind=kind, name=found) for found in (function, *others))
    if _PLACEHOLDER.fullmatch(name):
        return (Need(kind=kind),)
    return (Need(kind=kind, name=name),)


def _counter(function: str) -> str:
    for word in function.split("_"):
        if word in _COUNTERS:
            return _COUNTERS[word]
    return "software:cpu-clock"


def program_requirements(
    programs: Iterable[Program], strings: Strings, called: str, calls: Calls = NO_CALLS
) -> tuple[Requirement, ...]:
    """What the programs together need.

    Programs for the same function or event are alternatives: `fentry/x` or `kprobe/x`, `tp_btf/x` or `raw_tp/x`,
    and the old or the new name. Which of them are loaded is decided at run time, and one of each must be.
    """
    groups: dict[str, list[Need]] = {}
    fixed: set[str] = set()
    operations: list[str] = []
    for program in programs:
        if program.section.startswith("?"):
            continue  # not loaded unless the tool asks for it
        needs = program_needs(program, strings)
        groups.setdefault(group_of(needs[0]), []).extend(needs)
        operations.extend(_PLACEHOLDER_FOR.findall(program.section))
        if program.function not in calls.switched:
            fixed.add(group_of(needs[0]))
    _direct(groups, calls)
    needed, switched = _split(groups, fixed)
    found = (*(Requirement(any_of=unique(needs)) for needs in needed), *_of_switched(switched, alone=not needed))
    chosen = _functions_by_name(unique_words(operations), strings, called)
    return tuple(item for requirement in found for item in _chosen(requirement, chosen))


def _direct(groups: dict[str, list[Need]], calls: Calls) -> None:
    """Add the functions that a tool directs programs to: `fentry/x`, which it may attach to `__x` as well."""
    for names in calls.directed:
        keys = {name: f"event {function_key(name)}" for name in names}
        known = unique_words(key for key in keys.values() if key in groups)
        for name, key in keys.items():
            group = groups.get(key if len(known) != 1 else known[0], [])
            kinds = [need.kind for need in group]
            kind = next((kind for kind in (NeedKind.FENTRY, NeedKind.KPROBE) if kind in kinds), None)
            if kind:
                group.append(Need(kind=kind, name=name))


def _split(groups: dict[str, list[Need]], fixed: set[str]) -> tuple[list[list[Need]], list[Need]]:
    """The groups of which one need must be met, and the needs of programs that a tool may do without.

    One that is turned off where there is another way, as kprobes are where fentry works, is not one of those.
    """
    needed: list[list[Need]] = []
    switched: list[Need] = []
    for name, needs in groups.items():
        if name in fixed or len({need.kind for need in needs}) > 1:
            needed.append(needs)
        else:
            switched.extend(needs)
    return needed, switched


def _of_switched(needs: list[Need], *, alone: bool) -> tuple[Requirement, ...]:
    """A single one is loaded where the kernel has it, and not missed; of several, the tool takes what there is.

    That a kernel has a function says nothing of kprobes: where it has none, the tool tries and gives up.
    """
    several = unique(needs)
    found = (Requirement(any_of=several),) if len(several) > 1 or (alone and several) else ()
    tried = any(need.kind is NeedKind.KPROBE for need in several)
    return (*found, one(NeedKind.KPROBE)) if tried and not alone else found


def group_of(need: Need) -> str:
    """A key that programs for the same function or event share, whatever mechanism they use."""
    if need.kind in (NeedKind.KPROBE, NeedKind.FENTRY):
        return f"event {function_key(need.name)}" if need.name else "any function"
    if need.kind is NeedKind.TRACEPOINT:
        system, _, event = need.name.partition(":")
        for direction in ("sys_enter_", "sys_exit_"):
            # A kernel that lacks one of several system calls has no callers of it, and tools leave it out.
            if system == "syscalls" and event.startswith(direction):
                return direction
    if need.kind in (NeedKind.TRACEPOINT, NeedKind.TP_BTF, NeedKind.RAW_TRACEPOINT):
        return f"event {function_key(need.name)}"
    return str(need)


def unique_words(words: Iterable[str]) -> tuple[str, ...]:
    """The words in order, each once."""
    return tuple(dict.fromkeys(words))


def _functions_by_name(operations: tuple[str, ...], strings: Strings, called: str) -> tuple[str, ...]:
    """The functions that a tool with placeholders will attach to when it acts on its own name.

    libbpf-tools' xfsslower, ext4dist and the like are links to fsslower and fsdist, whose `dummy_file_read` is
    xfs_file_read_iter for the one called xfsslower. Those names are in the binary's strings.
    """
    if not operations:
        return ()
    known = strings.beginning(called[:_SHORTEST_PREFIX]) if len(called) >= _SHORTEST_PREFIX else ()
    for length in range(min(len(called), _LONGEST_PREFIX), _SHORTEST_PREFIX - 1, -1):
        ours = [name for name in known if name.startswith(called[:length] + "_")]
        found = tuple(name for operation in operations for name in ours if operation in name)
        if len(found) > 1:
            return unique_words(found)
    # A file system may abbreviate itself in its functions, bch2_read_iter of bcachefs; or call them by another name of
    # the same first letter, zpl_iter_read of ZFS, where no other has that letter.
    first = [name for name in strings.beginning(called[:1]) if any(operation in name for operation in operations)]
    short = [name for name in first if _abbreviates(name.partition("_")[0], called)]
    alone = len({name.partition("_")[0] for name in first}) == 1
    chosen = short or (first if alone else [])
    return unique_words(chosen) if len(chosen) > 1 else ()


def _abbreviates(word: str, name: str) -> bool:
    """Whether the letters of a word stand in a name in their order; digits at its end do not count."""
    rest = iter(name)
    letters = word.rstrip("0123456789")
    return len(letters) >= _SHORTEST_PREFIX and all(letter in rest for letter in letters)


def _chosen(requirement: Requirement, functions: tuple[str, ...]) -> tuple[Requirement, ...]:
    """The requirement for any function as one for each of these functions."""
    kinds = [need.kind for need in requirement.any_of if not need.name]
    if not functions or len(kinds) < len(requirement.any_of) or not set(kinds) <= {NeedKind.KPROBE, NeedKind.FENTRY}:
        return (requirement,)
    return tuple(Requirement(any_of=tuple(Need(kind=kind, name=name) for kind in kinds)) for name in functions)
