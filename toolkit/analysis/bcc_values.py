"""Values of a bcc tool's Python as far as they can be known without running it.

A value is a str (bytes count as str), int, float, bool, None, tuple or dict of values, or one of the classes here.
What cannot be known is UNKNOWN, and within a text it is a HOLE.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

HOLE = "\0"  # an unknown part of a text
SYSCALL = "\1"  # the kernel's prefix of system call functions: "\1clone" is __x64_sys_clone or sys_clone
MAX_TEXT = 1 << 20
MAX_ITEMS = 5000
_FORMAT = re.compile(r"%(?:%|(?:\((\w+)\))?[-+ #0-9.]*[a-zA-Z])")
_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]{0,80}\}")
_SIMPLE_NAME = re.compile(r"[\w.:*\0\1]+")


@dataclass(frozen=True)
class Unknown:
    """What only running the tool would tell."""


@dataclass(frozen=True)
class Asked:
    """The answer to a question about this host: every path takes one of the two answers."""

    key: str
    positive: bool = True

    def negated(self) -> Asked:
        """The other answer to the same question."""
        return Asked(self.key, not self.positive)


@dataclass(frozen=True)
class Function:
    """A function of the tool's own."""

    node: ast.FunctionDef


@dataclass
class Options:
    """A parser of options while they are declared, then what it gives when the user chose none."""

    values: dict[str, Value] = field(default_factory=dict)


Value = (
    Unknown | Asked | Function | Options | str | int | float | bool | None | tuple["Value", ...] | dict[str, "Value"]
)
UNKNOWN = Unknown()


def constant(value: object) -> Value:
    """A literal of the source; bytes become text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, (str, int, float, bool)) or value is None else UNKNOWN


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None when that is not known. An Asked is for the caller to decide."""
    if isinstance(value, (Unknown, Asked)):
        return None
    if isinstance(value, str):
        return None if value == HOLE else bool(value)
    return True if isinstance(value, (Function, Options)) else bool(value)


def as_text(value: Value) -> str:
    """The value inside a text."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) else HOLE


def bounded(text: str) -> Value:
    """The text, or UNKNOWN when a hostile file made it grow out of all proportion."""
    return text if len(text) <= MAX_TEXT else UNKNOWN


def add(left: Value, right: Value) -> Value:
    """`left + right` of texts, numbers and tuples."""
    if isinstance(left, str) or isinstance(right, str):
        known = isinstance(left, (str, Unknown)) and isinstance(right, (str, Unknown))
        return bounded(as_text(left) + as_text(right)) if known else UNKNOWN
    if isinstance(left, tuple) and isinstance(right, tuple):
        return (left + right)[:1000]
    if isinstance(left, int) and isinstance(right, int):
        return left + right if abs(left) + abs(right) < 1 << 64 else UNKNOWN
    return UNKNOWN


def percent(template: Value, given: Value) -> Value:
    """`template % given`; widths and precisions do not matter to names."""
    if not isinstance(template, str):
        return UNKNOWN
    values = list(given) if isinstance(given, tuple) else [given]
    named = given if isinstance(given, dict) else {}

    def fill(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        if match.group(1):
            return as_text(named.get(match.group(1), UNKNOWN))
        return as_text(values.pop(0)) if values else HOLE

    return bounded(_FORMAT.sub(fill, template))


def braces(template: str, given: tuple[Value, ...], named: dict[str, Value]) -> Value:
    """`template.format(*given, **named)`."""
    following = list(given)

    def fill(match: re.Match[str]) -> str:
        if match.group() in ("{{", "}}"):
            return match.group()[0]
        name = re.split(r"[.:!\[]", match.group()[1:-1])[0]
        if not name:
            return as_text(following.pop(0)) if following else HOLE
        if name.isdigit():
            return as_text(given[int(name)]) if int(name) < len(given) else HOLE
        return as_text(named.get(name, UNKNOWN))

    return bounded(_BRACES.sub(fill, template))


def replace(text: str, old: Value, new: Value) -> Value:
    """`text.replace(old, new)`."""
    if not isinstance(old, str) or not old or HOLE in old:
        return text
    filling = as_text(new)
    if len(text) + text.count(old) * len(filling) > MAX_TEXT:
        return UNKNOWN
    return text.replace(old, filling)


def patterns(expression: str) -> tuple[str, ...]:
    """The wildcards that a simple regular expression stands for, or one empty name where it is not simple.

    `^finish_task_switch$|^finish_task_switch\\.isra\\.\\d$` is finish_task_switch or finish_task_switch.isra.*
    """
    found: list[str] = []
    for part in expression.split("|"):
        whole = part.removeprefix("^").removesuffix("$")
        wild = re.sub(r"(?:\\d|(?<!\\)\.)[*+?]?|\[[^\]]*+(?:\][*+?]?|\Z)", "*", whole).replace("\\", "")
        wild = re.sub(r"\*+", "*", wild)
        if not _SIMPLE_NAME.fullmatch(wild) or HOLE in wild:
            return ("",)
        found.append(wild)
    return tuple(found)
