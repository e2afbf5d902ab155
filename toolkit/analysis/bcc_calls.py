"""What calls to the BPF class mean: which attach points they need, and what they ask the host."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from toolkit.analysis.bcc_fields import read_fields
from toolkit.analysis.bcc_text import Alternatives, attached_by_text, named, strip_comments
from toolkit.analysis.bcc_values import HOLE, SYSCALL, UNKNOWN, Asked, Value, as_text, patterns
from toolkit.model import Need, NeedKind

_FUNCTIONS = {"attach_kprobe": NeedKind.KPROBE, "attach_kretprobe": NeedKind.KPROBE}
_NETWORK = {
    "attach_xdp": "xdp",
    "attach_raw_socket": "socket",
    "attach_raw_sockets": "socket",
    "attach_func": "cgroup",
}
_QUESTIONS = frozenset(
    {
        "get_kprobe_functions",
        "tracepoint_exists",
        "support_kfunc",
        "support_raw_tracepoint",
        "support_raw_tracepoint_in_module",
        "support_lsm",
        "ksymname",
        "kernel_struct_has_field",
        "kernel_enum_has_val",
    }
)
_COUNTERS = {  # bcc's names of perf events that differ from perf's by more than their spelling
    "page-faults-min": "minor-faults",
    "page-faults-maj": "major-faults",
}


@dataclass
class Seen:
    """What one path through a tool did."""

    attached: list[Alternatives] = field(default_factory=list)
    tried: list[Alternatives] = field(default_factory=list)  # of those, what was attached in a try
    symbols: list[Alternatives] = field(default_factory=list)
    read: list[Need] = field(default_factory=list)  # what its C text reads of the kernel
    opened: list[str] = field(default_factory=list)  # files of the kernel that it opens
    trying: int = 0  # in how many try statements it is now
    compiled: bool = False  # it had a BPF program compiled
    lists_functions: bool = False  # it read the kprobe blacklist, and dies where there are no kprobes
    missing: list[str] = field(default_factory=list)  # files of C text that it names, and that were not read


def call_method(method: str, given: tuple[Value, ...], by_name: dict[str, Value], seen: Seen) -> Value:
    """What a method of a BPF object or class gives; what it attaches is noted."""
    if method == "get_syscall_prefix":
        return SYSCALL
    if method == "get_syscall_fnname":
        return SYSCALL + as_text(given[0] if given else UNKNOWN)
    if method in _QUESTIONS:
        seen.lists_functions = seen.lists_functions or method == "get_kprobe_functions"
        return Asked(f"{method} " + " ".join(as_text(value) for value in given))
    seen.lists_functions = seen.lists_functions or (method in _FUNCTIONS and "event_re" in by_name)
    found = tuple(_attached(method, given, by_name))
    seen.attached.extend(found)
    if seen.trying:
        seen.tried.extend(found)
    return UNKNOWN


def compile_text(given: tuple[Value, ...], by_name: dict[str, Value], parts: Mapping[str, str], seen: Seen) -> None:
    """`BPF(text=…)` or `BPF(src_file=…)`: the text is compiled, and what it names is attached at once."""
    seen.compiled = True
    file = by_name.get("src_file", given[0] if given else UNKNOWN)
    text = open_part(file, parts, seen) if isinstance(file, str) and file else by_name.get("text", UNKNOWN)
    if isinstance(text, str):
        attached, read = _read_text(text)
        seen.attached.extend(attached)
        seen.read.extend(read)


def open_part(name: str, parts: Mapping[str, str], seen: Seen) -> Value:
    """The text of a part, or UNKNOWN; one that is named and was not read is noted."""
    if name in parts:
        return parts[name]
    if name.endswith(".c") and HOLE not in name:
        seen.missing.append(name)
    return UNKNOWN


@functools.lru_cache(maxsize=8)
def _read_text(text: str) -> tuple[tuple[Alternatives, ...], tuple[Need, ...]]:
    """What a text attaches and reads; kept, since most paths through a tool compile the same one."""
    code = strip_comments(text)
    return tuple(attached_by_text(code)), tuple(dict.fromkeys(read_fields(code)))


def _attached(method: str, given: tuple[Value, ...], by_name: dict[str, Value]) -> Iterator[Alternatives]:
    if method in _FUNCTIONS:
        yield from _by_name_or_pattern(_FUNCTIONS[method], "event", given, by_name)
    elif method == "attach_tracepoint":
        yield from _by_name_or_pattern(NeedKind.TRACEPOINT, "tp", given, by_name)
    elif method == "attach_raw_tracepoint":
        yield from _by_name_or_pattern(NeedKind.RAW_TRACEPOINT, "tp", given, by_name)
    elif method in ("attach_uprobe", "attach_uretprobe"):
        yield (Need(kind=NeedKind.UPROBE, name=_user_function(given, by_name)),)
    elif method == "attach_perf_event":
        yield (Need(kind=NeedKind.PERF_EVENT, name=_perf_event(given, by_name)),)
    elif method in _NETWORK:
        yield (Need(kind=NeedKind.NETWORK, name=_NETWORK[method]),)


def enable_probe(file: Value, given: tuple[Value, ...], by_name: dict[str, Value], seen: Seen) -> None:
    """`USDT(path=…).enable_probe(…)`; of a process that is chosen at run time, the file is not known."""
    probe = as_text(by_name.get("probe", given[0] if given else UNKNOWN))
    known = isinstance(file, str) and HOLE not in file
    name = "" if HOLE in probe or not probe else f"{file if known else ''}:{probe}"
    seen.attached.append((Need(kind=NeedKind.USDT, name=name),))
    if seen.trying:
        seen.tried.append(seen.attached[-1])


def _by_name_or_pattern(
    kind: NeedKind, keyword: str, given: tuple[Value, ...], by_name: dict[str, Value]
) -> Iterator[Alternatives]:
    pattern = by_name.get(f"{keyword}_re", "")
    if isinstance(pattern, str) and pattern:
        yield tuple(Need(kind=kind, name=name) for name in patterns(pattern))
        return
    name = by_name.get(keyword, given[0] if given else UNKNOWN)
    yield named(kind, as_text(name) if name else HOLE)


def _user_function(given: tuple[Value, ...], by_name: dict[str, Value]) -> str:
    """file:symbol; bcc's `c` is what others call libc. Nothing before the colon: the file is chosen at run time."""
    file = as_text(by_name.get("name", given[0] if given else UNKNOWN))
    symbol = as_text(by_name.get("sym", given[1] if len(given) > 1 else UNKNOWN))
    if HOLE in symbol or not symbol or "sym_re" in by_name:
        return ""
    if HOLE in file or not file:
        return f":{symbol}"
    return f"{file if '/' in file else 'lib' + file}:{symbol}"


def _perf_event(given: tuple[Value, ...], by_name: dict[str, Value]) -> str:
    """`PerfType.HARDWARE`, `PerfHWConfig.CACHE_MISSES` as hardware:cache-misses."""
    kind = as_text(by_name.get("ev_type", given[0] if given else UNKNOWN)).rpartition(".")[2].lower()
    event = as_text(by_name.get("ev_config", given[1] if len(given) > 1 else UNKNOWN)).rpartition(".")[2].lower()
    event = event.replace("_", "-")
    return "" if HOLE in kind + event else f"{kind}:{_COUNTERS.get(event, event)}"
