"""The functions that an ELF file defines, and its USDT probes: what an uprobe can attach to.

Read with a few struct calls: pyelftools takes three seconds for the 100,000 symbols of a database server. Format:
elf(5); probes are notes of type 3, owner stapsdt.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

LARGEST = 2 << 30
MOST_SECTIONS = 10_000
SYMTAB, NOTE, DYNSYM = 2, 7, 11
FUNCTIONS = frozenset((2, 10))  # STT_FUNC, STT_GNU_IFUNC
UNDEFINED = 0

# By EI_CLASS: the header's part after e_ident, a section's header, and a symbol as (name, info, section).
HEADERS = {1: struct.Struct("<HHIIIIIHHHHHH"), 2: struct.Struct("<HHIQQQIHHHHHH")}
SECTIONS = {1: struct.Struct("<IIIIIIIIII"), 2: struct.Struct("<IIQQQQIIQQ")}
SYMBOLS = {1: struct.Struct("<I8xBxH"), 2: struct.Struct("<IBxH16x")}


class Section(NamedTuple):
    """What is asked of a section's header."""

    kind: int
    offset: int
    size: int
    link: int


class Exports(NamedTuple):
    """Names of functions, and of USDT probes as provider:name."""

    functions: frozenset[str]
    probes: frozenset[str]


def read_exports(path: Path) -> Exports:
    """What a file defines. Raises OSError; what is no little-endian ELF, or is damaged, defines nothing."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not 64 <= size <= LARGEST:
            return Exports(frozenset(), frozenset())
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _read(data)
            except (struct.error, KeyError, IndexError, ValueError):
                return Exports(frozenset(), frozenset())


def _read(data: mmap.mmap) -> Exports:
    if data[:4] != b"\x7fELF" or data[5] != 1:
        return Exports(frozenset(), frozenset())
    width = data[4]
    sections = _list_sections(data, width)
    functions: set[str] = set()
    probes: set[str] = set()
    for section in sections:
        if section.kind in (SYMTAB, DYNSYM):
            functions |= _list_functions(data, width, section, sections[section.link])
        elif section.kind == NOTE:
            probes |= _list_probes(data[section.offset : section.offset + section.size])
    return Exports(frozenset(functions), frozenset(probes))


def _list_sections(data: mmap.mmap, width: int) -> tuple[Section, ...]:
    header = HEADERS[width].unpack_from(data, 16)
    start, entry, count = header[5], header[10], header[11]
    layout = SECTIONS[width]
    if entry != layout.size or count > MOST_SECTIONS or start + entry * count > len(data):
        return ()
    rows = layout.iter_unpack(data[start : start + entry * count])
    return tuple(Section(kind=row[1], offset=row[4], size=row[5], link=row[6]) for row in rows)


def _list_functions(data: mmap.mmap, width: int, table: Section, strings: Section) -> set[str]:
    layout = SYMBOLS[width]
    names = data[strings.offset : strings.offset + strings.size]
    whole = data[table.offset : table.offset + table.size - table.size % layout.size]
    found: set[str] = set()
    for name, info, section in layout.iter_unpack(whole):
        if section != UNDEFINED and info & 0xF in FUNCTIONS and name:
            found.add(names[name : names.index(b"\0", name)].decode(errors="replace"))
    return found


def _list_probes(notes: bytes) -> set[str]:
    """provider:name of each note: three addresses, then the texts, each ended by a NUL."""
    found: set[str] = set()
    at = 0
    while at + 12 <= len(notes):
        owner, size, kind = struct.unpack_from("<III", notes, at)
        start = at + 12 + (owner + 3 & ~3)
        if kind == 3 and notes[at + 12 : at + 19] == b"stapsdt":
            texts = notes[start + 24 : start + size].split(b"\0")
            if len(texts) >= 2:
                found.add(f"{texts[0].decode(errors='replace')}:{texts[1].decode(errors='replace')}")
        at = start + (size + 3 & ~3)
    return found
