"""The functions that an ELF file defines, and its USDT probes: what an uprobe can attach to.

Read with a few struct calls: pyelftools takes three seconds for the 100,000 symbols of a database server. Format:
elf(5); probes are notes of type 3, owner stapsdt. Every number in a file may be a lie.
"""

from __future__ import annotations

import mmap
import struct
from functools import cache
from typing import NamedTuple

LARGEST = 2 << 30
MOST_SECTIONS = 10_000
MOST_TABLES = 4  # of symbols; a file has .symtab and .dynsym
LARGEST_NOTES = 4 << 20  # bytes of all notes together
LONGEST_NAME = 4096  # C++ names of a database server take 1,000
SYMTAB, NOTE, DYNSYM = 2, 7, 11
FUNCTIONS = frozenset((2, 10))  # STT_FUNC, STT_GNU_IFUNC
UNDEFINED = 0


class Layout(NamedTuple):
    """The header's part after e_ident, a section's header, a symbol as (name, info, section), and a note's numbers."""

    header: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    note: struct.Struct
    word: int  # bytes of an address


@cache
def find_layout(width: int, order: int) -> Layout:
    """By EI_CLASS and EI_DATA. Raises KeyError for what no ELF has."""
    sign = {1: "<", 2: ">"}[order]
    formats = {
        1: ("HHIIIIIHHHHHH", "IIIIIIIIII", "I8xBxH", 4),
        2: ("HHIQQQIHHHHHH", "IIQQQQIIQQ", "IBxH16x", 8),
    }
    header, section, symbol, word = formats[width]
    return Layout(
        header=struct.Struct(sign + header),
        section=struct.Struct(sign + section),
        symbol=struct.Struct(sign + symbol),
        note=struct.Struct(sign + "III"),
        word=word,
    )


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


def read_exports(data: bytes | mmap.mmap) -> Exports:
    """What a file defines; what is no ELF, or is damaged, defines nothing."""
    nothing = Exports(frozenset(), frozenset())
    if not 64 <= len(data) <= LARGEST or data[:4] != b"\x7fELF":
        return nothing
    try:
        return _read(data, find_layout(data[4], data[5]))
    except (struct.error, KeyError, IndexError, ValueError):
        return nothing


def _read(data: bytes | mmap.mmap, layout: Layout) -> Exports:
    sections = _list_sections(data, layout)
    functions: set[str] = set()
    for table in [one for one in sections if one.kind in (SYMTAB, DYNSYM)][:MOST_TABLES]:
        functions |= _list_functions(data, layout, table, sections[table.link])
    probes: set[str] = set()
    left = LARGEST_NOTES
    for notes in (one for one in sections if one.kind == NOTE):
        left -= notes.size
        if left < 0:
            break
        probes |= _list_probes(data[notes.offset : notes.offset + notes.size], layout)
    return Exports(frozenset(functions), frozenset(probes))


def _list_sections(data: bytes | mmap.mmap, layout: Layout) -> tuple[Section, ...]:
    header = layout.header.unpack_from(data, 16)
    start, entry, count = header[5], header[10], header[11]
    if entry != layout.section.size or count > MOST_SECTIONS or start + entry * count > len(data):
        return ()
    rows = layout.section.iter_unpack(data[start : start + entry * count])
    return tuple(Section(kind=row[1], offset=row[4], size=row[5], link=row[6]) for row in rows)


def _list_functions(data: bytes | mmap.mmap, layout: Layout, table: Section, strings: Section) -> set[str]:
    names = data[strings.offset : strings.offset + strings.size]
    whole = data[table.offset : table.offset + table.size]
    found: set[str] = set()
    for name, info, section in layout.symbol.iter_unpack(whole[: len(whole) - len(whole) % layout.symbol.size]):
        if section != UNDEFINED and info & 0xF in FUNCTIONS and name:
            found.add(names[name : names.index(b"\0", name, name + LONGEST_NAME)].decode(errors="replace"))
    return found


def _list_probes(notes: bytes, layout: Layout) -> set[str]:
    """provider:name of each note: three addresses, then the texts, each ended by a NUL."""
    found: set[str] = set()
    at = 0
    while at + 12 <= len(notes):
        owner, size, kind = layout.note.unpack_from(notes, at)
        start = at + 12 + (owner + 3 & ~3)
        if kind == 3 and notes[at + 12 : at + 20] == b"stapsdt\0":
            texts = notes[start + 3 * layout.word : start + size].split(b"\0", 2)
            if len(texts) >= 2:
                found.add(f"{texts[0].decode(errors='replace')}:{texts[1].decode(errors='replace')}")
        at = start + (size + 3 & ~3)
    return found
