"""Which kernel types and fields a bpftrace program takes from BTF or headers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from toolkit.analysis.bpftrace_lexer import Token, TokenKind
from toolkit.model import Need, NeedKind

_MAX_EXPRESSION = 40  # words between the parentheses of `((struct sock *)arg0)`


def kernel_fields(words: tuple[Token, ...], defined: frozenset[str]) -> Iterator[Need]:
    """Each struct.field that a body reads from a type which the program does not define; first members only.

    `$sk = (struct sock *)arg0; $sk->sk_max_ack_backlog`, `((struct sock *)arg0)->sk_err`, `curtask->mm`.
    """
    for struct, field in (*_of_variables(words), *_of_casts(words), *_of_the_task(words)):
        if struct not in defined:
            yield Need(kind=NeedKind.STRUCT_FIELD, name=f"{struct}.{field}")


def foreign_types(words: tuple[Token, ...], defined: frozenset[str]) -> bool:
    """Whether a body uses a struct that the program does not define, or fields of the current task."""
    texts = [word.text for word in words]
    pairs = pairwise(texts)
    return any(
        (first == "curtask" and second in ("->", ".")) or (first in ("struct", "union") and second not in defined)
        for first, second in pairs
    )


def named_types(words: tuple[Token, ...]) -> frozenset[str]:
    """The names of structs in a body."""
    return frozenset(second.text for first, second in pairwise(words) if first.text == "struct")


def pointer_cast(words: tuple[Token, ...], number: int) -> str:
    """The struct's name when `(struct T *)` begins at this word, else ""."""
    texts = [word.text for word in words[number : number + 5]]
    return texts[2] if len(texts) == 5 and texts[:2] == ["(", "struct"] and texts[3:] == ["*", ")"] else ""


def cast_in_parentheses(words: tuple[Token, ...], number: int) -> tuple[str, str, str]:
    """Struct, operator and member of `((struct T *)value)->member` that begins here, or empty strings."""
    struct = pointer_cast(words, number + 1)
    if not struct or words[number].text != "(" or _is_call(words, number):
        return "", "", ""
    end = _closing(words, number)
    after = words[end + 1 : end + 3]
    if len(after) < 2 or after[0].text not in ("->", "."):
        return "", "", ""
    return struct, after[0].text, after[1].text


def _is_call(words: tuple[Token, ...], number: int) -> bool:
    return number > 0 and words[number - 1].kind is TokenKind.WORD


def _closing(words: tuple[Token, ...], number: int) -> int:
    depth = 0
    for place in range(number, min(number + _MAX_EXPRESSION, len(words))):
        depth += (words[place].text == "(") - (words[place].text == ")")
        if depth == 0:
            return place
    return len(words)


def _of_variables(words: tuple[Token, ...]) -> Iterator[tuple[str, str]]:
    struct_of: dict[str, str] = {}
    for number, word in enumerate(words):
        if word.kind is not TokenKind.VARIABLE:
            continue
        after = words[number + 1 : number + 3]
        if after and after[0].text == "=":
            struct_of[word.text] = pointer_cast(words, number + 2)
        elif len(after) == 2 and after[0].text in ("->", ".") and struct_of.get(word.text):
            yield struct_of[word.text], after[1].text


def _of_casts(words: tuple[Token, ...]) -> Iterator[tuple[str, str]]:
    for number in range(len(words)):
        struct, _, member = cast_in_parentheses(words, number)
        if struct:
            yield struct, member


def _of_the_task(words: tuple[Token, ...]) -> Iterator[tuple[str, str]]:
    for task, operator, member in zip(words, words[1:], words[2:], strict=False):
        if task.text == "curtask" and operator.text in ("->", ".") and member.kind is TokenKind.WORD:
            yield "task_struct", member.text
