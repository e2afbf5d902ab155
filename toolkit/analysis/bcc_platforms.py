"""Which processors a bcc tool is for: it asks for the machine or the maker, and ends when it is another."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolkit.analysis.bcc_nodes import nodes_of, walk
from toolkit.analysis.bcc_paths import ends
from toolkit.model import Need, NeedKind, Requirement

_CPUINFO = "/proc/cpuinfo"
_MAKERS = ("GenuineIntel", "Intel", "AuthenticAMD", "AMD", "HygonGenuine")


def needed_platforms(tree: ast.Module) -> Iterator[Requirement]:
    """Any of the machines, and any of the makers, that the tool goes on with."""
    for node in nodes_of(tree, ast.If):
        machines = tuple(_refused_others(node.test))
        if machines and ends(node.body):
            yield _any_of(machines)
    texts = {_text(node) for node in nodes_of(tree, ast.Constant)}
    if any(_CPUINFO in text for text in texts):
        makers = tuple(maker for maker in _MAKERS if maker in texts)
        if makers:
            yield _any_of(makers)


def _refused_others(test: ast.expr) -> Iterator[str]:
    """`platform.machine() != "x86_64" and platform.machine() != "aarch64"`."""
    for node in walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotEq) and isinstance(node.left, ast.Call):
            called = node.left.func
            if isinstance(called, ast.Attribute) and called.attr == "machine":
                yield _text(node.comparators[0])


def _any_of(names: tuple[str, ...]) -> Requirement:
    return Requirement(any_of=tuple(Need(kind=NeedKind.PLATFORM, name=name) for name in names))


def _text(node: ast.AST) -> str:
    value = node.value if isinstance(node, ast.Constant) else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
