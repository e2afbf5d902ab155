"""What the attach points of a bpftrace program need of a host."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.analysis.bpftrace_lexer import attach_point_parts
from toolkit.model import Need, NeedKind

# Names and short names as in bpftrace's PROBE_LIST; letters count in short names (`u` is uprobe, `U` is usdt).
_SHORT = {
    "k": "kprobe",
    "kr": "kretprobe",
    "f": "fentry",
    "fr": "fexit",
    "kfunc": "fentry",
    "kretfunc": "fexit",
    "t": "tracepoint",
    "rt": "rawtracepoint",
    "u": "uprobe",
    "ur": "uretprobe",
    "U": "usdt",
    "p": "profile",
    "i": "interval",
    "s": "software",
    "h": "hardware",
    "w": "watchpoint",
    "aw": "asyncwatchpoint",
    "it": "iter",
}
_OWN = frozenset({"begin", "end", "self", "test", "bench", "interval"})  # bpftrace's own events: no host lacks them
_IN_FILES = frozenset({"uprobe", "uretprobe", "usdt"})
_KERNEL_FUNCTION = {
    "kprobe": NeedKind.KPROBE,
    "kretprobe": NeedKind.KPROBE,
    "fentry": NeedKind.FENTRY,
    "fexit": NeedKind.FENTRY,
}
_PERF_ALIASES = {
    "cpu": "cpu-clock",
    "cs": "context-switches",
    "faults": "page-faults",
    "migrations": "cpu-migrations",
    "branches": "branch-instructions",
    "cycles": "cpu-cycles",
    "backend-stalls": "stalled-cycles-backend",
    "frontend-stalls": "stalled-cycles-frontend",
}


@dataclass(frozen=True)
class Point:
    """An attach point: its provider's full name, its parts, the need, and the file that a user-space probe is in."""

    provider: str
    parts: tuple[str, ...]
    need: Need | None
    file: str = ""

    @property
    def chosen_at_run_time(self) -> bool:
        """A positional parameter stands in it."""
        return any("$" in part for part in self.parts)

    @property
    def wild(self) -> bool:
        """It takes what matches, if anything does."""
        return any(sign in part for part in self.parts[1:] for sign in "*?[")


def read_point(text: str) -> Point:
    """One attach point as it stands in the program."""
    parts = attach_point_parts(text)
    provider = _SHORT.get(parts[0], parts[0].lower())
    provider = _SHORT.get(provider, provider)
    if provider in _OWN:
        return Point(provider, parts, None)
    if any("$" in part for part in parts) or (provider in _IN_FILES and parts[1:2] == ("*",)):
        return Point(provider, parts, Need(kind=_kind(provider)))
    file = parts[1] if provider in _IN_FILES and len(parts) > 2 else ""
    return Point(provider, parts, Need(kind=_kind(provider), name=_name(provider, parts)), file)


def _kind(provider: str) -> NeedKind:
    other = {
        "tracepoint": NeedKind.TRACEPOINT,
        "rawtracepoint": NeedKind.RAW_TRACEPOINT,
        "uprobe": NeedKind.UPROBE,
        "uretprobe": NeedKind.UPROBE,
        "usdt": NeedKind.USDT,
        "profile": NeedKind.PERF_EVENT,
        "software": NeedKind.PERF_EVENT,
        "hardware": NeedKind.PERF_EVENT,
        "iter": NeedKind.ITER,
    }
    return _KERNEL_FUNCTION.get(provider) or other.get(provider, NeedKind.ATTACH)


def _name(provider: str, parts: tuple[str, ...]) -> str:
    last = parts[-1] if len(parts) > 1 else ""
    if provider in _KERNEL_FUNCTION:
        return last.partition("+")[0]  # kprobe:module:function+offset
    if provider == "tracepoint":
        return ":".join(parts[1:3]) if len(parts) > 2 else f"*:{last}"
    if provider in ("rawtracepoint", "iter"):
        return last if provider == "rawtracepoint" else ":".join(parts[1:2])
    if provider in ("uprobe", "uretprobe"):
        return f"{parts[1]}:{last.partition('+')[0]}" if len(parts) > 2 else last
    if provider == "usdt":
        return ":".join(parts[1:])
    if provider == "profile":
        return "software:cpu-clock"
    if provider in ("software", "hardware"):
        event = parts[1] if len(parts) > 1 else ""
        return f"{provider}:{_PERF_ALIASES.get(event, event)}"
    return provider
