"""Going through a bcc tool's nodes: as Python's own walk, but for operators, and sorted by type."""

from __future__ import annotations

import ast

import pytest

from toolkit.analysis.bcc_nodes import dotted, nodes_of, texts_of, walk

PROGRAM = """
from bcc import BPF
@decorate(kind="x")
def called(first, *rest, name: int = 3, **others) -> str:
    with open("/proc/kallsyms") as file, other():
        return f"{first!r:>{name}} {file}"
try:
    b = BPF(text="int f;")[-1:2] if not called(1) and 2 < 3 else {**{"a": [x for x in (1, 2) if x]}}
except (OSError, ValueError) as error:
    raise
match b:
    case {"key": [1, *_], **more} | None: pass
for x, y in zip([], ()):
    lambda z=x: (yield z)
    continue
"""
OPERATORS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


def test_it_goes_where_python_goes_and_in_that_order() -> None:
    tree = ast.parse(PROGRAM)
    wanted = [node for node in ast.walk(tree) if not isinstance(node, OPERATORS)]
    assert walk(tree) == wanted
    kinds = {type(node) for node in wanted}
    assert len(kinds) > 30
    assert all(nodes_of(tree, kind) == [node for node in wanted if type(node) is kind] for kind in kinds)


def test_several_beginnings_are_gone_through_together() -> None:
    tree = ast.parse("a = 1\nb = 2")
    assert walk() == []
    assert set(walk(*tree.body)) == set(walk(tree)) - {tree}


def test_what_is_not_there_is_none() -> None:
    assert list(nodes_of(ast.parse("a = 1"), ast.Try)) == []


def test_texts_are_strings_alone() -> None:
    assert texts_of(ast.parse("f('a', b'b', 3, None, 'c')")) == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("exit", "exit"), ("sys.exit", "sys.exit"), ("a.b.c", "a.b.c"), ("a().b", ""), ("a[0].b.c", ""), ("'a'.b", "")],
)
def test_a_dotted_name_is_one_of_names_alone(text: str, wanted: str) -> None:
    assert dotted(ast.parse(text, mode="eval").body) == wanted
