"""What a native tool does with its BPF programs before it loads them, read from its machine code.

A skeleton of libbpf keeps each program at a fixed place of a structure. A tool turns one off by
bpf_program__set_autoload(skeleton->progs.x, false), and directs one by bpf_program__set_attach_target(…, 0, "function")
or bpf_program__attach_kprobe(…, false, "function"). The library is linked in and has no symbols, so its functions are
known by what they are called with. Only x86-64 is read: of another processor's tools, nothing is known to be turned
off.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from toolkit.analysis.elf_object import BpfObject

_X86_64 = 62
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOADED, _EXECUTABLE = 1, 1  # PT_LOAD, PF_X
_POINTERS = 2  # the skeleton's own and the object's stand before those of maps and programs
# mov disp(%reg),%rdi, with a displacement of one byte or of four; %r12 needs a byte more.
_PLACE = rb"[\x48\x49]\x8b(?:[\x78-\x7b\x7d-\x7f](.)|[\xb8-\xbb\xbd-\xbf](....)|\x7c\x24(.)|\xbc\x24(....))"
_FLAG = rb"(?:\x31\xf6|\xbe[\x00\x01]\x00\x00\x00)"  # xor %esi,%esi; mov $0,%esi; mov $1,%esi
_CALL = rb"\xe8(....)"
_NAME_IN = rb"\x48\x8d\x15(....)"  # lea name(%rip),%rdx
_SWITCH = re.compile(_PLACE + _FLAG + _CALL, re.DOTALL)
_SWITCH_TOO = re.compile(_FLAG + _PLACE + _CALL, re.DOTALL)
_SOON = re.compile(_PLACE + rb"[^\xe8]{0,8}?" + _CALL, re.DOTALL)
_DIRECT = re.compile(_NAME_IN + rb"(?:(?!\xe8).){0,24}?" + _CALL, re.DOTALL)
_IDENTIFIER = re.compile(rb"[a-z_][a-z0-9_]{2,80}(?=\0)")
_MAX_CODE = 64 << 10  # a tool's own code comes first, and libbpf's behind it


class Calls(NamedTuple):
    """Programs by their function's name, and names of kernel functions in the groups that they are given in."""

    switched: frozenset[str] = frozenset()  # turned on or off when the tool runs
    directed: tuple[tuple[str, ...], ...] = ()  # functions that are given to one and the same function of libbpf


NO_CALLS = Calls()


class _Segment(NamedTuple):
    start: int
    size: int
    code: bytes
    shift: int  # what an address is more than its place in the file


def read_calls(data: bytes, found: BpfObject) -> Calls:
    """What the code around a BPF object does with its programs; nothing where the code cannot be read."""
    segments = tuple(_segments(data))
    places = {8 * (_POINTERS + found.maps + number): one.function for number, one in enumerate(found.programs)}
    switched: set[str] = set()
    directed: dict[int, list[str]] = {}
    for segment in (one for one in segments if one.code):
        switched.update(places[place] for place in _switched(segment, frozenset(places)))
        for target, name in _directed(segment, data, segments):
            directed.setdefault(target, []).append(name)
    return Calls(frozenset(switched), tuple(tuple(dict.fromkeys(names)) for names in directed.values()))


def _segments(data: bytes) -> Iterator[_Segment]:
    """The loaded segments of an x86-64 program; only those that are executed come with their bytes."""
    if len(data) < _HEADER.size:
        return
    header = _HEADER.unpack_from(data)
    table, size, count = header[5], header[9], header[10]
    if header[2] != _X86_64 or size != _SEGMENT.size or count > 64 or table + size * count > len(data):
        return
    for number in range(count):
        kind, flags, offset, address, _, length, _, _ = _SEGMENT.unpack_from(data, table + size * number)
        if kind == _LOADED:
            code = data[offset : offset + min(length, _MAX_CODE)] if flags & _EXECUTABLE else b""
            yield _Segment(offset, length, code, address - offset)


def _switched(segment: _Segment, places: frozenset[int]) -> set[int]:
    """The places that are given to bpf_program__set_autoload: it is what is called most often with one and a flag."""
    calls = [
        (_target(match), _place(match))
        for pattern in (_SWITCH, _SWITCH_TOO)
        for match in pattern.finditer(segment.code)
    ]
    often = Counter(target for target, place in calls if place in places).most_common(1)
    if not often:
        return set()
    autoload = often[0][0]
    soon = ((_target(match), _place(match)) for match in _SOON.finditer(segment.code))
    return {place for target, place in (*calls, *soon) if target == autoload and place in places}


def _directed(segment: _Segment, data: bytes, segments: tuple[_Segment, ...]) -> Iterator[tuple[int, str]]:
    """Each function that is called soon after its third argument became an identifier, with that identifier."""
    for match in _DIRECT.finditer(segment.code):
        address = segment.start + segment.shift + match.end(1) + _signed(match[1])
        place = next((address - one.shift for one in segments if 0 <= address - one.shift - one.start < one.size), 0)
        name = _IDENTIFIER.match(data, place)
        if place > 0 and name:
            yield _target(match), name[0].decode()


def _target(match: re.Match[bytes]) -> int:
    """Where the call at the end of a match goes, as a place in the segment."""
    return match.end() + _signed(match[match.re.groups])


def _place(match: re.Match[bytes]) -> int:
    found = next(group for group in match.groups()[:-1] if group is not None)
    return _signed(found)


def _signed(number: bytes) -> int:
    return int.from_bytes(number, "little", signed=True)
