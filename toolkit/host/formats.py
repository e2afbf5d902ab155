"""The fields of tracepoints: what a program can read of each event's record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from toolkit.host.names import Names
from toolkit.host.tree import Tree
from toolkit.model import Fact

# "field:char comm[16];", "field:__data_loc char[] name;": the last word before the semicolon, without its length.
FIELD = re.compile(r"^[ \t]+field:([^;\n]{1,400});", re.MULTILINE)


def read_formats(tree: Tree, tracefs: Fact[str], tracepoints: Fact[AbstractSet[str]]) -> Fact[AbstractSet[str]]:
    """Every field as system:event.field, of the events that have a format; 2,300 files take 40 ms."""
    if tracefs.value is None or tracepoints.value is None:
        return Fact(unknown=tracefs.unknown or tracepoints.unknown)
    folder = f"{tracefs.value}/events"
    names = Names.of(_read_fields(tree, folder, tracepoints.value))
    return Fact(names, origin=folder) if names else Fact(unknown=f"no event below {folder} has a format")


def _read_fields(tree: Tree, folder: str, tracepoints: AbstractSet[str]) -> Iterator[str]:
    for event in tracepoints:
        try:
            text = tree.text(f"{folder}/{event.replace(':', '/', 1)}/format")
        except OSError:  # a module's, unloaded meanwhile; or an event without a record
            continue
        yield from (f"{event}.{name}" for name in parse_format(text))


def parse_format(text: str) -> tuple[str, ...]:
    """The names of the fields, in the order of the record."""
    return tuple(filter(str.isidentifier, map(_name_field, FIELD.findall(text))))


def _name_field(declaration: str) -> str:
    declaration = declaration.rstrip()
    named = declaration.rpartition("[")[0] if declaration.endswith("]") else declaration
    return named.rpartition(" ")[2].lstrip("*")
