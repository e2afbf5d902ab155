"""Whether one need of a variant is met on a host. Pure: (need, facts) in, an Answer out.

An Answer is met, missing with the cause and what helps, or unknown with the reason. A decider a kind of need; DECIDERS
is the list of them.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Set

from toolkit.answer import MET, WILDCARD, Answer, in_set, match_any
from toolkit.kernels import PROCESSOR_PMUS, feature_fix, kind_fix
from toolkit.mending import (
    COUNTERS_FIX,
    FORBIDDEN_FIX,
    HARDWARE_FIX,
    KPROBES_FIX,
    OTHER_RELEASE,
    TERMINAL_FIX,
    TRACEFS_FIX,
    fentry_fix,
    header_fix,
)
from toolkit.model import Engine, Fact, Facts, Need, NeedKind
from toolkit.options import HELPERS, answer_option, find_unset, is_unset, set_fix
from toolkit.outside import answer_file, answer_looked, answer_platform
from toolkit.versions import engine_version, find_missing_engine, parse_version

UPROBES = "CONFIG_UPROBE_EVENTS"
BTF_TRACEPOINT = "btf_trace_"  # a typedef of each tracepoint, bare ones too (Linux 5.0, commit ac68154626ab)


def answer_need(need: Need, facts: Facts) -> Answer:
    """Whether one need is met by these facts."""
    return DECIDERS[need.kind](need, facts)


def _tracepoint(need: Need, facts: Facts) -> Answer:
    if facts.tracepoints.value is None:
        return _no_tracefs(facts)
    found = in_set(need.name, facts.tracepoints, f"this kernel has no tracepoint {need.name}")
    return _with_module(found, need, facts) if found.met is False else found


def _with_module(missing: Answer, need: Need, facts: Facts) -> Answer:
    """What is missing, with the command that loads the module that it is likely to be in, or the option that it is."""
    module = find_loadable(need, facts)
    if module:
        return Answer(missing.met, missing.cause, f"modprobe {module}")
    option = find_unset(need.name, facts)
    if option:
        return Answer(missing.met, f"{missing.cause} ({option} is not set)", set_fix(option))
    return Answer(missing.met, missing.cause, missing.fix or OTHER_RELEASE)


def find_loadable(need: Need, facts: Facts) -> str:
    """The module whose name an attach point bears, if it could be loaded and is not; else nothing.

    So the kernel names its events (kvm:kvm_exit) and, by habit, functions: xfs_file_read_iter, __nfs_revalidate.
    """
    event = need.kind is NeedKind.TRACEPOINT
    name = need.name.partition(":")[0] if event else need.name.lstrip("_").partition("_")[0]
    if facts.modules.value is None or facts.loaded.value is None:
        return ""
    return name if name in facts.modules.value and name not in facts.loaded.value else ""


def _no_tracefs(facts: Facts) -> Answer:
    return Answer(None, facts.tracepoints.unknown, "" if facts.tracefs.known else TRACEFS_FIX)


def _raw_tracepoint(need: Need, facts: Facts) -> Answer:
    if (refused := _kind("raw_tp", facts)).met is False:
        return refused
    if facts.tracepoints.value is None:
        return _no_tracefs(facts)
    # A raw tracepoint has no system in its name. sys_enter and sys_exit are shown under raw_syscalls. Some raw
    # tracepoints are declared without an event (DECLARE_TRACE), so tracefs does not show them: pelt_cfs_tp and kin.
    if facts.fields.value is not None and f"{BTF_TRACEPOINT}{need.name}" in facts.fields.value:
        return MET
    if need.name.endswith("_tp"):
        return Answer(None, f"tracefs does not show bare tracepoints such as {need.name}")
    if match_any(f"*:{need.name}", facts.tracepoints.value):
        return MET
    return _with_module(Answer(False, f"this kernel has no tracepoint {need.name}"), need, facts)


def _tp_btf(need: Need, facts: Facts) -> Answer:
    btf = _btf(need, facts)
    return _raw_tracepoint(need, facts) if btf.met else btf


def _kprobe(need: Need, facts: Facts) -> Answer:
    if facts.kprobes.value is False:
        if is_unset("CONFIG_KPROBES", facts):
            return Answer(False, "no kprobes in this kernel (CONFIG_KPROBES is not set)", KPROBES_FIX)
        return Answer(False, f"kprobes cannot be attached here ({facts.kprobes.origin})", FORBIDDEN_FIX)
    if facts.kprobes.value is None:
        return Answer(None, facts.kprobes.unknown)
    if not need.name:
        return MET
    found = in_set(need.name, facts.functions, f"no function {need.name} to attach a kprobe to")
    return _with_module(found, need, facts) if found.met is False else found


def _fentry(need: Need, facts: Facts) -> Answer:
    if facts.fentry.value is False:
        return Answer(False, f"fentry programs are refused here ({facts.fentry.origin})", fentry_fix(facts))
    if facts.fentry.value is None:
        return Answer(None, facts.fentry.unknown)
    if not need.name:
        return MET
    found = in_set(need.name, facts.btf_functions, f"BTF has no function {need.name} for fentry")
    return _with_module(found, need, facts) if found.met is False else found


def _uprobe(need: Need, facts: Facts) -> Answer:
    if facts.uprobes.value is False:
        fix = set_fix(UPROBES) if is_unset(UPROBES, facts) else FORBIDDEN_FIX
        return Answer(False, f"no uprobes in this kernel ({facts.uprobes.origin})", fix)
    if facts.uprobes.value is None:
        return Answer(None, facts.uprobes.unknown)
    return answer_looked(need, facts) if need.name else MET


def _field(need: Need, facts: Facts) -> Answer:
    """A type or its member; without BTF nobody knows, and the need of BTF itself says what follows."""
    if facts.fields.value is None or need.name in facts.fields.value:
        return MET
    kind, _, member = need.name.partition(".")
    if member and kind in facts.fields.value:
        return Answer(False, f"this kernel's {kind} has no member {member}", OTHER_RELEASE)
    return Answer(False, f"this kernel has no type {kind}", OTHER_RELEASE)


def _header_field(need: Need, facts: Facts) -> Answer:
    """A member that a C text reads. A type may be in headers and not in BTF: of a module, or used by no code."""
    known = facts.fields.value is not None and need.name.partition(".")[0] in facts.fields.value
    answer = _field(need, facts) if known else MET
    return answer if answer.met else Answer(False, f"{answer.cause}, so its C text does not compile", OTHER_RELEASE)


def _tracepoint_field(need: Need, facts: Facts) -> Answer:
    event, _, field = need.name.rpartition(".")
    if ":" not in event:
        return _raw_argument(event, field, facts)
    formats, events = facts.formats.value, facts.tracepoints.value
    if formats is None or events is None:
        return MET  # the need of the tracepoint itself says what follows
    read = fnmatch.filter(events, event) if WILDCARD.search(event) else {event} & events
    without = min((one for one in read if f"{one}.{field}" not in formats), default="")
    return MET if not without else Answer(False, f"the tracepoint {without} has no field {field}", OTHER_RELEASE)


def _raw_argument(event: str, argument: str, facts: Facts) -> Answer:
    """The kernel refuses a program that reads past the arguments of its raw tracepoint; BTF tells how many it has."""
    known = facts.fields.value
    if known is None or f"{BTF_TRACEPOINT}{event}" not in known or f"{BTF_TRACEPOINT}{event}.{argument}" in known:
        return MET
    cause = f"the tracepoint {event} has no {argument} (counted from 0) in this kernel, which refuses to attach there"
    return Answer(False, cause, OTHER_RELEASE)


def _feature(need: Need, facts: Facts) -> Answer:
    option = HELPERS.get(need.name, "")
    if option and is_unset(option, facts):
        return Answer(False, f"this kernel has no helper {need.name} ({option} is not set)", set_fix(option))
    if facts.features.value is None:
        return MET
    found = in_set(str(need), facts.features, f"this kernel has no BPF {need.kind.replace('_', ' ')} {need.name}")
    return found if found.met else Answer(found.met, found.cause, feature_fix(need, facts))


def _perf_event(need: Need, facts: Facts) -> Answer:
    family, _, event = need.name.partition(":")
    if family != "hardware":
        return MET
    if facts.counters.value is not None:
        return _counter(event, facts.counters)
    if facts.pmus.value is None:
        return Answer(None, facts.pmus.unknown)
    if any(one.startswith(PROCESSOR_PMUS) for one in facts.pmus.value):
        return MET
    return Answer(False, NO_COUNTERS, COUNTERS_FIX)


def _counter(event: str, counters: Fact[frozenset[str]]) -> Answer:
    if not counters.value:
        return Answer(False, NO_COUNTERS, COUNTERS_FIX)
    name = COUNTER_ALIASES.get(event, event)
    if not name or name in counters.value:
        return MET
    return Answer(False, f"no hardware counter {name} here", HARDWARE_FIX)


NO_COUNTERS = "no hardware counters here, as in most virtual machines"
COUNTER_ALIASES = {"cycles": "cpu-cycles", "branches": "branch-instructions"}


def _kind(kind: str, facts: Facts) -> Answer:
    """Whether the kernel takes a kind of BPF programs; unknown for one that no fact tells of."""
    known = facts.program_kinds.get(kind, Fact(unknown=f"it is not known whether this kernel takes {kind} programs"))
    if known.value is None:
        return Answer(None, known.unknown)
    if known.value:
        return MET
    return Answer(False, f"this kernel takes no {kind} programs ({known.origin})", kind_fix(kind, facts))


def _iter(need: Need, facts: Facts) -> Answer:
    taken = _kind("iter", facts)
    if not taken.met or not need.name:
        return taken
    function = f"bpf_iter_{need.name}"
    found = in_set(function, facts.btf_functions, f"this kernel has no iterator {need.name} (BTF has no {function})")
    return _with_module(found, need, facts) if found.met is False else found


def _lsm(need: Need, facts: Facts) -> Answer:
    taken = _kind("lsm", facts)
    if not taken.met or not need.name:
        return taken
    function = f"bpf_lsm_{need.name}"
    found = in_set(function, facts.btf_functions, f"this kernel has no LSM hook {need.name} (BTF has no {function})")
    return _with_module(found, need, facts) if found.met is False else found


def _struct_ops(_: Need, facts: Facts) -> Answer:
    return _kind("struct_ops", facts)


def _network(need: Need, facts: Facts) -> Answer:
    name = need.name.partition(".")[0]  # xdp.frags
    return _kind(SECTIONS.get(name, name), facts)


def _attach(need: Need, facts: Facts) -> Answer:
    """A section or probe type that has no kind of need of its own: watchpoint, kprobe.multi, freplace."""
    kind = need.name.partition("/")[0]
    if kind in ("watchpoint", "asyncwatchpoint"):
        missing = "no hardware breakpoints here (no breakpoint PMU)"
        known: Fact[Set[str]] = Fact(facts.pmus.value, facts.pmus.unknown)
        found = in_set("breakpoint", known, missing)
        return found if found.met else Answer(found.met, found.cause, HARDWARE_FIX)
    if kind in ("freplace", "fmod_ret"):
        return _fentry(Need(kind=NeedKind.FENTRY), facts)
    return _kind(SECTIONS.get(kind, kind), facts)


# What libbpf and bcc call a section or an attachment, and the kernel's name for programs of that kind.
SECTIONS = {
    "tc": "sched_cls",
    "tcx": "sched_cls",
    "classifier": "sched_cls",
    "action": "sched_act",
    "socket": "socket_filter",
    "sockops": "sock_ops",
    "cgroup": "cgroup_skb",
    "kretprobe.multi": "kprobe.multi",
    "uretprobe.multi": "uprobe.multi",
}


def _btf(need: Need, facts: Facts) -> Answer:
    if facts.btf.known:
        return MET
    return Answer(False, facts.btf.unknown, set_fix("CONFIG_DEBUG_INFO_BTF"))


def _headers(need: Need, facts: Facts) -> Answer:
    if facts.headers.known:
        return MET
    return Answer(False, f"no headers of kernel {facts.release} here", header_fix(facts))


def _plain_headers(need: Need, facts: Facts) -> Answer:
    """Whether this kernel's headers are C that every clang takes; BTF has a structure that came with the change."""
    if not facts.headers.known or facts.fields.value is None or UNNAMED_MEMBER not in facts.fields.value:
        return MET
    cause = (
        f"this kernel's {need.name} does not compile without -fms-extensions, which the engine here does not turn on"
    )
    return Answer(False, cause, "take a tool that reads BTF instead of headers")


