"""Since which bpftrace a program can be read, as far as its words show it for certain.

From bpftrace's CHANGELOG.md and the lexers of its tags v0.12.0 to v0.26.0. Only what an older version refuses
counts: syntax, functions, builtins and probe types that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from toolkit.analysis.bpftrace_lexer import Item, ItemKind, Token, TokenKind
from toolkit.analysis.bpftrace_types import cast_in_parentheses, pointer_cast

Version = tuple[int, int]

_CALLS: dict[Version, str] = {
    (0, 15): "bswap cgroup_path",
    (0, 16): "strerror skboutput pton debugf",
    (0, 17): "strcontains",
    (0, 18): "offsetof",
    (0, 19): "nsecs",
    (0, 20): "len",
    (0, 22): "has_key percpu_kaddr",
    (0, 24): "tseries getopt socket_cookie errorf assert comm pid tid cpu uid gid username probe ppid",
    (0, 25): "find fail strlen strstr strcap memcmp signal_thread syscall_name kfunc_exist kfunc_allowed warnf "
    "static_assert is_ptr is_array is_integer is_literal elf_info usdt_arg stack_len",
    (0, 26): "signal_name is_err write_user dw_ustack",
}
_BUILTINS: dict[Version, str] = {
    (0, 16): "numaid",
    (0, 20): "jiffies",
    (0, 24): "ncpus usermode ppid true false",
    (0, 25): "pcomm probetype",
    (0, 26): "leader_comm leader_tid",
}
_SINCE_CALL = {name: version for version, names in _CALLS.items() for name in names.split()}
_SINCE_BUILTIN = {name: version for version, names in _BUILTINS.items() for name in names.split()}
_PROVIDERS: dict[str, Version] = {
    "rawtracepoint": (0, 18),
    "rt": (0, 18),
    "fentry": (0, 20),
    "fexit": (0, 20),
    "self": (0, 22),
    "BENCH": (0, 24),
    "bench": (0, 24),
    "begin": (0, 24),
    "end": (0, 24),
    "test": (0, 25),
}
_ITEMS: dict[ItemKind, Version] = {
    ItemKind.CONFIG: (0, 20),
    ItemKind.FUNCTION: (0, 21),
    ItemKind.MACRO: (0, 24),
    ItemKind.MAP: (0, 24),
    ItemKind.IMPORT: (0, 24),
}
_CONFIG_KEYS: dict[str, Version] = {
    "missing_probes": (0, 21),
    "lazy_symbolication": (0, 21),
    "print_maps_on_exit": (0, 22),
    "license": (0, 24),
    "show_debug_info": (0, 24),
}
_DURATIONS = ("ns", "us", "ms", "s", "m", "h", "d")


def oldest_version(items: tuple[tuple[Item, tuple[Token, ...]], ...], points: tuple[tuple[str, ...], ...]) -> str:
    """The oldest version that reads these items and attach points, "" when every one since 0.14 does."""
    own = _own_names(items)
    needed: list[Version] = []
    for item, words in items:
        needed.extend(_of_item(item, words, own))
    for point in points:
        needed.extend(_of_point(point))
    newest = max(needed, default=(0, 0))
    return f"{newest[0]}.{newest[1]}" if newest > (0, 0) else ""


def _own_names(items: tuple[tuple[Item, tuple[Token, ...]], ...]) -> frozenset[str]:
    """The names of the program's own functions and macros: they hide bpftrace's."""
    callables = (ItemKind.FUNCTION, ItemKind.MACRO)
    own = [words[1].text for item, words in items if item.kind in callables and len(words) > 1]
    defines = [item.text.split()[1:2] for item, _ in items if item.text.startswith("#define")]
    return frozenset(own) | {name.partition("(")[0] for names in defines for name in names}


def _of_item(item: Item, words: tuple[Token, ...], own: frozenset[str]) -> Iterator[Version]:
    if item.kind in _ITEMS:
        yield _ITEMS[item.kind]
    if item.kind is ItemKind.CONFIG:
        yield from (_CONFIG_KEYS[word.text] for word in words if word.text in _CONFIG_KEYS)
        if any(first.text == "=" and second.kind is TokenKind.WORD for first, second in pairwise(words)):
            yield (0, 24)  # a value without quotes: missing_probes = ignore
    elif item.kind in (ItemKind.PROBE, ItemKind.FUNCTION, ItemKind.MACRO):
        yield from _of_words(words, own)


def _of_words(words: tuple[Token, ...], own: frozenset[str]) -> Iterator[Version]:
    pointers: set[str] = set()  # variables that hold a pointer to a struct
    nothing = Token(TokenKind.SYMBOL, "")
    for number, word in enumerate(words):
        before = words[number - 1].text if number else ""
        after, second, third = (*words[number + 1 : number + 4], nothing, nothing, nothing)[:3]
        if word.kind is TokenKind.WORD and before not in (".", "->") and word.text not in own:
            yield from _of_word(word.text, after, second, third)
        elif (word.kind is TokenKind.NUMBER and word.text.lstrip("0123456789") in _DURATIONS) or word.text == "..":
            yield (0, 24)
        elif word.kind is TokenKind.VARIABLE and after.text == "=" and pointer_cast(words, number + 2):
            pointers.add(word.text)
        elif (after.text == "." and word.text in pointers) or cast_in_parentheses(words, number)[1] == ".":
            yield (0, 25)  # a pointer is followed by itself: no `->` needed


def _of_word(word: str, after: Token, second: Token, third: Token) -> Iterator[Version]:
    if word in _SINCE_BUILTIN:
        yield _SINCE_BUILTIN[word]
    if after.text == "(":
        if word in _SINCE_CALL:
            yield _SINCE_CALL[word]
        if word == "delete" and second.kind is TokenKind.MAP and third.text == ",":
            yield (0, 22)
        if word == "exit" and second.kind is TokenKind.NUMBER:
            yield (0, 21)
        if word == "for" and second.kind is TokenKind.VARIABLE:
            yield (0, 21)
    elif word in ("if", "for", "while") and after.kind is TokenKind.VARIABLE:
        yield (0, 24)
    elif word == "let" and after.kind is TokenKind.VARIABLE:
        yield (0, 22)
    elif after.text == "." and word in ("args", "curtask"):
        yield (0, 19) if word == "args" else (0, 25)


def _of_point(point: tuple[str, ...]) -> Iterator[Version]:
    provider = point[0]
    if provider in _PROVIDERS:
        yield _PROVIDERS[provider]
    if provider in ("kprobe", "kretprobe", "k", "kr") and len(point) > 2:
        yield (0, 20)
    if provider in ("interval", "profile", "i", "p") and len(point) == 2:
        yield (0, 24)
