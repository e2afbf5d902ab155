"""Since which bpftrace a program can be read, as far as its words show it for certain.

From bpftrace's CHANGELOG.md and the lexers of its tags v0.12.0 to v0.26.0, and tried with 0.17.0, 0.23.2 and 0.27.1.
Only what an older version refuses counts: syntax, functions, builtins and probe types that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from toolkit.analysis.bpftrace_lexer import Item, ItemKind, Script, Token, TokenKind
from toolkit.analysis.bpftrace_types import cast_in_parentheses, pointer_cast

Version = tuple[int, int]
Words = tuple[tuple[Item, tuple[Token, ...]], ...]  # the items with the words of each

# What 0.12 has already.
_FIRST_CALLS = (
    "avg buf cat cgroupid clear count delete exit hist join kaddr kptr ksym kstack lhist macaddr max min ntop override "
    "path print printf reg signal sizeof stats str strftime strncmp sum system time uaddr unwatch uptr ustack usym zero"
)
_CALLS: dict[Version, str] = {
    (0, 15): "bswap cgroup_path",
    (0, 16): "strerror skboutput pton debugf",
    (0, 17): "strcontains",
    (0, 18): "offsetof",
    (0, 19): "nsecs",
    (0, 20): "len",
    (0, 22): "has_key percpu_kaddr",
    (0, 24): "tseries getopt socket_cookie errorf assert pid tid ppid "
    "cgroup comm cpid cpu curtask elapsed func gid jiffies ncpus numaid probe rand retval uid usermode username",
    (0, 25): "find fail strlen strstr strcap memcmp signal_thread syscall_name kfunc_exist kfunc_allowed warnf pcomm "
    "static_assert is_ptr is_array is_integer is_literal is_str is_unsigned_integer elf_info elf_is_exe usdt_arg "
    "stack_len assert_str default_str_length has_cpid probetype memcmp_record check_key assert_userspace_probe",
    (0, 26): "signal_name is_err write_user dw_ustack leader_comm leader_tid",
    (0, 27): "config str_concat container_of",
}
_BUILTINS: dict[Version, str] = {
    (0, 16): "numaid",
    (0, 20): "jiffies",
    (0, 24): "ncpus usermode ppid",
    (0, 25): "pcomm probetype",
    (0, 26): "leader_comm leader_tid",
}
_SINCE_CALL = {name: version for version, names in _CALLS.items() for name in names.split()}
_SINCE_BUILTIN = {name: version for version, names in _BUILTINS.items() for name in names.split()}
KNOWN_CALLS = frozenset(_FIRST_CALLS.split()) | _SINCE_CALL.keys()
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
    "symbol_source": (0, 22),
    "license": (0, 24),
    "show_debug_info": (0, 24),
}
_DURATIONS = ("ns", "us", "ms", "s", "m", "h", "d")
_STATEMENT_ENDS = frozenset({"", ";", "{", "}", "/", ")"})
_LONGEST_KEY = 40  # words: so that brackets that never close do not cost the square of their number
_NOTHING = Token(TokenKind.SYMBOL, "")


def oldest_version(items: Words, points: tuple[tuple[str, ...], ...], own: frozenset[str]) -> str:
    """The oldest version that reads these items and attach points, "" when every one since 0.14 does.

    `own` are the names of the program's own functions and macros: they hide bpftrace's.
    """
    needed: list[Version] = []
    pointers: set[str] = set()  # variables and maps that hold a pointer to a struct
    for item, words in items:
        pointers = {name for name in pointers if name.startswith("@")}
        needed.extend(_of_item(item, words, own, pointers))
    if _clears_a_count(items):
        needed.append((0, 12))
    for point in points:
        needed.extend(_of_point(point))
    newest = max(needed, default=(0, 0))
    return f"{newest[0]}.{newest[1]}" if newest > (0, 0) else ""


def own_names(script: Script) -> frozenset[str]:
    """The names of a program's own functions, macros and preprocessor's macros."""
    found: set[str] = set()
    for item in script.items:
        parts = item.text.replace("(", " ").split()
        if item.kind in (ItemKind.FUNCTION, ItemKind.MACRO) or parts[:1] == ["#define"]:
            found.update(parts[1:2])
        elif parts[:2] == ["#", "define"]:
            found.update(parts[2:3])
    return frozenset(found)


def _clears_a_count(items: Words) -> bool:
    """Whether a count without a key is cleared or deleted: `@ = count(); clear(@);`."""
    triples = [triple for _, words in items for triple in zip(words, words[1:], words[2:], strict=False)]
    counts = {first.text for first, equals, call in triples if equals.text == "=" and call.text == "count"}
    return any(
        call.text in ("clear", "delete")
        and parenthesis.text == "("
        and name.kind is TokenKind.MAP
        and name.text in counts
        for call, parenthesis, name in triples
    )


def _of_item(item: Item, words: tuple[Token, ...], own: frozenset[str], pointers: set[str]) -> Iterator[Version]:
    if item.kind in _ITEMS:
        yield _ITEMS[item.kind]
    if item.kind is ItemKind.CONFIG:
        yield from (_CONFIG_KEYS[word.text] for word in words if word.text in _CONFIG_KEYS)
        if any(word.text.startswith("unstable_") for word in words):
            yield (0, 24)
        if any(first.text == "=" and second.kind is TokenKind.WORD for first, second in pairwise(words)):
            yield (0, 24)  # a value without quotes: missing_probes = ignore
    elif item.kind in (ItemKind.PROBE, ItemKind.FUNCTION, ItemKind.MACRO):
        yield from _of_words(words, own, pointers)


def _of_words(words: tuple[Token, ...], own: frozenset[str], pointers: set[str]) -> Iterator[Version]:
    for number, word in enumerate(words):
        before = words[number - 1] if number else _NOTHING
        after = words[number + 1] if number + 1 < len(words) else _NOTHING
        if word.kind is TokenKind.WORD and before.text not in (".", "->") and word.text not in own:
            yield from _of_word(word.text, before.text, words[number + 1 : number + 5])
        elif word.kind is TokenKind.NUMBER:
            if word.text.lstrip("0123456789") in _DURATIONS:
                yield (0, 24)
        elif word.text in ("..", "}"):
            if word.text == ".." or after.text == ";":
                yield (0, 24)
        elif word.kind in (TokenKind.VARIABLE, TokenKind.MAP):
            yield from _of_pointer(words, number, pointers)
        elif cast_in_parentheses(words, number)[1] == ".":
            yield (0, 25)  # a pointer is followed by itself: no `->` needed
        elif word.text == "(" and before.text == "[":
            yield from _of_key(words, number)


def _of_pointer(words: tuple[Token, ...], number: int, pointers: set[str]) -> Iterator[Version]:
    """`$task.mm` where `$task = (struct task_struct *)…`, or `$task = @tasks[tid]` of such; remembers what it holds."""
    name = words[number].text
    end = past_key(words, number + 1)
    after = words[end].text if end < len(words) else ""
    if after == "=":
        source = words[end + 1].text if end + 1 < len(words) else ""
        if pointer_cast(words, end + 1) or source in pointers:
            pointers.add(name)
    elif after == "." and name in pointers:
        yield (0, 25)


def _of_key(words: tuple[Token, ...], number: int) -> Iterator[Version]:
    """A tuple as a key: `@[(1, 2)]`; a cast or a calculation in parentheses is none."""
    depth = 0
    for word in words[number : number + _LONGEST_KEY]:
        depth += (word.text == "(") - (word.text == ")")
        if depth == 1 and word.text == ",":
            yield (0, 22)
        if depth == 0:
            return


def past_key(words: tuple[Token, ...], number: int) -> int:
    """Where the words go on after the key in brackets that begins here, if one does."""
    if number >= len(words) or words[number].text != "[":
        return number
    depth = 0
    end = min(number + _LONGEST_KEY, len(words))
    for place in range(number, end):
        depth += (words[place].text == "[") - (words[place].text == "]")
        if depth == 0:
            return place + 1
    return end


def _of_word(word: str, before: str, following: tuple[Token, ...]) -> Iterator[Version]:
    after, second, third, fourth = (*following, *(_NOTHING,) * 4)[:4]
    if word in _SINCE_BUILTIN:
        yield _SINCE_BUILTIN[word]
    if after.text == "(":
        yield from _of_call(word, before, second, third)
    elif word in ("if", "for", "while") and after.kind is TokenKind.VARIABLE:
        yield (0, 24)
    elif word == "let" and after.kind is TokenKind.VARIABLE:
        yield (0, 22)
    elif after.text == "." and word in ("args", "ctx", "curtask"):
        # What a record of a tracepoint holds is a number or a pointer, seldom a struct.
        chain = second.kind is TokenKind.WORD and third.text == "." and fourth.kind is TokenKind.WORD
        yield (0, 19) if word == "args" and not chain else (0, 25)
    elif word == "enum" and before == "(" and second.text == ")":
        yield (0, 23)


def _of_call(word: str, before: str, second: Token, third: Token) -> Iterator[Version]:
    if word in _SINCE_CALL:
        yield _SINCE_CALL[word]
    if word == "delete":
        if before not in _STATEMENT_ENDS:
            yield (0, 24)
        elif second.kind is TokenKind.MAP and third.text == ",":
            yield (0, 22)
    if word == "str" and second.kind is TokenKind.PARAMETER and third.text in ("+", "-"):
        yield (0, 12)
    if word == "exit" and second.kind is TokenKind.NUMBER:
        yield (0, 21)
    if word == "print" and second.kind is TokenKind.MAP and third.text == "[":
        yield (0, 21)
    if word == "for" and second.kind is TokenKind.VARIABLE:
        yield (0, 21)


def _of_point(point: tuple[str, ...]) -> Iterator[Version]:
    provider = point[0]
    if provider in _PROVIDERS:
        yield _PROVIDERS[provider]
    if provider in ("kprobe", "kretprobe", "k", "kr") and len(point) > 2:
        yield (0, 20)
    if provider in ("rawtracepoint", "rt") and len(point) > 2:
        yield (0, 24)
    if provider in ("interval", "profile", "i", "p") and len(point) == 2:
        yield (0, 24)
    if provider in ("iter", "it") and point[1:2] not in (("task",), ("task_file",)):
        yield (0, 19)