# The structure of the first unnamed member of `struct filename`; the kernel is built with -fms-extensions since 6.19.
UNNAMED_MEMBER = "__filename_head"


def _kernel_symbol(need: Need, facts: Facts) -> Answer:
    unset = is_unset(ALL_SYMBOLS, facts)
    if facts.symbols.known:
        found = in_set(need.name, facts.symbols, f"kallsyms has no {need.name}")
        if found.met or not unset:
            return found if found.met else _with_module(found, need, facts)
        return Answer(False, f"{found.cause} ({ALL_SYMBOLS} is not set)", set_fix(ALL_SYMBOLS))
    if unset:
        cause = f"kallsyms has no data symbols such as {need.name} ({ALL_SYMBOLS} is not set)"
        return Answer(False, cause, set_fix(ALL_SYMBOLS))
    return Answer(None, facts.symbols.unknown)


ALL_SYMBOLS = "CONFIG_KALLSYMS_ALL"


def _engine(need: Need, facts: Facts) -> Answer:
    sign = "<" if "<" in need.name else ">="
    name, _, wanted = need.name.partition(sign)
    if name == Engine.SHELL:
        return MET
    engine = Engine(name)
    missing = find_missing_engine(engine, facts)
    if missing is not None:
        return Answer(False, missing.text, missing.fix)
    have = engine_version(engine, facts)
    if not wanted or not have or (have < parse_version(wanted)) == (sign == "<"):
        return MET
    here = ".".join(map(str, have))
    if sign == "<":
        return Answer(False, f"it is written for {name} before {wanted}; here is {here}", _OTHER_RELEASE)
    return Answer(False, f"it needs {name} {wanted} or newer; here is {here}", _OTHER_RELEASE)


