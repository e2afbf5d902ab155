"""What the C text of a bcc tool reads: members of the kernel's structures, and arguments of tracepoints.

clang on the host refuses a member that the kernel's headers do not have, and the kernel refuses a program that reads
past the arguments of its raw tracepoint. This is no C parser: it sees variables that are declared as pointers to a
structure, and what stands behind their arrows. What the preprocessor may leave out is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.analysis.bcc_values import HOLE
from toolkit.kernels import HELPERS
from toolkit.model import Need, NeedKind

_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif|define)\b[ \t]*(\w*)")
_INCLUDE = re.compile(r"[ \t]*#[ \t]*include[ \t]*<([\w./-]+)>")
_DEFINED = re.compile(r"\b(?:struct|union)\s+(\w+)\s*\{")
# The word stands before what must not precede it: `re` looks for a word that begins a pattern far faster.
_DECLARED = re.compile(r"struct(?<!\wstruct)\s+(\w+)\s*\*+\s*(?:const\s+)?(\w+)\s*(?=[,;=)\[])")
_READ = re.compile(r"(?<![\w.>\x00\x01])(\w++)\s*+->\s*(\w+)\b(?!\s*\()")
_TRACEPOINT = re.compile(r"\bTRACEPOINT_PROBE\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*$")
_RAW_TRACEPOINT = re.compile(r"(?:\bRAW_TRACEPOINT_PROBE\s*\(\s*|\braw_tracepoint__)(\w+)")
_ARGUMENT = re.compile(r"\bctx\s*->\s*args\s*\[\s*(\d{1,2})\s*\]")
# The first call of a line that is not behind a condition: && and || and ? end what is looked at.
_CALL = re.compile(r"^(?:[^&|?b\n]++|&(?!&)|\|(?!\|)|b)*?\b(bpf_\w+)\s*\(", re.MULTILINE)
_HELPERS = frozenset(HELPERS.values())
_RING_BUFFER = re.compile(r"\bBPF_RINGBUF_OUTPUT\s*\(")
_EVENT = re.compile(r"tracepoint__(.+?)__(\w+)")  # bcc's structure of an event: tracepoint__sched__sched_switch
_LOCATED = "data_loc_"  # bcc's prefix of a field whose text lies elsewhere in the record

# What BPF programs get, described by bcc and by the kernel's own interface, and no part of the kernel's inside.
_CONTEXTS = re.compile(r"pt_regs|__sk_buff|xdp_md|bpf_\w+|tracepoint__\w+")
# Structures of which headers define members by macros, as in #define sk_family __sk_common.skc_family: BTF cannot tell
# what their names are.
_MACROS = frozenset({"sock", "inet_sock", "inet_request_sock", "inet_timewait_sock", "request_sock", "dentry"})


def read_fields(code: str) -> Iterator[Need]:
    """The headers, members and arguments that a C text without comments reads, and late helpers; some repeatedly."""
    text = _without_conditions(code)
    yield from (Need(kind=NeedKind.HEADERS, name=match[1]) for match in map(_INCLUDE.match, text.split("\n")) if match)
    yield from (Need(kind=NeedKind.HELPER, name=name) for name in _CALL.findall(text) if name in _HELPERS)
    if "BPF_RINGBUF_OUTPUT" in text and _RING_BUFFER.search(text):
        yield Need(kind=NeedKind.MAP_TYPE, name="ringbuf")
    own = frozenset(_DEFINED.findall(code))
    for head, body in _functions(text):
        event = _TRACEPOINT.search(head)
        raw = _RAW_TRACEPOINT.search(head)
        if raw:
            yield from _arguments(raw[1], body)
        structures = _declared(head + body)
        if event:
            structures["args"] = {f"tracepoint__{event[1]}__{event[2]}"}
        for name, member in dict.fromkeys(_READ.findall(body)) if structures else ():
            found = structures.get(name, set())
            if len(found) == 1:
                yield from _member(next(iter(found)), member, own)


def _without_conditions(code: str) -> str:
    """The text without directives but for #include, and without what stands between #if and #endif.

    What depends on a macro that the text itself defines is kept where that is so: a tool puts `#define ONCPU` before
    its text and has `#ifdef ONCPU` in it.
    """
    kept: list[str] = []
    defined: set[str] = set()
    branches: list[tuple[bool, bool]] = []  # whether this branch is taken, and whether its #else is
    left_out = 0  # how many of them are not taken
    for line in code.split("\n"):
        directive = _DIRECTIVE.match(line) if "#" in line else None
        if directive is None:
            if not left_out and (not line.lstrip().startswith("#") or _INCLUDE.match(line)):
                kept.append(line)
            continue
        word, name = directive.groups()
        if word == "define":
            defined.update(() if left_out else (name,))
            continue
        taken, other = branches.pop() if word in ("elif", "else", "endif") and branches else (True, False)
        left_out -= not taken
        if word != "endif":
            known = name in defined
            new = (word == "else" and other) if word in ("elif", "else") else (known and word == "ifdef")
            branches.append((new, known and word == "ifndef"))
            left_out += not new
    return "\n".join(kept)


def _functions(text: str) -> Iterator[tuple[str, str]]:
    """Each function's head and body; what else stands outside of braces comes with the next head."""
    depth = head = body = 0
    for match in re.finditer(r"[{};]", text):
        sign, at = match[0], match.start()
        if sign == "{":
            body = at if depth == 0 else body
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                yield text[head:body], text[body:at]
            depth = max(0, depth)
            head = at + 1 if depth == 0 else head
        elif depth == 0:
            head = at + 1


def _declared(function: str) -> dict[str, set[str]]:
    """The variables of a function that point to a structure; one name may be declared twice, in two blocks."""
    found: dict[str, set[str]] = {}
    for structure, name in _DECLARED.findall(function):
        found.setdefault(name, set()).add(structure)
    return found


def _arguments(event: str, body: str) -> Iterator[Need]:
    """The last of a raw tracepoint's arguments that is read, counted from 0: it has that many, or it is refused."""
    numbers = [int(number) for number in _ARGUMENT.findall(body)]
    if numbers and HOLE not in event:
        yield Need(kind=NeedKind.TRACEPOINT_FIELD, name=f"{event}.arg{max(numbers)}")


def _member(structure: str, member: str, own: frozenset[str]) -> Iterator[Need]:
    event = _EVENT.fullmatch(structure)
    if event:
        name = f"{event[1]}:{event[2]}.{member.removeprefix(_LOCATED)}"
        yield Need(kind=NeedKind.TRACEPOINT_FIELD, name=name)
    elif structure not in own and structure not in _MACROS and not _CONTEXTS.fullmatch(structure):
        yield Need(kind=NeedKind.HEADER_FIELD, name=f"{structure}.{member}")
