"""What the BPF programs of a native tool must find in the kernel besides what they are attached to."""

from __future__ import annotations

from toolkit.analysis.elf_calls import Calls
from toolkit.analysis.elf_object import BpfObject
from toolkit.analysis.elf_programs import Strings, group_of, program_needs
from toolkit.analysis.needs import unique
from toolkit.model import Need, NeedKind


def needed_reads(found: BpfObject, strings: Strings, calls: Calls) -> tuple[Need, ...]:
    """The fields and helper functions of the programs that will be loaded.

    Of programs that a tool turns on or off, those for one event by several mechanisms are alternatives, and what all
    mechanisms read is needed; what is only taken where the kernel has it reads what the kernel has.
    """
    certain: list[Need] = []
    ways: dict[str, dict[NeedKind, list[Need]]] = {}
    sections = {program.section for program in found.programs}
    for program in found.programs:
        reads = found.reads.get(program.section, ())
        needs = program_needs(program, strings)
        if program.section.startswith("?"):
            continue
        if program.function in calls.switched:
            ways.setdefault(group_of(needs[0]), {}).setdefault(needs[0].kind, []).extend(reads)
        else:
            certain.extend(reads)
    if not calls.switched:  # else nobody knows whose the functions are that programs share
        certain.extend(need for section, reads in found.reads.items() if section not in sections for need in reads)
    common = (_common(list(by_kind.values())) for by_kind in ways.values() if len(by_kind) > 1)
    return unique((*certain, *(need for needs in common for need in needs)))


def _common(ways: list[list[Need]]) -> list[Need]:
    return [need for need in ways[0] if all(need in way for way in ways[1:])]
