"""How a bcc tool is called: what it declares to argparse or optparse, or says in its usage text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolkit.analysis.bcc_nodes import nodes_of, texts_of
from toolkit.analysis.bcc_values import UNKNOWN, Value
from toolkit.analysis.header import usage_of
from toolkit.analysis.usage import read_usage, signature
from toolkit.model import Arguments, Signature

_OPTIONAL = ("?", "*")
DECLARING = frozenset({"add_argument", "add_option"})


def dest_of(names: tuple[str, ...], by_name: dict[str, Value]) -> str:
    """The attribute that an option's value goes to, as argparse and optparse choose it."""
    dest = by_name.get("dest")
    if isinstance(dest, str):
        return dest
    long = [name for name in names if name.startswith("--")]
    first = (long or list(names) or [""])[0]
    return first.lstrip("-").replace("-", "_")


def declare(names: tuple[str, ...], by_name: dict[str, Value]) -> Value:
    """The value of an option that the user did not give."""
    positional = bool(names) and not names[0].startswith("-")
    if by_name.get("required") is True or (positional and by_name.get("nargs") not in _OPTIONAL):
        return UNKNOWN
    if "default" in by_name:
        return by_name["default"]
    action = by_name.get("action")
    if action == "store_true":
        return False
    return True if action == "store_false" else None


def read_signature(tree: ast.Module) -> Signature:
    """From the parser's declarations, or from a usage text where a tool reads sys.argv itself."""
    declared = tuple(_declarations(tree))
    if declared:
        options = tuple(name for names, _ in declared for name in names if name.startswith("-"))
        named = tuple((names[0], needed) for names, needed in declared if not names[0].startswith("-"))
        usage = " ".join(name if needed else f"[{name}]" for name, needed in named)
        found = signature(("-h", "--help", *options), named, usage)
        required = found.required or any(needed for _, needed in declared)
        return Signature(style=found.style, options=found.options, required=required, usage=usage)
    if _parsers(tree):
        return Signature(style=Arguments.OPTIONS, options=("-h", "--help"))
    if not _reads_argv(tree):
        return Signature(style=Arguments.NONE)
    for text in texts_of(tree):
        usage = usage_of(text)
        if usage:
            return read_usage(usage)
    return Signature(style=Arguments.POSITIONAL)


def description_of(tree: ast.Module) -> str:
    """The first line of what the tool tells its parser about itself."""
    for parser in _parsers(tree):
        for item in parser.keywords:
            if item.arg == "description" and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str):
                return item.value.value.strip().partition("\n")[0].strip()
    return ""


def _declarations(tree: ast.Module) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The names of each declared argument, and whether it must be given."""
    short_hands = _short_hands(tree)
    for node in nodes_of(tree, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in DECLARING and called not in short_hands:
            continue
        names = tuple(
            item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
        keywords = {item.arg: item.value for item in node.keywords}
        nargs, required = keywords.get("nargs"), keywords.get("required")
        optional = isinstance(nargs, ast.Constant) and nargs.value in _OPTIONAL
        forced = isinstance(required, ast.Constant) and required.value is True
        if names:
            yield names, forced if names[0].startswith("-") else not optional


def _short_hands(tree: ast.Module) -> frozenset[str]:
    """Names that stand for a parser's method: `a = parser.add_argument`."""
    return frozenset(
        target.id
        for node in nodes_of(tree, ast.Assign)
        if isinstance(node.value, ast.Attribute) and node.value.attr in DECLARING
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _parsers(tree: ast.Module) -> list[ast.Call]:
    found: list[ast.Call] = []
    for node in nodes_of(tree, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("ArgumentParser", "OptionParser"):
            found.append(node)
    return found


def _reads_argv(tree: ast.Module) -> bool:
    dotted = any(node.attr == "argv" for node in nodes_of(tree, ast.Attribute))
    return dotted or any(node.id == "argv" for node in nodes_of(tree, ast.Name))
