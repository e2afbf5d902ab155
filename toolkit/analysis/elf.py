"""What a native tool needs and takes, read from the BPF objects that are embedded in its ELF file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.analysis.elf_calls import read_calls
from toolkit.analysis.elf_object import BpfObject, ElfError, embedded_objects
from toolkit.analysis.elf_programs import program_requirements
from toolkit.analysis.elf_reads import needed_reads
from toolkit.analysis.header import summary_of
from toolkit.analysis.needs import attach_points, distinct, one
from toolkit.analysis.usage import read_usage, signature
from toolkit.model import Analysis, Arguments, NeedKind, Requirement, Signature

_ELF = b"\x7fELF"
_USAGES = (b"USAGE: ", b"Usage: ", b"usage: ")
_USAGE = re.compile(rb"(?<![\w-])usage: +[ -~]{1,512}(?:\n[ \t]+[\[\]\-|{][ -~]{0,512}){0,8}", re.IGNORECASE)
_EXAMPLES = re.compile(rb"\nEXAMPLES?:\n((?:[ \t]+[ -~]{1,200}\n?){1,40})")
_DEVICES = b"\0/sys/devices/"
_DEVICE_FILE = re.compile(rb"\0(/sys/devices/(?:[\w./:+-]|%d){1,200})(?=\0)")
_READ_BY_LIBBPF = frozenset({"/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/online"})
_MAX_TEXT = 4 << 20
_MAX_SUMMARY = 400


def analyze(data: bytes, name: str = "") -> Analysis:
    """Read a native tool; one without a BPF object, or one that is damaged, is a problem and not an exception."""
    if not data.startswith(_ELF):
        return Analysis(problem="not an ELF file")
    try:
        objects = embedded_objects(data)
    except ElfError as error:
        return Analysis(problem=f"its BPF object cannot be read: {error}")
    if not objects:
        return Analysis(problem="holds no BPF object that we can see")
    programs = tuple(program for found in objects for program in found.programs)
    if not programs:
        return Analysis(problem="its BPF object holds no programs")
    strings = _Strings(data)
    calls = read_calls(data, objects[0])
    attached = program_requirements(programs, strings, name, calls)
    reads = (need for found in objects for need in needed_reads(found, strings, calls))
    options = (one(NeedKind.CONFIG, name) for found in objects for name in found.options)
    requirements = (
        *_types(objects),
        *options,
        *(Requirement(any_of=(need,)) for need in reads),
        *attached,
        *_files(data),
    )
    return Analysis(
        probes=attach_points(need for requirement in attached for need in requirement.any_of),
        requirements=distinct(requirements),
        signature=_signature(data, only_usdt=all(program.section.startswith("usdt") for program in programs)),
        summary=_summary(data),
    )


class _Strings:
    """Asks whether a name stands in a binary as a C string of its own."""

    def __init__(self, data: bytes) -> None:
        self._data = data[:_MAX_TEXT]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and b"\0" + name.encode(errors="replace") + b"\0" in self._data

    def beginning(self, prefix: str) -> tuple[str, ...]:
        """The identifiers that begin like this and stand alone, in order."""
        pattern = re.compile(rb"\0(" + re.escape(prefix.encode()) + rb"[a-z0-9_]{2,60})(?=\0)")
        return tuple(dict.fromkeys(match.group(1).decode() for match in pattern.finditer(self._data)))


def _types(objects: tuple[BpfObject, ...]) -> tuple[Requirement, ...]:
    """BTF, where the object is relocated against the kernel's types."""
    return (one(NeedKind.BTF),) if any(found.relocated for found in objects) else ()


def _files(data: bytes) -> Iterator[Requirement]:
    """The files of devices that it reads, those of the first where it puts a number in; not those that libbpf reads."""
    for match in _matches(data, _DEVICE_FILE, (_DEVICES,)):
        path = match.group(1).decode().replace("%d", "0")
        if path not in _READ_BY_LIBBPF:
            yield one(NeedKind.FILE, path)


def _matches(data: bytes, pattern: re.Pattern[bytes], beginnings: tuple[bytes, ...]) -> Iterator[re.Match[bytes]]:
    """The matches that begin so, in a large file: finding a text is a hundred times faster than trying a pattern."""
    for beginning in beginnings:
        place = data.find(beginning, 0, _MAX_TEXT)
        while place >= 0:
            match = pattern.match(data, place, _MAX_TEXT)
            if match:
                yield match
            place = data.find(beginning, match.end() if match else place + 1, _MAX_TEXT)


def _signature(data: bytes, *, only_usdt: bool) -> Signature:
    """From the usage line in the binary, or its examples; a tool of USDT probes must be told the process."""
    text = data[:_MAX_TEXT]
    usage = max((match.group() for match in _matches(text, _USAGE, _USAGES)), key=_worth, default=b"")
    if usage:
        found = read_usage(usage.partition(b":")[2].decode(errors="replace"))
    else:
        examples = _EXAMPLES.search(text)
        found = _from_examples(examples.group(1).decode(errors="replace")) if examples else Signature()
    if not only_usdt or found.required:
        return found
    return Signature(style=found.style, options=found.options, required=True, usage=found.usage)


def _worth(usage: bytes) -> int:
    return usage.count(b"[") * 1000 + len(usage)


def _from_examples(text: str) -> Signature:
    """`tcptop -p 181   # only PID 181` shows an option, `tcptop 5 10` an interval and a count."""
    options: list[str] = []
    numbers = False
    for line in text.splitlines():
        words = line.split("#")[0].split()
        options.extend(word for word in words[1:] if re.fullmatch(r"--?[A-Za-z][\w-]*", word))
        numbers = numbers or any(word.isdigit() for word in words[1:2])
    named = (("interval", False), ("count", False)) if numbers else ()
    found = signature(tuple(dict.fromkeys(options)), named)
    return found if options or numbers else Signature(style=Arguments.UNKNOWN)


def _summary(data: bytes) -> str:
    """The first paragraph of the program's documentation, which stands before its usage (argp's doc string)."""
    for anchor in (b"\nUSAGE: ", b"\nUsage: ", b"\nEXAMPLES:"):
        end = data.find(anchor, 0, _MAX_TEXT)
        start = data.rfind(b"\0", max(0, end - _MAX_SUMMARY), max(end, 0)) + 1
        text = data[start:end].decode(errors="replace").strip() if start > 0 else ""
        if text and text.replace("\n", " ").isprintable():
            return summary_of(text.split("\n\n")[0])
    return ""
