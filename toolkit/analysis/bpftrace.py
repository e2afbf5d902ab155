"""What a bpftrace program (.bt) needs and takes, read from its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from toolkit.analysis.bpftrace_faults import find_fault
from toolkit.analysis.bpftrace_integers import size_requirements
from toolkit.analysis.bpftrace_lexer import (
    BpftraceSyntaxError,
    Item,
    ItemKind,
    Script,
    Token,
    TokenKind,
    parse,
    tokens,
)
from toolkit.analysis.bpftrace_missing import Block, attach_requirements
from toolkit.analysis.bpftrace_probes import Point, read_point
from toolkit.analysis.bpftrace_reads import read_requirements
from toolkit.analysis.bpftrace_removed import first_refusing
from toolkit.analysis.bpftrace_types import foreign_types, kernel_fields, named_types
from toolkit.analysis.bpftrace_versions import Words, oldest_version, own_names
from toolkit.analysis.header import summary_of, usage_of
from toolkit.analysis.headers import plain_headers
from toolkit.analysis.needs import attach_points, distinct, one
from toolkit.analysis.usage import read_usage
from toolkit.model import Analysis, Arguments, Engine, Need, NeedKind, Requirement, Signature

_MAX_SOURCE = 1 << 16
UNSAFE = frozenset({"system", "signal", "signal_thread", "override", "write_user"})  # only with --unsafe
_INTERVALS = frozenset({"interval", "seconds", "period"})
_COUNTS = frozenset({"count", "times", "rounds"})
_INCLUDE = re.compile(r'#\s*include\s*[<"]([^>"]*)[>"]')
_CONDITION = re.compile(r"#\s*(ifndef|ifdef|if|elif|else|endif)\b\s*(.*)")
_WITHOUT_BTF = "ifndef BPFTRACE_HAVE_BTF"
_WITH_BTF = "ifdef BPFTRACE_HAVE_BTF"
_KERNEL_FOLDERS = ("linux/", "uapi/", "net/", "asm/", "asm-generic/", "trace/", "scsi/", "crypto/", "kernel/")
# bpftrace brings these along (src/headers.h).
_BUILT_IN = frozenset({"stddef.h", "stdint.h", "stdarg.h", "stdbool.h", "limits.h", "float.h"})
# Kernel headers that the C library's packages have under the same name, and whose constants are all that programs
# take from them when there is BTF. Others of that kind do not compile then, because bpftrace hides linux/types.h
# (-D_LINUX_TYPES_H): linux/sched.h, linux/fs.h, linux/in.h; or lack the constants: linux/socket.h.
_ALSO_USER = frozenset(
    f"linux/{name}.h" for name in ("errno", "fcntl", "limits", "module", "oom", "signal", "time")
) | {"asm-generic/errno.h", "asm-generic/fcntl.h"}
# Headers of the C library that define what BTF defines too (struct iovec, timeval and their kin), and types of the
# kernel that lead to these. Defined twice they do not compile: bpftrace then does without BTF, and wants the headers
# that stand in its place (ClangParser::parse, btf_conflict; seen with 0.17 on 6.18).
_DEFINING = frozenset(
    ("sys/socket.h", "netinet/in.h", "arpa/inet.h", "netdb.h", "sys/types.h", "sys/uio.h", "sys/stat.h", "stdlib.h")
)
_WIDE = frozenset(("sock", "inet_sock", "tcp_sock", "socket", "msghdr", "sk_buff", "task_struct"))
_MISSING_PROBES = re.compile(r'missing_probes\s*=\s*"?(\w+)')


def analyze(data: bytes) -> Analysis:
    """Read a .bt file; a text that bpftrace could not read has a fault and is not an exception."""
    if len(data) > _MAX_SOURCE:
        return Analysis(problem="larger than any bpftrace program is")
    text = data.decode(errors="replace")
    try:
        script = parse(text)
    except BpftraceSyntaxError as error:
        return Analysis(fault=f"not a bpftrace program: {error}")
    if not any(item.kind is ItemKind.PROBE for item in script.items):
        return Analysis(fault="it has no probe")
    return _analyze(script)


def _analyze(script: Script) -> Analysis:
    words = tuple((item, tokens(item.text)) for item in script.items if item.kind is not ItemKind.PREPROCESSOR)
    blocks = tuple(_block(item, found) for item, found in words if item.kind is ItemKind.PROBE)
    bodies = tuple(found for item, found in words if item.kind is ItemKind.PROBE)
    points = tuple(point for block in blocks for point in block.points)
    wish = _missing_probes(script)
    own = own_names(script)
    version = oldest_version(words, tuple(point.parts for point in points), own)
    refusing = first_refusing(words)
    requirements = (
        one(NeedKind.ENGINE, f"bpftrace>={version}" if version else "bpftrace"),
        *((one(NeedKind.ENGINE, f"bpftrace<{refusing}"),) if refusing else ()),
        *size_requirements(words),
        *_headers_and_types(script, words),
        *read_requirements(bodies, blocks, wish),
        *attach_requirements(blocks, wish),
    )
    return Analysis(
        probes=attach_points(point.need for point in points if point.need is not None),
        requirements=distinct(requirements),
        signature=_signature(script, words, points),
        summary=summary_of(script.comment),
        fault=find_fault(words, blocks, own),
    )


def _block(item: Item, words: tuple[Token, ...]) -> Block:
    used = {word.text for word in words if word.kind is TokenKind.WORD}
    points = tuple(read_point(text) for text in item.attach_points)
    return Block(points, names_itself="probe" in used, reads_arguments="args" in used)


def _missing_probes(script: Script) -> str:
    for item in script.items:
        match = _MISSING_PROBES.search(item.text) if item.kind is ItemKind.CONFIG else None
        if match:
            return match.group(1)
    return ""


def _headers_and_types(script: Script, words: Words) -> Iterator[Requirement]:
    """Headers that are included; BTF or headers for types that the program does not define itself; their fields."""
    placed = tuple(_conditions(script))
    includes = [(condition, match.group(1)) for condition, item in placed if (match := _INCLUDE.match(item.text))]
    guarded = [name for condition, name in includes if condition == _WITHOUT_BTF]
    always = [name for condition, name in includes if condition in ("", _WITH_BTF) and name not in _BUILT_IN]
    defined = frozenset(
        item.text.split("{")[0].split()[-1]
        for condition, item in placed
        if item.kind is ItemKind.DEFINITION and condition != _WITHOUT_BTF
    )
    bodies = tuple(found for item, found in words if item.kind not in (ItemKind.DEFINITION, ItemKind.CONFIG))
    for name in always:
        yield _header(name)
    yield from plain_headers(tuple(always), Engine.BPFTRACE)
    if guarded:
        headers = Need(kind=NeedKind.HEADERS, name=guarded[0])
        clash = not _DEFINING.isdisjoint(always) and any(_WIDE & named_types(body) for body in bodies)
        yield Requirement(any_of=(headers,) if clash else (Need(kind=NeedKind.BTF), headers))
    elif not any(_is_kernel_header(name) for name in always) and any(foreign_types(body, defined) for body in bodies):
        yield Requirement(any_of=(Need(kind=NeedKind.BTF), Need(kind=NeedKind.HEADERS)))
    if all(_is_kernel_header(name) for name in always):  # others define what nobody here knows
        for body in bodies:
            yield from (Requirement(any_of=(field,)) for field in kernel_fields(body, defined))


def _header(name: str) -> Requirement:
    headers = Need(kind=NeedKind.HEADERS, name=name)
    user = Need(kind=NeedKind.USER_HEADER, name=name)
    if not _is_kernel_header(name):
        return Requirement(any_of=(user,))
    return Requirement(any_of=(headers, user) if name in _ALSO_USER else (headers,))


def _is_kernel_header(name: str) -> bool:
    return name.startswith(_KERNEL_FOLDERS)


def _conditions(script: Script) -> Iterator[tuple[str, Item]]:
    """Each item with its condition: "" where there is none, and "?" where it is not about BTF."""
    conditions: list[str] = []
    for item in script.items:
        directive = _CONDITION.match(item.text) if item.kind is ItemKind.PREPROCESSOR else None
        if directive is None:
            yield _innermost(conditions), item
        elif directive.group(1) in ("ifndef", "ifdef", "if"):
            conditions.append(" ".join(directive.group(0)[1:].split()))
        elif conditions:
            inner = conditions.pop()
            if directive.group(1) != "endif":
                conditions.append(_other(inner) if directive.group(1) == "else" else "?")


def _innermost(conditions: list[str]) -> str:
    if not conditions:
        return ""
    return conditions[-1] if conditions[-1] in (_WITHOUT_BTF, _WITH_BTF) else "?"


def _other(condition: str) -> str:
    return {_WITHOUT_BTF: _WITH_BTF, _WITH_BTF: _WITHOUT_BTF}.get(condition, "?")


def _signature(script: Script, words: Words, points: tuple[Point, ...]) -> Signature:
    """bpftrace itself takes the options; a program takes arguments by position, or by name with getopt()."""
    usage = usage_of(script.comment)
    found = [token for _, body in words for token in body]
    unsafe = any(name.text in UNSAFE and after.text == "(" for name, after in pairwise(found))
    options = tuple(dict.fromkeys(f"--{name}" for name in _named_options(found)))
    in_point = any(point.chosen_at_run_time for point in points)
    if not in_point and not any(token.kind is TokenKind.PARAMETER for token in found):
        style = Arguments.OPTIONS if options else Arguments.NONE
        return Signature(style=style, options=options, usage=usage, unsafe=unsafe)
    documented = read_usage(usage)
    counting = documented.style is Arguments.INTERVAL or (not usage and _counts_rounds(found))
    style = Arguments.INTERVAL if counting else Arguments.POSITIONAL
    required = in_point or documented.required
    return Signature(style=style, options=options, required=required, usage=usage, unsafe=unsafe)


def _counts_rounds(found: list[Token]) -> bool:
    """Whether the parameters are an interval and a count, by the names they are given: `@seconds = $1`."""
    named = {
        parameter.text: name.text.strip("@$")
        for name, equals, parameter in zip(found, found[1:], found[2:], strict=False)
        if equals.text == "=" and parameter.kind is TokenKind.PARAMETER
    }
    used = {token.text for token in found if token.kind is TokenKind.PARAMETER}
    return used <= {"$1", "$2"} and named.get("$1") in _INTERVALS and named.get("$2", "count") in _COUNTS


def _named_options(found: list[Token]) -> Iterator[str]:
    for name, parenthesis, argument in zip(found, found[1:], found[2:], strict=False):
        if name.text == "getopt" and parenthesis.text == "(" and argument.kind is TokenKind.STRING:
            yield argument.text
