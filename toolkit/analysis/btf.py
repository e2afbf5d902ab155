"""The type information inside a BPF object: which kernel fields its CO-RE relocations must find.

The formats are those of Documentation/bpf/btf.rst and of `struct bpf_core_relo` in include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_WORDS = struct.Struct("<III")
_RELOCATION = struct.Struct("<IIII")
_STRUCTS = (4, 5)  # BTF_KIND_STRUCT, BTF_KIND_UNION
_ARRAY = 3
_THROUGH = frozenset({8, 9, 10, 11, 18})  # typedef, volatile, const, restrict, type tag: look behind them
# How many bytes follow a type of each kind: for itself, and for each of its `vlen` parts.
_TAIL = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12)} | {
    17: (4, 0),
    19: (0, 12),
}
# Kinds of relocation (enum bpf_core_relo_kind): some need the field or type, some only ask whether it is there.
_NEEDS_FIELD = frozenset({0, 1, 3, 4, 5})
_ASKS = frozenset({2, 8, 10, 12})
_REGISTERS = ("pt_regs.", "user_pt_regs.")  # every kernel has them, named differently on each architecture
_FLAVOUR = "___"
_MAX_TYPES = 100_000
_MAX_RELOCATIONS = 10_000
_MAX_NAME = 256
_MAX_DEPTH = 32


class BtfError(Exception):
    """The bytes are not type information that we can read."""


@dataclass(frozen=True)
class _Type:
    kind: int
    name: int
    size_or_type: int
    parts: int  # where in the type section its members begin
    count: int


class Btf:
    """The types and strings of a .BTF section."""

    def __init__(self, data: bytes) -> None:
        try:
            magic, _, _, length, types, types_length, strings, strings_length = _HEADER.unpack_from(data)
        except struct.error as error:
            raise BtfError("a .BTF section is too short") from error
        if magic != _MAGIC:
            raise BtfError("a .BTF section does not begin with its magic number")
        self._section = data[length + types : length + types + types_length]
        self._strings = data[length + strings : length + strings + strings_length]
        self._types = self._read_types()

    def _read_types(self) -> list[_Type]:
        found = [_Type(0, 0, 0, 0, 0)]
        position = 0
        while position + _TYPE.size <= len(self._section) and len(found) < _MAX_TYPES:
            name, info, size = _TYPE.unpack_from(self._section, position)
            kind, count = (info >> 24) & 0x1F, info & 0xFFFF
            position += _TYPE.size
            found.append(_Type(kind, name, size, position, count))
            own, each = _TAIL.get(kind, (0, 0))
            position += own + each * count
        return found

    def string(self, offset: int) -> str:
        """The string at this offset; empty when there is none."""
        end = self._strings.find(b"\0", offset, offset + _MAX_NAME)
        return self._strings[offset : max(end, offset)].decode(errors="replace")

    def type_name(self, type_id: int) -> str:
        """The name of a type, behind typedefs; empty for one without."""
        return self.string(self._behind(type_id).name)

    def fields(self, type_id: int, access: str) -> tuple[str, ...]:
        """The struct.field of every hop of an access such as "0:5:3", which begins at this type."""
        found: list[str] = []
        owner = ""
        at = self._behind(type_id)
        for word in access.split(":")[1 : _MAX_DEPTH + 1]:
            step = int(word) if word.isdecimal() else -1
            if at.kind == _ARRAY:
                at = self._behind(self._array_element(at))
                continue
            if at.kind not in _STRUCTS or not 0 <= step < at.count:
                return ()
            owner = self.string(at.name) or owner
            member, member_type = self._member(at, step)
            if member and owner:
                found.append(f"{owner}.{member}")
            # Members of an anonymous struct without a name belong to the struct around it, of one with a name to no
            # struct that could be looked up.
            owner = "" if member else owner
            at = self._behind(member_type)
        return tuple(found)

    def _behind(self, type_id: int) -> _Type:
        for _ in range(_MAX_DEPTH):
            if not 0 <= type_id < len(self._types):
                return self._types[0]
            found = self._types[type_id]
            if found.kind not in _THROUGH:
                return found
            type_id = found.size_or_type
        return self._types[0]

    def _array_element(self, array: _Type) -> int:
        return self._three(array.parts)[0]

    def _member(self, owner: _Type, index: int) -> tuple[str, int]:
        name, member_type, _ = self._three(owner.parts + 12 * index)
        return self.string(name), member_type

    def _three(self, position: int) -> tuple[int, int, int]:
        if position + _WORDS.size > len(self._section):
            return 0, 0, 0
        first, second, third = _WORDS.unpack_from(self._section, position)
        return int(first), int(second), int(third)


def has_relocations(extension: bytes) -> bool:
    """Whether a .BTF.ext section holds CO-RE relocations, so that loading needs the kernel's BTF."""
    return _relocation_bounds(extension)[1] > 0


class Relocations(NamedTuple):
    """What the programs of each section ask the kernel's types for."""

    fields: dict[str, tuple[str, ...]]  # struct.field without which they cannot be loaded
    asking: frozenset[str]  # sections that also ask whether something exists: they may have another way


def read_relocations(types: bytes, extension: bytes) -> Relocations:
    """The CO-RE relocations of an object. Raises BtfError.

    Fields of a type of which a section asks whether something exists are left out: it has another way. So are types
    with a flavour (`request___x`), which are descriptions of other kernels' types.
    """
    btf = Btf(types)
    wanted: dict[str, list[str]] = {}
    asked: dict[str, set[str]] = {}
    for section, type_id, access, kind in _relocations(btf, extension):
        if kind in _ASKS:
            owners = (btf.type_name(type_id), *(field.partition(".")[0] for field in btf.fields(type_id, access)))
            asked.setdefault(section, set()).update(owner.partition(_FLAVOUR)[0] for owner in owners)
        elif kind in _NEEDS_FIELD:
            wanted.setdefault(section, []).extend(btf.fields(type_id, access))
    fields = {
        section: tuple(
            name
            for name in dict.fromkeys(names)
            if _FLAVOUR not in name
            and not name.startswith(_REGISTERS)
            and name.partition(".")[0] not in asked.get(section, ())
        )
        for section, names in wanted.items()
    }
    return Relocations(fields, frozenset(asked))


def _relocation_bounds(extension: bytes) -> tuple[int, int]:
    """Where the CO-RE relocations begin and how long they are; headers without them are shorter."""
    if len(extension) < 32:
        return 0, 0
    magic, _, _, length = struct.unpack_from("<HBBI", extension)
    if magic != _MAGIC or length < 32:
        return 0, 0
    offset, size = struct.unpack_from("<II", extension, 24)
    return length + offset, size


def _relocations(btf: Btf, extension: bytes) -> Iterator[tuple[str, int, str, int]]:
    """Each (section, type, access, kind)."""
    start, size = _relocation_bounds(extension)
    data = extension[start : start + size]
    if len(data) < 4:
        return
    record = int.from_bytes(data[:4], "little")
    position, budget = 4, _MAX_RELOCATIONS
    while record >= _RELOCATION.size and position + 8 <= len(data):
        name, count = struct.unpack_from("<II", data, position)
        position += 8
        for _ in range(count):
            budget -= 1
            if position + record > len(data) or budget < 0:
                return
            _, type_id, access, kind = _RELOCATION.unpack_from(data, position)
            yield btf.string(name), type_id, btf.string(access), kind
            position += record
