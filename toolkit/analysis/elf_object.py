"""The BPF objects inside an ELF file: libbpf's skeletons carry a whole object as a blob in read-only data."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from toolkit.analysis.btf import BtfError, has_relocations, required_fields

_BPF_OBJECT = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_EM_BPF = 247
_ET_REL = 1
_EXECUTABLE = 0x4  # SHF_EXECINSTR
_COMPRESSED = 0x800  # SHF_COMPRESSED
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOLS, _STRINGS = 2, 3  # SHT_SYMTAB, SHT_STRTAB
# The types of section that clang gives a BPF object: null, progbits, symtab, strtab, rela, nobits, rel, LLVM's own.
_KNOWN_TYPES = frozenset({0, 1, 2, 3, 4, 8, 9, *range(0x6FFF4C00, 0x6FFF4D00)})
_MAX_SECTIONS = 1024
_MAX_SYMBOLS = 20_000
_MAX_PROGRAMS = 500
_MAX_NAME = 512
_MAX_OBJECT = 16 << 20
_MAX_OBJECTS = 4


class ElfError(Exception):
    """A BPF object is damaged, or larger than any tool's is."""


@dataclass(frozen=True)
class Program:
    """One BPF program: the section that says where it is attached, and its function's name."""

    section: str
    function: str


@dataclass(frozen=True)
class BpfObject:
    """What analysis wants to know of one BPF object."""

    programs: tuple[Program, ...]
    relocated: bool  # it needs the kernel's BTF to be loaded
    fields: tuple[str, ...] = ()  # struct.field that it must find there


def embedded_objects(data: bytes) -> tuple[BpfObject, ...]:
    """Every BPF object in these bytes, at most a handful; raises ElfError for one that is damaged."""
    found: list[BpfObject] = []
    position = data.find(_BPF_OBJECT)
    while position >= 0 and len(found) < _MAX_OBJECTS:
        blob = _object_at(data, position)
        if blob:
            found.append(_read(blob))
        position = data.find(_BPF_OBJECT, position + max(len(blob), 4))
    return tuple(found)


def _object_at(data: bytes, position: int) -> bytes:
    """The bytes of the BPF object that begins here, empty when something else does."""
    if position + _HEADER.size > len(data):
        return b""
    header = _HEADER.unpack_from(data, position)
    file_type, machine, sections_at, section_count = header[1], header[2], header[6], header[12]
    if file_type != _ET_REL or machine != _EM_BPF:
        return b""
    end = sections_at + section_count * _SECTION.size
    if not section_count or section_count > _MAX_SECTIONS or position + end > len(data) or end > _MAX_OBJECT:
        raise ElfError("its section table does not lie within the file")
    return data[position : position + end]


def _check(blob: bytes) -> None:
    """Refuse what would make pyelftools read for minutes: names without an end, hash tables, compressed sections."""
    header = _HEADER.unpack_from(blob)
    start, count, names_in = header[6], header[12], header[13]
    sections = tuple(_SECTION.iter_unpack(blob[start : start + count * _SECTION.size]))
    sizes: dict[int, int] = {}
    for number, (_, kind, flags, _, offset, size, *_) in enumerate(sections):
        if kind not in _KNOWN_TYPES or flags & _COMPRESSED:
            raise ElfError("it has sections that no BPF object has")
        if kind == _STRINGS:
            strings = blob[offset : offset + size]
            if not strings.endswith(b"\0") or max(map(len, strings.split(b"\0"))) > _MAX_NAME:
                raise ElfError("its names do not end")
            sizes[number] = len(strings)
    if any(section[0] >= sizes.get(names_in, 0) for section in sections):
        raise ElfError("its sections have no names")
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind == _SYMBOLS:
            symbols = blob[offset : offset + min(size, _MAX_SYMBOLS * _SYMBOL.size)]
            whole = symbols[: len(symbols) // _SYMBOL.size * _SYMBOL.size]
            if size > len(symbols) or any(found[0] >= sizes.get(link, 0) for found in _SYMBOL.iter_unpack(whole)):
                raise ElfError("its symbols are too many or have no names")


def _read(blob: bytes) -> BpfObject:
    # pyelftools checks little: a hostile file makes it raise nearly anything.
    try:
        _check(blob)
        file = ELFFile(BytesIO(blob))
        sections = tuple(file.iter_sections())
        programs = tuple(islice(_programs(sections), _MAX_PROGRAMS + 1))
        if len(programs) > _MAX_PROGRAMS:
            raise ElfError("more programs than any tool has")
        types, extension = _data_of(sections, ".BTF"), _data_of(sections, ".BTF.ext")
        relocated = has_relocations(extension) or any(_typed(program.section) for program in programs)
        return BpfObject(programs, relocated, required_fields(types, extension) if types and extension else ())
    except (ELFError, BtfError, struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ElfError(str(error) or type(error).__name__) from error
    except (UnicodeError, OverflowError, OSError, AssertionError, EOFError) as error:
        raise ElfError(str(error) or type(error).__name__) from error


def _typed(section: str) -> bool:
    """Programs whose arguments are typed by the kernel's BTF."""
    return section.lstrip("?").startswith(("tp_btf", "fentry", "fexit", "fmod_ret", "iter", "lsm", "struct_ops"))


def _programs(sections: tuple[Section, ...]) -> Iterator[Program]:
    functions: dict[int, list[str]] = {}
    for table in sections:
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int):
                    functions.setdefault(symbol["st_shndx"], []).append(symbol.name)
    for number, section in enumerate(sections):
        executable = section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & _EXECUTABLE
        if executable and section["sh_size"] and section.name != ".text":
            yield from (Program(section.name, name) for name in functions.get(number, [""]))


def _data_of(sections: tuple[Section, ...], name: str) -> bytes:
    for section in sections:
        if section.name == name:
            data: bytes = section.data()
            return data
    return b""
