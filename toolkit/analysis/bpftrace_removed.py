"""Until which bpftrace a program can be read: what newer versions refuse, as far as its words show it for certain.

From bpftrace's docs/migration_guide.md and CHANGELOG.md, and tried with 0.17.0, 0.23.2 and 0.27.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.analysis.bpftrace_lexer import Item, ItemKind, Token, TokenKind
from toolkit.analysis.bpftrace_versions import Version, past_key

_OLD_STACK_ARGUMENT = re.compile(r"sarg\d")


def first_refusing(items: tuple[tuple[Item, tuple[Token, ...]], ...]) -> str:
    """The oldest version that no longer reads these items, "" when the newest known one still does."""
    refusing = min((version for item, words in items for version in _of_item(item, words)), default=(0, 0))
    return f"{refusing[0]}.{refusing[1]}" if refusing > (0, 0) else ""


def _of_item(item: Item, words: tuple[Token, ...]) -> Iterator[Version]:
    if item.kind is ItemKind.CONFIG and any(word.text == "symbol_source" for word in words):
        yield (0, 24)
    if item.kind is not ItemKind.PROBE:
        return
    if any(word.kind is TokenKind.WORD and _OLD_STACK_ARGUMENT.fullmatch(word.text) for word in words):
        yield (0, 25)
    if any(_deletes_several(words, number) for number in range(len(words))):
        yield (0, 22)
    if _reads_what_a_closed_block_set(words):
        yield (0, 22)


def _deletes_several(words: tuple[Token, ...], number: int) -> bool:
    """`delete(@a[1], @b[2])` was for 0.21 only; since then it is delete(@a, 1)."""
    if words[number].text != "delete" or len(words) < number + 4 or words[number + 2].kind is not TokenKind.MAP:
        return False
    end = past_key(words, number + 3)
    return end > number + 3 and end < len(words) and words[end].text == ","


def _reads_what_a_closed_block_set(words: tuple[Token, ...]) -> bool:
    """Whether a variable is read that was set only in a block which is over: 0.22 gave variables scopes."""
    scopes: list[list[str]] = [[]]  # what each block that is open added
    visible: set[str] = set()
    over: set[str] = set()
    for number, word in enumerate(words):
        if word.text == "{":
            scopes.append([])
        elif word.text == "}" and len(scopes) > 1:
            over.update(scopes[-1])
            visible.difference_update(scopes.pop())
        elif word.kind is TokenKind.VARIABLE and word.text not in visible:
            before = [one.text for one in words[max(number - 2, 0) : number]]
            declared = before[-1:] in (["let"], ["for"]) or before == ["for", "("]
            if declared or (number + 1 < len(words) and words[number + 1].text == "="):
                scopes[-1].append(word.text)
                visible.add(word.text)
            elif word.text in over:
                return True
    return False
