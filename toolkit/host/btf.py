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
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Btf:
    """What is asked of one BTF: its functions' type ids by name, and where a module's BTF goes on."""

    functions: dict[str, int]
    types: int  # how many ids are taken, the kernel's included
    strings: str  # the kernel's strings, then the module's own; latin-1, one character a byte


def read_btf(data: bytes, base: Btf | None = None) -> Btf:
    """Read the BTF of the kernel, or of a module on top of the kernel's. Raises BtfError."""
    words, own_strings = split_sections(data)
    strings = (base.strings if base else "") + own_strings
    offsets, count = _find_functions(words)
    first = 1 + (base.types if base else 0)
    functions: dict[str, int] = {}
    for position, offset in offsets:
        functions.setdefault(read_string(strings, offset), first + position)
    return Btf(functions, first - 1 + count, strings)


def read_kernel_btf(tree: Tree) -> Fact[Btf]:
    """The running kernel's BTF; `origin` is its path."""
    try:
        return Fact(read_btf(tree.read(KERNEL_BTF)), origin=KERNEL_BTF)
    except FileNotFoundError:
        return Fact(unknown=f"the kernel has no BTF: {KERNEL_BTF} does not exist")
    except OSError as error:
        return Fact(unknown=explain(KERNEL_BTF, error))
    except BtfError as error:
        return Fact(unknown=f"{KERNEL_BTF}: {error.what}")


def read_btf_functions(tree: Tree, kernel: Fact[Btf]) -> Fact[AbstractSet[str]]:
    """Names of the functions that BTF describes, in the kernel and in the modules that are loaded now."""
    if kernel.value is None:
        return Fact(unknown=kernel.unknown)
    names = set(kernel.value.functions)
    for module in list_modules(tree):
        try:
            names |= read_btf(tree.read(f"{BTF}/{module}"), kernel.value).functions.keys()
        except (OSError, BtfError):  # unloaded meanwhile, or built for another kernel
            continue
    return Fact(Names.of(names), origin=BTF)


def list_modules(tree: Tree) -> tuple[str, ...]:
    """The modules that have BTF of their own."""
    try:
        return tuple(name for name in tree.entries(BTF) if name != "vmlinux")
    except OSError:
        return ()


def read_string(strings: str, offset: int) -> str:
    """The string at an offset. Raises BtfError, also for one that is longer than any name of the kernel."""
    end = strings.find("\0", offset, offset + LONGEST_NAME)
    if end < 0:
        raise BtfError(f"the BTF names a string at {offset} that does not end in its {len(strings)} bytes of strings")
    return strings[offset:end]


def split_sections(data: bytes) -> tuple[array[int], str]:
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


def _find_functions(words: array[int]) -> tuple[list[tuple[int, int]], int]:
    """(position, name offset) of each FUNC, and how many types there are; positions count from 0."""
    found: list[tuple[int, int]] = []
    at = position = 0
    end = len(words)
    while at + 3 <= end:
        info = words[at + 1]
        kind = info >> 24 & 0x1F
        if kind == FUNC:
            found.append((position, words[at]))
            at += 3
        elif 0 < kind <= LAST_KIND:
            fixed, repeated = EXTRA[kind]
            at += 3 + fixed + repeated * (info & 0xFFFF)
        else:
            raise BtfError(f"type {position + 1} of the BTF has kind {kind}, which this reader does not know")
        position += 1
    if at != end:
        raise BtfError(f"the BTF is damaged: type {position} ends outside the type section")
    return found, position
