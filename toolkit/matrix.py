"""Which variants run on which kernels with which engines: the verdicts as a matrix. Pure.

A column is a host's facts, perhaps with other versions of its engines; a row is a subject (a tool, a variant or a
file), which runs where any of its variants does.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import msgspec

from toolkit.choose import is_for_newer, rank_judged
from toolkit.compat import answer_requirement, judge, list_requirements
from toolkit.model import LOOKED_KINDS, Engine, EngineFact, Facts, Judged, Requirement, Status, Value, Variant, Verdict


class FailOn(StrEnum):
    """The least trouble that fails a check; each includes those before it."""

    BLOCKED = "blocked"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


FAILING = {
    FailOn.BLOCKED: frozenset({Status.BLOCKED}),
    FailOn.PARTIAL: frozenset({Status.BLOCKED, Status.PARTIAL}),
    FailOn.UNKNOWN: frozenset({Status.BLOCKED, Status.PARTIAL, Status.UNKNOWN}),
}


class Column(Value, frozen=True):
    """A kernel with its engines; `engines` names the versions that were asked for in place of its own."""

    name: str
    facts: Facts
    engines: tuple[str, ...] = ()


class Subject(Value, frozen=True):
    """What a row asks of: a tool by name, with all variants it could be; a pinned variant; or a file."""

    name: str
    variants: tuple[Variant, ...]


class Cell(Value, frozen=True):
    """A verdict; when it is unknown only for want of what the facts do not tell, also the verdict with that there."""

    variant: Variant
    verdict: Verdict
    assuming: tuple[str, ...] = ()  # each a need, or several with "or" between
    assumed: Verdict | None = None

    @property
    def runs_if(self) -> bool:
        """Whether it runs provided that what the facts do not tell is there."""
        return self.assumed is not None and self.assumed.status is Status.RUNS


class Row(Value, frozen=True):
    """A subject, or one of its variants, with a cell for each column."""

    subject: Subject
    cells: tuple[Cell, ...]
    variant: Variant | None = None  # None: the best of the subject's in each column


def make_columns(given: tuple[tuple[str, Facts], ...], engines: tuple[tuple[Engine, str], ...]) -> tuple[Column, ...]:
    """Each kernel with each set of engine versions: of every engine named, one of the versions given."""
    versions: dict[Engine, list[str]] = {}
    for engine, version in engines:
        versions.setdefault(engine, []).append(version)
    sets = tuple(product(*([(engine, one) for one in found] for engine, found in versions.items())))
    return tuple(
        Column(
            name=name,
            facts=set_engines(facts, chosen),
            engines=tuple(f"{engine} {version}" for engine, version in chosen),
        )
        for name, facts in given
        for chosen in sets
    )


def set_engines(facts: Facts, versions: tuple[tuple[Engine, str], ...]) -> Facts:
    """The same host with these versions of engines, also of those that it lacks; of one named twice, the last."""
    asked = dict(versions)
    kept = tuple(one for one in facts.engines if one.name not in asked)
    argv = {one.name: one.argv for one in facts.engines}
    new = tuple(EngineFact(name=name, version=version, argv=argv.get(name, ())) for name, version in asked.items())
    missing = {name: why for name, why in facts.missing_engines.items() if name not in asked}
    return msgspec.structs.replace(facts, engines=(*kept, *new), missing_engines=missing)


def judge_rows(subjects: tuple[Subject, ...], columns: tuple[Column, ...], *, variants: bool) -> tuple[Row, ...]:
    """A row for each subject and, where asked for, one for each of its variants if it has several.

    What came with a newer release than any of these engines has no row: its verdict says nothing of the kernels.
    """
    rows: list[Row] = []
    for subject in subjects:
        cells = tuple(tuple(judge_cell(variant, column.facts) for column in columns) for variant in subject.variants)
        best = tuple(min(column, key=_rank) for column in zip(*cells, strict=True))
        rows.append(Row(subject=subject, cells=best))
        if variants and len(subject.variants) > 1:
            rows.extend(
                Row(subject=subject, variant=variant, cells=own)
                for variant, own in zip(subject.variants, cells, strict=True)
                if not all(map(_is_for_newer, own))
            )
    return tuple(rows)


def judge_cell(variant: Variant, facts: Facts) -> Cell:
    """Judge a variant, and again with what the facts do not tell taken as there, if that is what makes it unknown."""
    verdict = judge(variant, facts)
    if verdict.status is not Status.UNKNOWN or variant.analysis.problem:
        return Cell(variant=variant, verdict=verdict)
    open_ones = tuple(one for one in list_requirements(variant, facts) if _is_untold(one, facts))
    untold = {str(need): True for one in open_ones for need in one.any_of if need.kind in LOOKED_KINDS}
    there = msgspec.structs.replace(facts, looked={**untold, **facts.looked})
    assumed = judge(variant, there) if untold else verdict
    if assumed.status is Status.UNKNOWN:
        return Cell(variant=variant, verdict=verdict)
    assuming = tuple(dict.fromkeys(_name_ways(one, facts) for one in open_ones))
    return Cell(variant=variant, verdict=verdict, assuming=assuming, assumed=assumed)


def list_failures(rows: tuple[Row, ...], level: FailOn) -> tuple[Row, ...]:
    """The subjects that are not good enough on every kernel; their variants do not count by themselves."""
    return tuple(row for row in rows if row.variant is None and any(fails(cell, level) for cell in row.cells))


def fails(cell: Cell, level: FailOn) -> bool:
    """Whether a cell fails a check at a level; what would attach to nothing is as good as blocked."""
    return cell.verdict.blind or cell.verdict.status in FAILING[level]


def _is_untold(requirement: Requirement, facts: Facts) -> bool:
    """Whether a requirement is unknown because the facts hold nothing of what lies outside of the kernel."""
    looked = any(need.kind in LOOKED_KINDS and str(need) not in facts.looked for need in requirement.any_of)
    return looked and answer_requirement(requirement, facts).met is None


def _name_ways(requirement: Requirement, facts: Facts) -> str:
    ways = (need for need in requirement.any_of if need.kind in LOOKED_KINDS and str(need) not in facts.looked)
    return " or ".join(need.name.removeprefix(":") for need in ways)


def _rank(cell: Cell) -> tuple[object, ...]:
    """The best of several as choose has it, but what would run comes right after what runs."""
    status, *rest = rank_judged(Judged(variant=cell.variant, verdict=cell.verdict))
    return status, not cell.runs_if, *rest


def _is_for_newer(cell: Cell) -> bool:
    return is_for_newer(Judged(variant=cell.variant, verdict=cell.verdict))
