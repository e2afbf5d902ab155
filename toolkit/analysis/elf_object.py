"""The BPF objects inside an ELF file: libbpf's skeletons carry a whole object as a blob in read-only data."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from toolkit.analysis.btf import BtfError, Relocations, has_relocations, read_relocations
from toolkit.kernels import HELPERS
from toolkit.model import Need, NeedKind

_BPF_OBJECT = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_EM_BPF = 247
_ET_REL = 1
_EXECUTABLE = 0x4  # SHF_EXECINSTR
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_INSTRUCTION = struct.Struct("<BBhi")
_CALL = 0x85  # of a helper when its source register is 0, else of a function of the program or the kernel
_PROGRAM_BITS, _SYMBOLS = 1, 2  # SHT_PROGBITS, SHT_SYMTAB
_OBJECT, _FUNCTION = 1, 2  # STT_OBJECT, STT_FUNC
_UNDEFINED = 0  # SHN_UNDEF
_GLOBAL = 1  # STB_GLOBAL
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
class Section:
    """An entry of the section table, in its order of fields, and the section's name."""

    name_at: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int
    name: str = ""

    def data(self, blob: bytes) -> bytes:
        """Its bytes, as far as the object holds them."""
        return blob[self.offset : self.offset + self.size]


@dataclass(frozen=True)
class BpfObject:
    """What analysis wants to know of one BPF object."""

    programs: tuple[Program, ...]
    relocated: bool  # it needs the kernel's BTF to be loaded
    reads: dict[str, tuple[Need, ...]] = field(default_factory=dict)  # by section: fields and helper functions
    maps: int = 0  # how many maps a skeleton of it has
    options: tuple[str, ...] = ()  # of the kernel's configuration, without which libbpf does not load it


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


def _read(blob: bytes) -> BpfObject:
    try:
        sections = _read_sections(blob)
        programs = tuple(islice(_programs(blob, sections), _MAX_PROGRAMS + 1))
        if len(programs) > _MAX_PROGRAMS:
            raise ElfError("more programs than any tool has")
        types, extension = _data_of(blob, sections, ".BTF"), _data_of(blob, sections, ".BTF.ext")
        relocated = has_relocations(extension) or any(_typed(program.section) for program in programs)
        found = read_relocations(types, extension) if types and extension else Relocations({}, frozenset())
        asks = _asks_configuration(blob, sections)
        reads = {} if asks else _list_reads(blob, sections, found)
        maps = _count_maps(blob, sections) + asks
        return BpfObject(programs, relocated, reads, maps, tuple(_needed_options(blob, sections)))
    except (BtfError, struct.error, ValueError, IndexError) as error:
        raise ElfError(str(error) or type(error).__name__) from error


def _read_sections(blob: bytes) -> tuple[Section, ...]:
    header = _HEADER.unpack_from(blob)
    start, count, names_in = header[6], header[12], header[13]
    found = tuple(Section(*fields) for fields in _SECTION.iter_unpack(blob[start : start + count * _SECTION.size]))
    names = found[names_in]
    return tuple(replace(section, name=_read_name(blob, names, section.name_at)) for section in found)


def _read_name(blob: bytes, names: Section, place: int) -> str:
    start = names.offset + place
    end = blob.find(b"\0", start, min(start + _MAX_NAME, names.offset + names.size))
    if end < 0:
        raise ElfError("its names do not end")
    return blob[start:end].decode(errors="replace")


def _typed(section: str) -> bool:
    """Programs whose arguments are typed by the kernel's BTF."""
    return section.lstrip("?").startswith(("tp_btf", "fentry", "fexit", "fmod_ret", "iter", "lsm", "struct_ops"))


def _programs(blob: bytes, sections: tuple[Section, ...]) -> Iterator[Program]:
    functions = _find_functions(blob, sections)
    for number, section in enumerate(sections):
        executable = section.kind == _PROGRAM_BITS and section.flags & _EXECUTABLE
        if executable and section.size and section.name != ".text":
            yield from (Program(section.name, name) for name in functions.get(number, [""]))


