"""What the C text of a bcc tool attaches by itself: probe macros and functions whose names are attach points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from toolkit.analysis.bcc_values import HOLE, SYSCALL
from toolkit.analysis.needs import SYSCALL_PREFIXES, syscall_functions
from toolkit.model import Need, NeedKind

Alternatives = tuple[Need, ...]  # any one of these will do

# Names may hold a HOLE or the SYSCALL mark where the tool fills them in.
_NAME = r"([\w\x00\x01]+)"
# A comment without an end goes to the end of the text, as a match: were it a failure, each `/*` would be tried again.
_COMMENT = re.compile(r'//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z)|("(?:[^"\\\n]|\\.)*")')
_TRACEPOINT = re.compile(rf"\bTRACEPOINT_PROBE\s*\(\s*{_NAME}\s*,\s*{_NAME}\s*\)")
_MACRO = re.compile(rf"\b(RAW_TRACEPOINT|KFUNC|KRETFUNC|KMOD_RET|LSM|BPF_ITER)(?:_PROBE)?\s*\(\s*{_NAME}\s*[,)]")
_MODULE = re.compile(rf"\bMODULE_(?:KFUNC|KRETFUNC)_PROBE\s*\(\s*[\w\x00\x01]+\s*,\s*{_NAME}\s*[,)]")
_NAMED = re.compile(
    r"^[\w \t*]*?\b(kprobe|kretprobe|tracepoint|raw_tracepoint|kfunc|kretfunc|lsm)__([\w\x00\x01]+)"
    r"\s*\([^;{]{0,2000}\{",
    re.MULTILINE,
)
_MACRO_KIND = {
    "RAW_TRACEPOINT": NeedKind.RAW_TRACEPOINT,
    "KFUNC": NeedKind.FENTRY,
    "KRETFUNC": NeedKind.FENTRY,
    "KMOD_RET": NeedKind.FENTRY,
    "LSM": NeedKind.LSM,
    "BPF_ITER": NeedKind.ITER,
}
_NAMED_KIND = {
    "kprobe": NeedKind.KPROBE,
    "kretprobe": NeedKind.KPROBE,
    "raw_tracepoint": NeedKind.RAW_TRACEPOINT,
    "kfunc": NeedKind.FENTRY,
    "kretfunc": NeedKind.FENTRY,
    "lsm": NeedKind.LSM,
}


def strip_comments(text: str) -> str:
    """The C text without its comments."""
    return _COMMENT.sub(lambda match: match.group(1) or " ", text)


def attached_by_text(code: str) -> Iterator[Alternatives]:
    """Each attach point of the macros and function names in a text without comments, with its alternatives."""
    for category, event in _find(_TRACEPOINT, code, "TRACEPOINT_PROBE"):
        yield (Need(kind=NeedKind.TRACEPOINT, name=_whole(f"{category}:{event}")),)
    for macro, name in _find(_MACRO, code, *_MACRO_KIND):
        yield named(_MACRO_KIND[macro], name)
    for name in _find(_MODULE, code, "MODULE_K"):
        yield named(NeedKind.FENTRY, name)
    for prefix, name in _find(_NAMED, code, "probe__", "tracepoint__", "func__", "lsm__"):
        if prefix == "tracepoint":
            yield (Need(kind=NeedKind.TRACEPOINT, name=_whole(name.replace("__", ":", 1))),)
        else:
            yield named(_NAMED_KIND[prefix], name)


def _find(pattern: re.Pattern[str], code: str, *marks: str) -> list[Any]:
    """What a pattern finds, which costs far more than to see that none of the marks that it needs is there."""
    return pattern.findall(code) if any(mark in code for mark in marks) else []


def named(kind: NeedKind, name: str) -> Alternatives:
    """The needs for a function or event of this name; a system call's function has a name per architecture.

    bcc gives kprobe__sys_clone the prefix of the running kernel (BPF.fix_syscall_fnname).
    """
    for prefix in (SYSCALL, *SYSCALL_PREFIXES):
        if name.startswith(prefix) and kind in (NeedKind.KPROBE, NeedKind.FENTRY):
            syscall = name.removeprefix(prefix)
            if HOLE in syscall or not syscall:
                return (Need(kind=kind),)
            return tuple(Need(kind=kind, name=need.name) for need in syscall_functions(syscall))
    return (Need(kind=kind, name=_whole(name)),)


def _whole(name: str) -> str:
    return "" if HOLE in name or SYSCALL in name else name
