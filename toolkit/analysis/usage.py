"""What a usage line tells: which options a tool knows, and what it takes by position."""

from __future__ import annotations

import re

from toolkit.model import Arguments, Signature

_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_CLUSTER = re.compile(r"-[A-Za-z]{2,}")
_WORD = re.compile(r"[\w./:*'\"@#%+-]+")
_BRACKETS = {"[": "]", "{": "}", "(": ")", "<": ">"}
_NOT_ARGUMENTS = frozenset({"options", "flags", "option"})  # as in `tool [OPTIONS] FUNC`
_COUNTING = frozenset({"interval", "count", "counts", "outputs", "times", "delay"})
_MAX_USAGE = 4096


def read_usage(line: str) -> Signature:
    """The signature behind `runqlat [-h] [-p PID] [interval [count]]`; the first word is the tool's name."""
    usage = " ".join(line[:_MAX_USAGE].split())
    _, _, rest = usage.partition(" ")
    return signature(_options(rest), positionals(rest), usage)


def signature(options: tuple[str, ...], named: tuple[tuple[str, bool], ...], usage: str = "") -> Signature:
    """The signature of a tool with these options and these (name, required) positional arguments."""
    required = any(needed for _, needed in named)
    if not named:
        style = Arguments.OPTIONS if options else Arguments.NONE
    elif named[0][0] in _COUNTING and all(name in _COUNTING for name, _ in named):
        style = Arguments.INTERVAL
    else:
        style = Arguments.POSITIONAL
    return Signature(style=style, options=options, required=required, usage=usage)


def positionals(text: str) -> tuple[tuple[str, bool], ...]:
    """The positional arguments of a usage text in order, each with whether it stands outside all brackets."""
    found: list[tuple[str, bool]] = []
    closing: list[str] = []
    in_option = False  # inside a bracket that began with an option: `[-p PID | -c CG]`
    takes_value = False  # right after an option outside brackets: `-d DURATION`
    for token in re.findall(r"[\[\]{}()<>|]|[^\s\[\]{}()<>|]+", text):
        if token in _BRACKETS:
            closing.append(_BRACKETS[token])
        elif closing and token == closing[-1]:
            closing.pop()
            in_option = in_option and bool(closing)
            takes_value = takes_value and bool(closing)
        elif token.startswith("-"):
            in_option, takes_value = bool(closing), not closing
        elif in_option or takes_value or not _is_word(token):
            takes_value = False
        else:
            found.append((token.strip("'\".,").lower(), "]" not in closing))
    return tuple(found)


def _is_word(token: str) -> bool:
    named = _WORD.fullmatch(token) is not None and any(letter.isalnum() for letter in token)
    return named and token.lower() not in _NOT_ARGUMENTS


def _options(text: str) -> tuple[str, ...]:
    """The options in a usage text; `[-hPRTv]` is five of them."""
    found: list[str] = []
    for option in _OPTION.findall(text):
        if _CLUSTER.fullmatch(option) and not option.startswith("--"):
            found.extend(f"-{letter}" for letter in option[1:])
        else:
            found.append(option)
    return tuple(dict.fromkeys(found))
