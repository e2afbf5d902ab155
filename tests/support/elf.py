"""BPF objects made by hand, and native tools that carry one: just enough ELF and BTF for a reader to believe them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
EM_BPF = 247
PROGBITS, SYMTAB, STRTAB = 1, 2, 3
READS_FIELD, ASKS_FIELD = 0, 2  # kinds of CO-RE relocation


@dataclass(frozen=True)
class Field:
    """A relocation: the program in `section` reads `struct.member`, or only asks whether it exists."""

    section: str
    struct: str
    member: str
    kind: int = READS_FIELD


class Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        place = len(self.data)
        self.data += text.encode() + b"\0"
        return place


def bpf_object(
    programs: Sequence[tuple[str, str]],
    fields: Iterable[Field] = (),
    calls: Mapping[str, int] = MappingProxyType({}),
    externs: Sequence[str] = (),
) -> bytes:
    """An object file of (section, function) programs, with BTF for the fields, calls of helpers, unknown symbols."""
    sections: list[tuple[str, int, int, bytes]] = [("", 0, 0, b"")]
    names = list(dict.fromkeys(section for section, _ in programs))
    # Two instructions: r0 = 0; exit.
    code = struct.pack("<QQ", 0xB7, 0x95)
    call = {name: struct.pack("<BBhi", 0x85, 0, 0, number) for name, number in calls.items()}
    sections.extend((name, PROGBITS, 0x6, call.get(name, b"") + code) for name in names)
    strings = Strings()
    symbols = SYMBOL.pack(0, 0, 0, 0, 0, 0)
    for section, function in programs:
        symbols += SYMBOL.pack(strings.add(function), 0x12, 0, 1 + names.index(section), 0, len(code))
    symbols += b"".join(SYMBOL.pack(strings.add(name), 0x10, 0, 0, 0, 0) for name in externs)
    sections.extend((name, PROGBITS, 0, data) for name, data in btf_sections(tuple(fields)))
    sections.append((".symtab", SYMTAB, 0, symbols))
    sections.append((".strtab", STRTAB, 0, strings.data))
    return assemble(sections)


def assemble(sections: list[tuple[str, int, int, bytes]]) -> bytes:
    """Lay the sections out after the header, their table last; the string table is the last section."""
    names = Strings()
    placed = [names.add(name) if name else 0 for name, _, _, _ in sections]
    sections = [*sections, (".shstrtab", STRTAB, 0, b"")]
    placed.append(names.add(".shstrtab"))
    sections[-1] = (".shstrtab", STRTAB, 0, names.data)
    body, headers = b"", b""
    for (_, kind, flags, data), name in zip(sections, placed, strict=True):
        link = len(sections) - 2 if kind == SYMTAB else 0
        entry = SYMBOL.size if kind == SYMTAB else 0
        headers += SECTION_HEADER.pack(name, kind, flags, 0, ELF_HEADER.size + len(body), len(data), link, 0, 8, entry)
        body += data + b"\0" * (-len(data) % 8)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    table = ELF_HEADER.size + len(body)
    header = ELF_HEADER.pack(ident, 1, EM_BPF, 1, 0, 0, table, 0, 64, 0, 0, 64, len(sections), len(sections) - 1)
    return header + body + headers


def btf_sections(fields: tuple[Field, ...]) -> tuple[tuple[str, bytes], ...]:
    """.BTF with one struct of one member for each field, and .BTF.ext with a relocation for each."""
    if not fields:
        return ()
    strings = Strings()
    types = struct.pack("<IIII", strings.add("int"), 1 << 24, 4, 32)  # type 1
    for field in fields:
        types += struct.pack("<III", strings.add(field.struct), 4 << 24 | 1, 4)
        types += struct.pack("<III", strings.add(field.member), 1, 0)
    first_member = strings.add("0:0")
    relocations = struct.pack("<I", 16)
    for number, field in enumerate(fields):
        relocations += struct.pack("<II", strings.add(field.section), 1)
        relocations += struct.pack("<IIII", 0, 2 + number, first_member, field.kind)
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings.data))
    extension = struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, 0, 0, 0, 0, len(relocations))
    return ((".BTF", header + types + strings.data), (".BTF.ext", extension + relocations))


def native_tool(blob: bytes, *texts: str) -> bytes:
    """A host binary, as far as a reader of its strings and of the object inside can tell."""
    host = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HH", 2, 62)
    rodata = b"".join(b"\0" + text.encode() for text in texts) + b"\0"
    return host.ljust(64, b"\0") + rodata.ljust(len(rodata) + (-len(rodata) % 8), b"\0") + blob + b"\0tail\0"


def library(
    functions: Iterable[str] = (),
    probes: Iterable[str] = (),
    imports: Iterable[str] = (),
    *,
    wide: bool = True,
    order: str = "<",
) -> bytes:
    """A shared library that defines functions and USDT probes (provider:name), and imports others; no code in it."""
    word = "Q" if wide else "I"
    names = Strings()
    symbols = _user_symbol(order, wide, 0, 0, 0)
    for name in functions:
        symbols += _user_symbol(order, wide, names.add(name), 0x12, 1)  # STB_GLOBAL, STT_FUNC, in section 1
    for name in imports:
        symbols += _user_symbol(order, wide, names.add(name), 0x12, 0)  # undefined
    symbols += _user_symbol(order, wide, names.add("some_data"), 0x11, 1)
    notes = b"".join(_usdt_note(order, word, *probe.split(":")) for probe in probes)
    sections = ((0, b"", 0), (STRTAB, names.data, 0), (11, symbols, 1), (7, notes, 0))
    header, entry = (64, 64) if wide else (52, 40)
    body, table = b"", b""
    for kind, data, link in sections:
        at = header + len(body)
        layout = f"{order}II{word * 4}II{word * 2}"
        table += struct.pack(layout, 0, kind, 0, 0, at, len(data), link, 0, 4, 0)
        body += data + b"\0" * (-len(data) % 8)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1))
    numbers = (3, 62, 1, 0, 0, header + len(body), 0, header, 0, 0, entry, len(sections), 0)
    return struct.pack(f"{order}16sHHI{word * 3}IHHHHHH", ident, *numbers) + body + table


def _user_symbol(order: str, wide: bool, name: int, info: int, section: int) -> bytes:
    if wide:
        return struct.pack(f"{order}IBBHQQ", name, info, 0, section, 0, 0)
    return struct.pack(f"{order}IIIBBH", name, 0, 0, info, 0, section)


def _usdt_note(order: str, word: str, provider: str, name: str) -> bytes:
    """What sys/sdt.h makes the assembler write: three addresses, provider, name, and where the arguments are."""
    text = struct.pack(order + word * 3, 1, 2, 3) + f"{provider}\0{name}\0-4@%edi\0".encode()
    return struct.pack(f"{order}III", 8, len(text), 3) + b"stapsdt\0" + text + b"\0" * (-len(text) % 4)


PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
LIBBPF = 0x300  # where the code of x86_tool calls bpf_program__set_autoload; its other function is 16 bytes further


def x86_tool(blob: bytes, *code: bytes, texts: Sequence[str] = ()) -> bytes:
    """A program for x86-64 with one segment: code, each piece as one of the functions below makes it, then texts."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    table = ELF_HEADER.size
    place = table + PROGRAM_HEADER.size
    rodata = b"".join(b"\0" + text.encode() for text in texts) + b"\0"
    body, texts_at = b"", place + 0x400
    for piece in code:
        body += _link(piece, place + len(body), texts_at, rodata)
    size = texts_at + len(rodata)
    header = ELF_HEADER.pack(ident, 3, 62, 1, place, table, 0, 0, 64, PROGRAM_HEADER.size, 1, 64, 0, 0)
    segment = PROGRAM_HEADER.pack(1, 5, 0, 0, 0, size, size, 0x1000)
    return (header + segment + body).ljust(texts_at, b"\x90") + rodata.ljust(-(-len(rodata) // 8) * 8, b"\0") + blob


def switch(place: int, *, on: bool = False, flag_first: bool = False) -> bytes:
    """bpf_program__set_autoload(skeleton->progs.x, on), of the program at this place of the skeleton."""
    load = b"\x48\x8b\x7b" + bytes([place]) if place < 128 else b"\x48\x8b\xbb" + struct.pack("<i", place)
    flag = b"\xbe\x01\0\0\0" if on else b"\x31\xf6"
    return (flag + load if flag_first else load + flag) + b"\xe8SWCH"


def direct(name: str) -> bytes:
    """bpf_program__set_attach_target(program, 0, name)."""
    return b"\x48\x8d\x15[" + name.encode() + b"]\x31\xf6\x48\x89\xdf\xe8DRCT"


def _link(piece: bytes, at: int, texts_at: int, rodata: bytes) -> bytes:
    """Put the distances in: of calls, and of the text that stands in brackets."""
    start = piece.find(b"[")
    if start >= 0:
        name = piece[start + 1 : piece.index(b"]")]
        where = texts_at + rodata.index(name + b"\0")
        piece = piece.replace(b"[" + name + b"]", struct.pack("<i", where - (at + start + 4)))
    for mark, target in ((b"SWCH", LIBBPF), (b"DRCT", LIBBPF + 16)):
        found = piece.find(mark)
        if found >= 0:
            piece = piece.replace(mark, struct.pack("<i", target - (at + found + 4)))
    return piece
