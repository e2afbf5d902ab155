"""What BTF says of types: which there are, their members, and by its enumerations which helpers and maps exist.

One pass over the 126,000 types of a kernel takes 0.15 s, so its result is kept with the other facts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from toolkit.host.btf import EXTRA, LAST_KIND, BtfError, list_modules, read_string, split_sections
from toolkit.host.names import Names
from toolkit.host.places import BTF, KERNEL_BTF
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

PTR, STRUCT, UNION, ENUM, FWD, TYPEDEF, FUNC, FUNC_PROTO, ENUM64 = 2, 4, 5, 6, 7, 8, 12, 13, 19
NAMED = frozenset((ENUM, TYPEDEF, ENUM64))
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


class Section:
    """The types of one BTF by id, with the strings that they name; a module's go on where the kernel's end."""

    def __init__(self, data: bytes, base: Section | None = None) -> None:
        self.words, own = split_sections(data)
        self.strings: str = (base.strings if base else "") + own
        self.base = base
        self.first: int = base.end if base else 1
        self.offsets = array("I", _find_types(self.words))
        self.end: int = self.first + len(self.offsets)
        self._names: dict[int, str] = base._names if base else {}

    def name(self, offset: int) -> str:
        """The string at an offset."""
        found = self._names.get(offset)
        if found is None:
            found = read_string(self.strings, offset)
            if self.base is None:  # a module's own strings have the same offsets as another module's
                self._names[offset] = found
        return found

    def find(self, number: int) -> tuple[Section, int] | None:
        """The section that holds a type, and where in its words; None for no type and one that is not there."""
        if 0 < number < self.first:
            return self.base.find(number) if self.base else None
        position = number - self.first
        return (self, self.offsets[position]) if 0 <= position < len(self.offsets) else None


def read_types(data: bytes, base: Section | None = None) -> tuple[Types, Section]:
    """The types of a kernel's BTF, or those that a module adds. Raises BtfError."""
    section = Section(data, base)
    fields: set[str] = set()
    features: set[str] = set()
    words = section.words
    left = MOST_MEMBERS  # a million structures that share a large anonymous one would take for ever
    for at in section.offsets:
        kind = words[at + 1] >> 24 & 0x1F
        if not words[at] or (kind not in NAMED and kind not in (STRUCT, UNION)):
            continue
        name = section.name(words[at])
        fields.add(name)
        if kind in (STRUCT, UNION):
            members = tuple(_list_members(section, at))
            left -= len(members)
            if left < 0:
                raise BtfError(f"the BTF is damaged: {name[:40]!r} has more members than any kernel")
            fields.update(f"{name}.{member}" for member in members if member)
        elif name in ENUMERATIONS:
            features.update(_list_features(section, at, name))
        elif kind == TYPEDEF and name.startswith(RAW_TRACEPOINT):
            fields.update(f"{name}.arg{number}" for number in range(_count_arguments(section, at)))
    return Types(frozenset(fields), frozenset(features)), section


def read_kernel_types(tree: Tree) -> tuple[Fact[AbstractSet[str]], Fact[AbstractSet[str]]]:
    """Fields and features of the running kernel and the modules that are loaded now."""
    try:
        types, kernel = read_types(tree.read(KERNEL_BTF))
    except FileNotFoundError:
        unknown: Fact[AbstractSet[str]] = Fact(unknown=f"the kernel has no BTF: {KERNEL_BTF} does not exist")
        return unknown, unknown
    except OSError as error:
        unknown = Fact(unknown=explain(KERNEL_BTF, error))
        return unknown, unknown
    except BtfError as error:
        unknown = Fact(unknown=f"{KERNEL_BTF}: {error.what}")
        return unknown, unknown
    fields = set(types.fields)
    for module in list_modules(tree):
        try:
            fields |= read_types(tree.read(f"{BTF}/{module}"), kernel)[0].fields
        except (OSError, BtfError):  # unloaded meanwhile, or built for another kernel
            continue
    return Fact(Names.of(fields), origin=BTF), Fact(Names.of(types.features), origin=KERNEL_BTF)


def _find_types(words: array[int]) -> Iterator[int]:
    """Where each type begins, in order of their ids."""
    at, end = 0, len(words)
    while at + 3 <= end:
        info = words[at + 1]
        kind = info >> 24 & 0x1F
        if not 0 < kind <= LAST_KIND:
            raise BtfError(f"the BTF has a type of kind {kind}, which this reader does not know")
        yield at
        fixed, repeated = EXTRA[kind]
        at += 3 + (0 if kind == FUNC else fixed + repeated * (info & 0xFFFF))
    if at != end:
        raise BtfError("the BTF is damaged: its last type ends outside the type section")


def _list_members(section: Section, at: int) -> Iterator[str]:
    """The members of a structure or union, those of its anonymous members included: so a program names them.

    One that holds itself is gone through once. For each anonymous member, an empty text is among them.
    """
    todo = [(section, at)]
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


def _find_structure(section: Section, number: int) -> tuple[Section, int] | None:
    for _ in range(MOST_ALIASES):
        found = section.find(number)
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


def _count_arguments(section: Section, at: int) -> int:
    """How many arguments a raw tracepoint has, by its typedef; the function's first is not the event's."""
    for expected in (PTR, FUNC_PROTO):
        found = section.find(section.words[at + 2])
        if found is None or found[0].words[found[1] + 1] >> 24 & 0x1F != expected:
            return 0
        section, at = found
    return max(0, (section.words[at + 1] & 0xFFFF) - 1)


def _list_features(section: Section, at: int, name: str) -> Iterator[str]:
    prefix, shown = ENUMERATIONS[name]
    words = section.words
    step = 3 if words[at + 1] >> 24 & 0x1F == ENUM64 else 2
    for member in range(at + 3, at + 3 + step * (words[at + 1] & 0xFFFF), step):
        entry = section.name(words[member])
        if entry.startswith(prefix) and not entry.endswith("_UNSPEC"):
            yield shown + entry.removeprefix(prefix).lower()
