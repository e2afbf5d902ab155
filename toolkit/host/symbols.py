"""The kernel's symbol table: which names have an address, and whether they are code or data."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from toolkit.host.names import Names
from toolkit.host.places import KALLSYMS
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

# nm(1)'s letters for code. A weak W is code in the kernel: weak data is V.
CODE = frozenset("tTwWi")


@dataclass(frozen=True)
class Symbols:
    """Names of kallsyms by kind; a name that occurs as both is in both."""

    code: frozenset[str]
    data: frozenset[str]


def read_symbols(tree: Tree) -> Fact[Symbols]:
    """Every symbol of the kernel and its modules; names are readable by everybody, addresses need kptr_restrict."""
    try:
        text = tree.text(KALLSYMS)
    except OSError as error:
        return Fact(unknown=explain(KALLSYMS, error))
    symbols = parse_symbols(text)
    if not symbols.code:
        return Fact(unknown=f"{KALLSYMS} is empty")
    return Fact(symbols, origin=KALLSYMS)


def parse_symbols(text: str) -> Symbols:
    """Sort lines of "address letter name [module]" into code and data."""
    code: set[str] = set()
    data: set[str] = set()
    for line in text.splitlines():
        fields = line.split()
        # [bpf] and [__builtin__ftrace] hold programs and trampolines that come and go, some of them our own.
        if len(fields) < 3 or (len(fields) > 3 and fields[3].startswith(("[bpf", "[__builtin"))):
            continue
        (code if fields[1] in CODE else data).add(fields[2])
    return Symbols(frozenset(code), frozenset(data))


def data_symbols(symbols: Fact[Symbols]) -> Fact[AbstractSet[str]]:
    """The names whose address a tool can take as data, as kaddr("avenrun") does."""
    if symbols.value is None:
        return Fact(unknown=symbols.unknown)
    return Fact(Names.of(symbols.value.data), origin=symbols.origin)
