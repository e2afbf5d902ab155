"""A reader of BTF, the kernel's own description of its types and functions.

Format: Documentation/bpf/btf.rst and include/uapi/linux/btf.h. A type is three 32-bit words (name, info, size or
type), then words that its kind defines. Ids count from 1 in the order of the types; a module's BTF goes on with ids
and string offsets where the kernel's end ("split BTF", commit 951bb64621b8, v5.11).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Set as AbstractSet

from toolkit.errors import ToolkitError
from toolkit.host.names import Names
from toolkit.host.places import BTF, KERNEL_BTF
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

MAGIC = 0xEB9F
HEADER = struct.Struct("=HBBIIIII")  # magic, version, flags, its length, then where types and strings are

FUNC = 12
LONGEST_NAME = 1024  # KSYM_NAME_LEN is 512, and a damaged BTF may name the same megabyte a million times

# Words after the first three, by kind: always, and for each member (info's lower 16 bits count them).
FIXED = {1: 1, 3: 3, 14: 1, 17: 1}  # INT, ARRAY, VAR, DECL_TAG
REPEATED = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}  # STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64
LAST_KIND = 19
# FUNC keeps its linkage in those 16 bits, FWD and the like nothing: their rows stay 0.
EXTRA = tuple((FIXED.get(kind, 0), REPEATED.get(kind, 0)) for kind in range(LAST_KIND + 1))


class BtfError(ToolkitError):
    """These bytes are no BTF that this reader understands."""


class Btf:
    """The types of one BTF by id, with the strings that they name; a module's go on where the kernel's end.

    `functions` are their type ids by name, `end` is the id after the last one. Raises BtfError.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        self.words, own = _split_sections(data)
        # latin-1, one character a byte: an offset is an index
        self.strings: str = (base.strings if base else "") + own
        self.base = base
        self.first: int = base.end if base else 1
        self.offsets, functions = _find_types(self.words)
        self.end: int = self.first + len(self.offsets)
        self._names: dict[int, str] = base._names if base else {}
        self.functions: dict[str, int] = {}
        for position, offset in functions:
            self.functions.setdefault(self.name(offset), self.first + position)

    def name(self, offset: int) -> str:
        """The string at an offset."""
        found = self._names.get(offset)
        if found is None:
            found = _read_string(self.strings, offset)
            if self.base is None:  # a module's own strings have the same offsets as another module's
                self._names[offset] = found
        return found

    def find(self, number: int) -> tuple[Btf, int] | None:
        """The BTF that holds a type, and where in its words; None for no type and one that is not there."""
        if 0 < number < self.first:
            return self.base.find(number) if self.base else None
        position = number - self.first
        return (self, self.offsets[position]) if 0 <= position < len(self.offsets) else None


def read_kernel_btf(tree: Tree) -> Fact[Btf]:
    """The running kernel's BTF; `origin` is its path."""
    try:
        return Fact(Btf(tree.read(KERNEL_BTF)), origin=KERNEL_BTF)
    except FileNotFoundError:
        return Fact(unknown=f"the kernel has no BTF: {KERNEL_BTF} does not exist")
    except OSError as error:
        return Fact(unknown=explain(KERNEL_BTF, error))
    except BtfError as error:
        return Fact(unknown=f"{KERNEL_BTF}: {error.what}")


def read_module_btfs(tree: Tree, kernel: Fact[Btf]) -> tuple[Btf, ...]:
    """The BTF of each module that is loaded now; without that of the kernel, it cannot be read."""
    found: list[Btf] = []
    for module in _list_modules(tree) if kernel.value else ():
        try:
            found.append(Btf(tree.read(f"{BTF}/{module}"), kernel.value))
        except (OSError, BtfError):  # unloaded meanwhile, or built for another kernel
            continue
    return tuple(found)


def list_functions(kernel: Fact[Btf], modules: tuple[Btf, ...]) -> Fact[AbstractSet[str]]:
    """Names of the functions that BTF describes, in the kernel and in its modules."""
    if kernel.value is None:
        return Fact(unknown=kernel.unknown)
    return Fact(Names.of(name for one in (kernel.value, *modules) for name in one.functions), origin=BTF)


def _list_modules(tree: Tree) -> tuple[str, ...]:
    """The modules that have BTF of their own."""
    try:
        return tuple(name for name in tree.entries(BTF) if name != "vmlinux")
    except OSError:
        return ()


def _read_string(strings: str, offset: int) -> str:
    """The string at an offset. Raises BtfError, also for one that is longer than any name of the kernel."""
    end = strings.find("\0", offset, offset + LONGEST_NAME)
    if end < 0:
        raise BtfError(f"the BTF names a string at {offset} that does not end in its {len(strings)} bytes of strings")
    return strings[offset:end]


def _split_sections(data: bytes) -> tuple[array[int], str]:
    """The type section as words in this machine's order, and the string section."""
    if len(data) < HEADER.size:
        raise BtfError(f"the BTF is cut off: {len(data)} bytes are less than a header")
    magic, version, _, header_length, type_at, type_length, string_at, string_length = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BtfError(f"this is no BTF of this machine's byte order: it begins with {data[:2].hex()}")
    if version != 1:
        raise BtfError(f"the BTF has version {version}; this reader knows version 1")
    types = data[header_length + type_at :][:type_length]
    strings = data[header_length + string_at :][:string_length]
    if header_length < HEADER.size or len(types) < type_length or len(strings) < string_length:
        raise BtfError(f"the BTF is cut off: {len(data)} bytes are less than its header promises")
    if type_length % 4 or not strings.endswith(b"\0"):
        raise BtfError("the BTF is damaged: its sections do not end where a type or a string does")
    words = array("I")
    if words.itemsize != 4:
        raise BtfError(f"this Python's unsigned int has {words.itemsize} bytes on {sys.platform}, not 4")
    words.frombytes(types)
    return words, strings.decode("latin-1")


def _find_types(words: array[int]) -> tuple[array[int], list[tuple[int, int]]]:
    """Where each type begins, in order of their ids; and (position, name offset) of each FUNC, counted from 0."""
    offsets = array("I")
    functions: list[tuple[int, int]] = []
    at, end = 0, len(words)
    while at + 3 <= end:
        info = words[at + 1]
        kind = info >> 24 & 0x1F
        offsets.append(at)
        if kind == FUNC:
            functions.append((len(offsets) - 1, words[at]))
            at += 3
        elif 0 < kind <= LAST_KIND:
            fixed, repeated = EXTRA[kind]
            at += 3 + fixed + repeated * (info & 0xFFFF)
        else:
            raise BtfError(f"type {len(offsets)} of the BTF has kind {kind}, which this reader does not know")
    if at != end:
        raise BtfError(f"the BTF is damaged: type {len(offsets)} ends outside the type section")
    return offsets, functions