class Symbol(NamedTuple):
    """An entry of the symbol table: its name, what it is (STT_…), its section's number, and how it binds (STB_…)."""

    name: str
    kind: int
    section: int
    binding: int


def _read_symbols(blob: bytes, sections: tuple[Section, ...]) -> Iterator[Symbol]:
    table = next((section for section in sections if section.kind == _SYMBOLS), None)
    if table is None:
        return
    if table.size > _MAX_SYMBOLS * _SYMBOL.size:
        raise ElfError("it has more symbols than any tool has")
    names = sections[table.link]
    for name, info, _, number, *_ in _SYMBOL.iter_unpack(table.data(blob)):
        yield Symbol(_read_name(blob, names, name), info & 0xF, number, info >> 4)


def _find_functions(blob: bytes, sections: tuple[Section, ...]) -> dict[int, list[str]]:
    """The names of the functions of each section, by the section's number."""
    functions: dict[int, list[str]] = {}
    for symbol in _read_symbols(blob, sections):
        if symbol.kind == _FUNCTION:
            functions.setdefault(symbol.section, []).append(symbol.name)
    return functions


def _list_reads(blob: bytes, sections: tuple[Section, ...], found: Relocations) -> dict[str, tuple[Need, ...]]:
    """What the programs of each section must find in the kernel: none of it is left to a question of the section."""
    needs = {
        section: [Need(kind=NeedKind.STRUCT_FIELD, name=name) for name in names]
        for section, names in found.fields.items()
    }
    for section in sections:
        code = section.kind == _PROGRAM_BITS and section.flags & _EXECUTABLE
        if code and section.name not in found.asking:
            helpers = dict.fromkeys(_list_helpers(section.data(blob)))
            needs.setdefault(section.name, []).extend(Need(kind=NeedKind.HELPER, name=name) for name in helpers)
    return {section: tuple(listed) for section, listed in needs.items()}


def _list_helpers(code: bytes) -> Iterator[str]:
    """The helper functions that instructions call, as far as not every kernel has them."""
    whole = code[: len(code) // _INSTRUCTION.size * _INSTRUCTION.size]
    for operation, registers, _, number in _INSTRUCTION.iter_unpack(whole):
        if operation == _CALL and not registers >> 4 and number in HELPERS:
            yield HELPERS[number]


def _count_maps(blob: bytes, sections: tuple[Section, ...]) -> int:
    """Those that it declares, and those that libbpf makes of its data."""
    numbers = [number for number, section in enumerate(sections) if section.name == ".maps"]
    data = [one for one in sections if one.name.startswith((".data", ".rodata", ".bss")) and one.size]
    symbols = _read_symbols(blob, sections)
    return sum(one.section in numbers and one.kind == _OBJECT for one in symbols) + len(data)


def _asks_configuration(blob: bytes, sections: tuple[Section, ...]) -> bool:
    """Whether programs ask for the kernel's version or configuration, in one more map: they may have another way."""
    asked = (one for one in _read_symbols(blob, sections) if one.section == _UNDEFINED)
    return any(one.name.startswith(("CONFIG_", "LINUX_")) for one in asked)


def _needed_options(blob: bytes, sections: tuple[Section, ...]) -> Iterator[str]:
    """`extern bool CONFIG_X __kconfig`: one that is not set fails the load, but for a weak one, which is 0."""
    for symbol in _read_symbols(blob, sections):
        if symbol.section == _UNDEFINED and symbol.binding == _GLOBAL and symbol.name.startswith("CONFIG_"):
            yield symbol.name


def _data_of(blob: bytes, sections: tuple[Section, ...], name: str) -> bytes:
    return next((section.data(blob) for section in sections if section.name == name), b"")
