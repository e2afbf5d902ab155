"""What a shell script needs and takes: bcc's wrappers around its language tools, and plain scripts."""

from __future__ import annotations

import re

from toolkit.analysis.header import summary_of, usage_of
from toolkit.analysis.needs import one
from toolkit.analysis.usage import read_usage
from toolkit.model import Analysis, Arguments, Need, NeedKind, Requirement, Signature

# bcc's tools/javacalls.sh is `$lib/ucalls.py -l java "$@"`; Debian's javacalls-bpfcc calls `$lib/ucalls`, which
# lies beside it in /usr/sbin. Other wrappers name the language first: `$lib/uobjnew.py -l c`, `ustat.py java`.
_WRAPPED = re.compile(
    r"^[ \t]*(?:exec[ \t]+)?[\"']?(?:\$\{?lib\}?|\S{0,200})/(?P<tool>u(?:calls|flow|gc|objnew|stat|threads))"
    r"(?:\.py|-bpfcc)?[\"']?\s(?P<rest>.{0,200})",
    re.MULTILINE,
)
_LANGUAGE = re.compile(r"(?:-l|--language)[ =]+(\w+)")
_POSITION = re.compile(r"\$(?:[1-9@*#]|\{[1-9@*#])")
_GETOPTS = re.compile(r"\bgetopts\s+[\"']?:?([A-Za-z:]{1,80})")
_MAX_SCRIPT = 1 << 18
# What runs programs of each language, where that is not called like the language.
_PROGRAMS = {"python": ("python3", "python"), "tcl": ("tclsh",), "c": (), "none": ()}
# The USDT probes behind a wrapped tool, where the interpreter that they are in can be looked at: in the program, or in
# its library where the program is linked to one (Fedora).
_PYTHON = ("python3", "/usr/lib64/libpython3.*.so.*", "/usr/lib/*-linux-gnu/libpython3.*.so.*")
_PROBES = {"ucalls": "python:function__entry", "uflow": "python:function__entry", "ugc": "python:gc__start"}
# What ustat looks for among the running processes: their names, exactly, so that a python3 is none of them.
_PROCESSES = {
    "java": ("java",),
    "node": ("node",),
    "perl": ("perl",),
    "php": ("php",),
    "python": ("python",),
    "ruby": ("ruby", "irb"),
    "tcl": ("tclsh", "wish"),
}


def analyze(data: bytes) -> Analysis:
    """Read a shell script; anything else is a problem."""
    if not data.startswith(b"#!") or len(data) > _MAX_SCRIPT:
        return Analysis(problem="not a shell script of a tool's size")
    text = data.decode(errors="replace")
    wrapped = _WRAPPED.search(text)
    return _wrapper(wrapped.group("tool"), wrapped.group("rest"), text) if wrapped else _script(text)


def _wrapper(tool: str, rest: str, text: str) -> Analysis:
    """A wrapper: bcc, headers to compile with, and a running program of the language with its USDT probes."""
    language = _LANGUAGE.search(rest)
    name = language.group(1) if language else ""
    if tool == "ustat":
        return _every_process(name, text)
    programs = _PROGRAMS.get(name, (name,) if name else ())
    requirements = [one(NeedKind.ENGINE, "bcc"), one(NeedKind.HEADERS)]
    if programs:
        requirements.append(
            Requirement(any_of=tuple(Need(kind=NeedKind.PROGRAM, name=program) for program in programs))
        )
    probes = _usdt_probes(tool, name)
    requirements.extend(Requirement(any_of=probes) for _ in probes[:1])
    return Analysis(
        probes=probes,
        requirements=tuple(requirements),
        signature=Signature(style=Arguments.POSITIONAL, required=True, usage="pid"),
        summary=summary_of(_header(text)),
    )


def _usdt_probes(tool: str, language: str) -> tuple[Need, ...]:
    """The probes that a wrapper attaches to, by the files that may have them; one without a name is not known."""
    if language == "python" and tool in _PROBES:
        return tuple(Need(kind=NeedKind.USDT, name=f"{file}:{_PROBES[tool]}") for file in _PYTHON)
    return () if language == "c" else (Need(kind=NeedKind.USDT),)


def _every_process(language: str, text: str) -> Analysis:
    """A wrapper of ustat, which takes [interval [count]], and goes on where no process of the language runs."""
    names = _PROCESSES.get(language) or tuple(name for every in _PROCESSES.values() for name in every)
    traced = tuple(Need(kind=NeedKind.USDT, name=name) for name in names)
    return Analysis(
        probes=traced,
        requirements=(
            one(NeedKind.ENGINE, "bcc"),
            one(NeedKind.HEADERS),
            Requirement(any_of=traced, essential=False),
        ),
        signature=Signature(style=Arguments.INTERVAL, usage="[interval [count]]"),
        summary=summary_of(_header(text)),
    )


def _script(text: str) -> Analysis:
    """A script of its own: its interpreter is all that can be told of its needs."""
    header = _header(text)
    usage = usage_of(header) or usage_of(text)
    letters = _GETOPTS.search(text)
    options = tuple(f"-{letter}" for letter in letters.group(1) if letter != ":") if letters else ()
    if usage:
        signature = read_usage(usage.removeprefix("./"))
    elif options:
        signature = Signature(style=Arguments.OPTIONS, options=options)
    else:
        takes = _POSITION.search(text) is not None
        signature = Signature(style=Arguments.POSITIONAL if takes else Arguments.NONE)
    return Analysis(requirements=(one(NeedKind.ENGINE, "shell"),), signature=signature, summary=summary_of(header))


def _header(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines()[1:60]:
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return "\n".join(lines)
