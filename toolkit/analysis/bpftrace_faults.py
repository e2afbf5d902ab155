"""What every bpftrace refuses: a script with one of these faults starts nowhere.

Only what its words show for certain, and only as far as bpftrace 0.27 knows: functions that it does not have, builtins
in probes that do not offer them, maps that are used with and without a key, or read and never set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from toolkit.analysis.bpftrace_lexer import ItemKind, Token, TokenKind
from toolkit.analysis.bpftrace_missing import Block
from toolkit.analysis.bpftrace_versions import KNOWN_CALLS, Words, past_key

# Words that a parenthesis may follow although they are no functions.
_SYNTAX = frozenset(
    {"if", "else", "while", "for", "unroll", "return", "in", "sizeof", "offsetof", "typeof", "typeinfo", "comptime"}
)
# Which probes do not offer a builtin; of others, or of several kinds in a list, nothing is said.
_TIMED = frozenset({"interval", "profile", "software", "hardware", "begin", "end"})
_NOT_IN = {
    "ctx": frozenset({"tracepoint"}),
    "args": _TIMED | {"kprobe", "kretprobe"},
    "retval": _TIMED | {"kprobe", "uprobe", "usdt", "tracepoint", "rawtracepoint"},
    **{f"arg{number}": _TIMED | {"tracepoint", "fentry", "fexit"} for number in range(10)},
}
# Functions that take a map itself; a map in any other call, or in none, is read.
_OF_MAPS = frozenset(
    {"print", "clear", "zero", "delete", "len", "has_key", "find", "for", "sizeof", "typeof", "typeinfo", "is_array"}
)
_SETTING = frozenset({"=", "++", "--"})
_COMBINED = frozenset("+-*/%&|^") | {"<<", ">>"}


@dataclass(frozen=True)
class MapUse:
    """One place where a map stands: with a key, set there, and in the call of which function ("" in none)."""

    name: str
    keyed: bool
    sets: bool
    call: str


def find_fault(words: Words, blocks: tuple[Block, ...], own: frozenset[str]) -> str:
    """The first fault of a program, "" when none is seen; what it imports could hold anything."""
    if any(item.kind is ItemKind.IMPORT for item, _ in words):
        return ""
    return next(_faults(words, blocks, own), "")


def _faults(words: Words, blocks: tuple[Block, ...], own: frozenset[str]) -> Iterator[str]:
    bodies = [found for item, found in words if item.kind in (ItemKind.PROBE, ItemKind.FUNCTION)]
    for body in bodies:
        unknown = (name for name in _calls(body) if name not in KNOWN_CALLS | own and not name.startswith("__builtin_"))
        yield from (f"there is no function {name}()" for name in unknown)
    probes = [found for item, found in words if item.kind is ItemKind.PROBE]
    for body, block in zip(probes, blocks, strict=True):
        yield from _misplaced(body, block, own)
    for block in blocks:
        yield from filter(None, (_of_point(point.provider, point.parts) for point in block.points))
    if not any(item.kind is ItemKind.MACRO for item, _ in words):
        yield from _of_maps([use for body in bodies for use in map_uses(body)], words)


def _calls(body: tuple[Token, ...]) -> Iterator[str]:
    before = ""
    for word, after in pairwise(body):
        called = word.kind is TokenKind.WORD and after.text == "(" and after.kind is TokenKind.SYMBOL
        if called and before not in (".", "->", "struct", "union", "enum") and word.text not in _SYNTAX:
            yield word.text
        before = word.text


def _misplaced(body: tuple[Token, ...], block: Block, own: frozenset[str]) -> Iterator[str]:
    providers = {point.provider for point in block.points}
    before = ""
    for word in body:
        missing_in = _NOT_IN.get(word.text, frozenset()) if word.kind is TokenKind.WORD else frozenset()
        if missing_in and providers <= missing_in and before not in (".", "->") and word.text not in own:
            yield f"{word.text} is not to be had in a {min(providers)} probe"
        before = word.text


def _of_point(provider: str, parts: tuple[str, ...]) -> str:
    """What is wrong with an attach point, or empty."""
    if provider == "usdt" and len(parts) > 2 and not parts[1]:
        return "a usdt probe names neither a file nor a process"
    if provider == "asyncwatchpoint" or (provider == "watchpoint" and len(parts) > 1 and "+" in parts[1]):
        return "a watchpoint in a function is of one process, which bpftrace gets by -p"
    return ""


def _of_maps(uses: list[MapUse], words: Words) -> Iterator[str]:
    declared = {word.text for item, found in words if item.kind is ItemKind.MAP for word in found}
    known = {use.name for use in uses if use.sets} | declared
    keyed = {use.name for use in uses if use.keyed}
    for use in uses:
        if use.name not in known:
            yield f"the map {use.name} is used and never set"
        elif use.name in keyed and not use.keyed and use.call not in _OF_MAPS:
            yield f"the map {use.name} is used with and without a key"


def map_uses(body: tuple[Token, ...]) -> Iterator[MapUse]:
    """Every place of a body where a map stands."""
    calls: list[str] = [""]  # the innermost named call at each depth
    for number, word in enumerate(body):
        before = body[number - 1] if number else None
        if word.kind is TokenKind.SYMBOL and word.text == "(":
            calls.append(before.text if before is not None and before.kind is TokenKind.WORD else calls[-1])
        elif word.kind is TokenKind.SYMBOL and word.text == ")" and len(calls) > 1:
            calls.pop()
        elif word.kind is TokenKind.MAP:
            yield _use(body, number, calls[-1])


def _use(body: tuple[Token, ...], number: int, call: str) -> MapUse:
    before = body[number - 1].text if number else ""
    keyed = number + 1 < len(body) and body[number + 1].text == "["
    end = past_key(body, number + 1)
    after = [word.text for word in body[end : end + 2]]
    sets = before in ("++", "--") or bool(after and after[0] in _SETTING)
    combined = len(after) == 2 and after[0] in _COMBINED and after[1] == "="
    through = "for" if before == ":" else call  # `for $pair : @map` goes through it
    return MapUse(body[number].text, keyed, sets or combined, through)
