"""What BTF says of types: which there are, their members, and by its enumerations which helpers and maps exist.

One pass over the 126,000 types of a kernel takes 0.15 s, so its result is kept with the other facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import NamedTuple

from toolkit.host.btf import Btf, BtfError
from toolkit.host.names import Names
from toolkit.host.places import BTF
from toolkit.model import Fact

PTR, STRUCT, UNION, ENUM, TYPEDEF, FUNC_PROTO, ENUM64 = 2, 4, 5, 6, 8, 13, 19
NAMED = frozenset((STRUCT, UNION, ENUM, TYPEDEF, ENUM64))
THROUGH = frozenset((TYPEDEF, 9, 10, 11, 18))  # VOLATILE, CONST, RESTRICT, TYPE_TAG: the type stands behind them
MOST_ALIASES = 16  # of a type: typedef of const of typedef …
MOST_MEMBERS = 1_000_000  # of all structures together; a distribution's kernel has 80,000

# The kernel's enumerations of what a BPF program can use, and what stands before the name.
ENUMERATIONS = {
    "bpf_func_id": ("BPF_FUNC_", "helper:bpf_"),
    "bpf_map_type": ("BPF_MAP_TYPE_", "map_type:"),
    "bpf_prog_type": ("BPF_PROG_TYPE_", "program_type:"),
    "bpf_attach_type": ("BPF_", "attach_type:"),
}

# Each tracepoint has a typedef of a function that takes its arguments (Linux 5.0, commit ac68154626ab).
RAW_TRACEPOINT = "btf_trace_"


class Types(NamedTuple):
    """Types and members as names, and the features that the enumerations name."""

    fields: frozenset[str]
    features: frozenset[str]


def read_types(btf: Btf) -> Types:
    """The types of a kernel's BTF, or those that a module adds. Raises BtfError."""
    fields: set[str] = set()
    features: set[str] = set()
    words = btf.words
    left = MOST_MEMBERS  # a million structures that share a large anonymous one would take for ever
    for at in btf.offsets:
        kind = words[at + 1] >> 24 & 0x1F
        if not words[at] or kind not in NAMED:
            continue
        name = btf.name(words[at])
        fields.add(name)
        if kind in (STRUCT, UNION):
            members = tuple(_list_members(btf, at))
            left -= len(members)
            if left < 0:
                raise BtfError(f"the BTF is damaged: {name[:40]!r} has more members than any kernel")
            fields.update(f"{name}.{member}" for member in members if member)
        elif name in ENUMERATIONS:
            features.update(_list_features(btf, at, name))
        elif kind == TYPEDEF and name.startswith(RAW_TRACEPOINT):
            fields.update(f"{name}.arg{number}" for number in range(_count_arguments(btf, at)))
    return Types(frozenset(fields), frozenset(features))


def list_types(kernel: Fact[Btf], modules: tuple[Btf, ...]) -> tuple[Fact[AbstractSet[str]], Fact[AbstractSet[str]]]:
    """Fields and features of the kernel and its modules."""
    if kernel.value is None:
        return Fact(unknown=kernel.unknown), Fact(unknown=kernel.unknown)
    try:
        types = read_types(kernel.value)
    except BtfError as error:
        unknown: Fact[AbstractSet[str]] = Fact(unknown=f"{kernel.origin}: {error.what}")
        return unknown, unknown
    fields = set(types.fields)
    for module in modules:
        with suppress(BtfError):
            fields |= read_types(module).fields
    return Fact(Names.of(fields), origin=BTF), Fact(Names.of(types.features), origin=kernel.origin)


def _list_members(btf: Btf, at: int) -> Iterator[str]:
    """The members of a structure or union, those of its anonymous members included: so a program names them.

    One that holds itself is gone through once. For each anonymous member, an empty text is among them.
    """
    todo = [(btf, at)]
    seen: set[tuple[int, int]] = set()
    while todo:
        owner, at = todo.pop()
        words = owner.words
        for member in range(at + 3, at + 3 + 3 * (words[at + 1] & 0xFFFF), 3):
            if words[member]:
                yield owner.name(words[member])
                continue
            yield ""
            inner = _find_structure(owner, words[member + 1])
            if inner is not None and (inner[0].first, inner[1]) not in seen:
                seen.add((inner[0].first, inner[1]))
                todo.append(inner)


def _find_structure(btf: Btf, number: int) -> tuple[Btf, int] | None:
    for _ in range(MOST_ALIASES):
        found = btf.find(number)
        if found is None:
            return None
        owner, at = found
        kind = owner.words[at + 1] >> 24 & 0x1F
        if kind in (STRUCT, UNION):
            return found
        if kind not in THROUGH:
            return None
        number = owner.words[at + 2]
    return None


def _count_arguments(btf: Btf, at: int) -> int:
    """How many arguments a raw tracepoint has, by its typedef; the function's first is not the event's."""
    for expected in (PTR, FUNC_PROTO):
        found = btf.find(btf.words[at + 2])
        if found is None or found[0].words[found[1] + 1] >> 24 & 0x1F != expected:
            return 0
        btf, at = found
    return max(0, (btf.words[at + 1] & 0xFFFF) - 1)


def _list_features(btf: Btf, at: int, name: str) -> Iterator[str]:
    prefix, shown = ENUMERATIONS[name]
    words = btf.words
    step = 3 if words[at + 1] >> 24 & 0x1F == ENUM64 else 2
    for member in range(at + 3, at + 3 + step * (words[at + 1] & 0xFFFF), step):
        entry = btf.name(words[member])
        if entry.startswith(prefix) and not entry.endswith("_UNSPEC"):
            yield shown + entry.removeprefix(prefix).lower()