_OTHER_RELEASE = "take the tool of the release that fits the engine here: `toolkit sync` fetches it"


def _option(need: Need, facts: Facts) -> Answer:
    return answer_option(need.name, facts)


def _terminal(_: Need, __: Facts) -> Answer:
    """What a tool prints is recorded: it goes into a pipe, whatever host it is."""
    return Answer(False, "it draws on a terminal, and what it prints is recorded instead", TERMINAL_FIX)


DECIDERS: dict[NeedKind, Callable[[Need, Facts], Answer]] = {
    NeedKind.TRACEPOINT: _tracepoint,
    NeedKind.RAW_TRACEPOINT: _raw_tracepoint,
    NeedKind.TP_BTF: _tp_btf,
    NeedKind.KPROBE: _kprobe,
    NeedKind.FENTRY: _fentry,
    NeedKind.UPROBE: _uprobe,
    NeedKind.USDT: _uprobe,
    NeedKind.PERF_EVENT: _perf_event,
    NeedKind.LSM: _lsm,
    NeedKind.ITER: _iter,
    NeedKind.STRUCT_OPS: _struct_ops,
    NeedKind.NETWORK: _network,
    NeedKind.ATTACH: _attach,
    NeedKind.BTF: _btf,
    NeedKind.HEADERS: _headers,
    NeedKind.PLAIN_HEADERS: _plain_headers,
    NeedKind.KERNEL_SYMBOL: _kernel_symbol,
    NeedKind.ENGINE: _engine,
    NeedKind.STRUCT_FIELD: _field,
    NeedKind.HEADER_FIELD: _header_field,
    NeedKind.TRACEPOINT_FIELD: _tracepoint_field,
    NeedKind.HELPER: _feature,
    NeedKind.MAP_TYPE: _feature,
    NeedKind.PROGRAM_TYPE: _feature,
    NeedKind.USER_HEADER: answer_looked,
    NeedKind.HEADER_TEXT: answer_looked,
    NeedKind.PROGRAM: answer_looked,
    NeedKind.CONFIG: _option,
    NeedKind.TERMINAL: _terminal,
    NeedKind.FILE: answer_file,
    NeedKind.PYTHON_MODULE: answer_looked,
    NeedKind.PLATFORM: answer_platform,
}
