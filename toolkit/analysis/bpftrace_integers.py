"""Which versions of bpftrace refuse a program for the size of its integers, as far as its words show it for certain.

Since 0.22 a variable keeps the type of what it was first set to, and until 0.25 every calculation has 64 bits: what was
set to an `unsigned int` takes no sum. Read from src/ast/passes/semantic_analyser.cpp of the tags, and tried with
0.17.0, 0.23.2 and 0.27.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.analysis.bpftrace_lexer import Item, ItemKind, Token, TokenKind
from toolkit.analysis.bpftrace_types import pointer_cast
from toolkit.analysis.bpftrace_versions import Words
from toolkit.model import Need, NeedKind, Requirement

_MEMBER = re.compile(r"(?:^|[;{])\s{0,80}((?:\w{1,40}\s{1,80}){1,3})(\w{1,80})(?=\s{0,80};)")
_NARROW = frozenset(
    f"{sign}{kind}"
    for sign in ("", "unsigned ", "signed ")
    for kind in ("int", "short", "char", "int8_t", "int16_t", "int32_t", "uint8_t", "uint16_t", "uint32_t")
) | frozenset({"unsigned", *(f"{kind}{bits}" for kind in ("u", "s", "__u", "__s") for bits in (8, 16, 32))})
_CASTS = frozenset({"int8", "int16", "int32", "uint8", "uint16", "uint32"})
_BUILTINS = frozenset({"pid", "tid", "uid", "gid"})
_CALCULATING = frozenset("+-*/%")
_OPENING = frozenset({"", "?", ":", ">", "<", "==", "!=", ">=", "<=", "&&", "||"}) | _CALCULATING  # then - is a sign


def size_requirements(items: Words) -> Iterator[Requirement]:
    """A version that takes the program, where one of its variables is too narrow for what it is set to later."""
    members = {name for item, _ in items if item.kind is ItemKind.DEFINITION for name in _narrow_members(item)}
    bodies = (words for item, words in items if item.kind is ItemKind.PROBE)
    if any(_outgrows(words, members) for words in bodies):
        need = Need(kind=NeedKind.ENGINE, name="bpftrace>=0.25")
        yield Requirement(any_of=(need,), since="0.22", until="0.25")


def _narrow_members(item: Item) -> Iterator[tuple[str, str]]:
    """(struct, member) of the integers in a definition that have less than 64 bits."""
    head, _, body = item.text.partition("{")
    struct = head.split()[-1] if head.split() else ""
    for kind, name in _MEMBER.findall("{" + body):
        if " ".join(kind.split()) in _NARROW:
            yield struct, name


def _outgrows(words: tuple[Token, ...], members: set[tuple[str, str]]) -> bool:
    """Whether a variable that was first set to a narrow integer is then set to a calculation, in its scope."""
    known: list[set[str]] = [set()]  # the variables that each open block brought
    narrow: set[str] = set()
    struct_of: dict[str, str] = {}
    for number, word in enumerate(words):
        if word.text == "{" and word.kind is TokenKind.SYMBOL:
            known.append(set())
        elif word.text == "}" and word.kind is TokenKind.SYMBOL and len(known) > 1:
            narrow -= known.pop()
        elif word.kind is TokenKind.VARIABLE and number + 2 < len(words):
            value = _value(words, number)
            if word.text in narrow and value and _calculates(value):
                return True
            if value and not any(word.text in block for block in known):
                known[-1].add(word.text)
                struct_of[word.text] = pointer_cast(value, 0)
                if _is_narrow(value, struct_of, members):
                    narrow.add(word.text)
    return False


def _value(words: tuple[Token, ...], number: int) -> tuple[Token, ...]:
    """What a variable is set to here, up to the semicolon; `$x += 1` is `+ 1`; nothing where it is only read."""
    start = number + 1
    combined = words[start].text in _CALCULATING and words[start + 1].text == "="
    if not combined and (words[start].text != "=" or words[start + 1].text == "="):
        return ()
    end = start
    while end < min(len(words), start + _LONGEST) and words[end].text not in (";", "{", "}"):
        end += 1
    return words[start:end] if combined else words[start + 1 : end]


_LONGEST = 60  # words of a value that are looked at


def _calculates(value: tuple[Token, ...]) -> bool:
    """Whether a value is a sum or the like, perhaps as an outcome of `? :`; not what is within brackets or a call."""
    depth = 0
    for number, word in enumerate(value):
        if word.kind is not TokenKind.SYMBOL:
            continue
        depth += (word.text in "([") - (word.text in ")]")
        if depth == 0 and word.text in _CALCULATING:
            before = value[number - 1].text if number else ""
            if before not in _OPENING or (not number and value[1].text == "="):
                return True
    return False


def _is_narrow(value: tuple[Token, ...], struct_of: dict[str, str], members: set[tuple[str, str]]) -> bool:
    texts = [word.text for word in value]
    if len(texts) == 1:
        return texts[0] in _BUILTINS and value[0].kind is TokenKind.WORD
    if len(texts) == 3 and texts[1] in ("->", "."):
        return (struct_of.get(texts[0], ""), texts[2]) in members
    return len(texts) == 4 and texts[0] == "(" and texts[1] in _CASTS and texts[2] == ")"
