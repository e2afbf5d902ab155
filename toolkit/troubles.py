"""Known trouble: which of the curated entries concern a file, and whether one strikes on a host. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from toolkit.answers import answer_need
from toolkit.model import Facts, Found, Need, NeedKind, Trouble
from toolkit.versions import parse_version

RANGE = re.compile(r"(<=|>=|<|>|=)([0-9]+(?:\.[0-9]+)*)", re.ASCII)
# A commit such as 09f8a3a101fd begins with digits too, and is no version.
VERSION = re.compile(r"v?[0-9]+\.[0-9]+", re.ASCII)

# Families without which answer_need takes a need as met, because another need of the same variant then speaks. A
# condition stands alone: without them it is not known.
FAMILIES = {
    NeedKind.STRUCT_FIELD: "fields",
    NeedKind.TRACEPOINT_FIELD: "formats",
    NeedKind.HELPER: "features",
    NeedKind.MAP_TYPE: "features",
    NeedKind.PROGRAM_TYPE: "features",
}


def find_troubles(troubles: Iterable[Trouble], found: Found) -> tuple[Trouble, ...]:
    """The troubles that a file of this source and revision can have."""
    name = f"{found.upstream}/{found.stem}"
    return tuple(
        one
        for one in troubles
        if any(fnmatchcase(name, pattern) for pattern in one.variants) and _is_within(found.revision, one.revisions)
    )


def answer_trouble(trouble: Trouble, facts: Facts) -> bool | None:
    """Whether a trouble strikes on a host: all of its conditions hold; None when one of them is not known."""
    held = [_is_met(need, facts) for need in trouble.has]
    held += [None if (met := _is_met(need, facts)) is None else not met for need in trouble.lacks]
    if False in held:
        return False
    return None if None in held else True


def is_range(text: str) -> bool:
    """Whether a text says which versions: ">=0.26,<0.27"."""
    return all(RANGE.fullmatch(part) for part in text.split(","))


def _is_within(revision: str, versions: str) -> bool:
    """Whether a revision is in a range; a branch or commit is newer than every release."""
    if not versions:
        return True
    if not VERSION.match(revision):
        return False
    return all(_fits(parse_version(revision), *match.groups()) for match in RANGE.finditer(versions))


def _fits(have: tuple[int, ...], sign: str, text: str) -> bool:
    wanted = parse_version(text)
    have = have[: len(wanted)]
    below, same = have < wanted, have == wanted
    return {"<": below, "<=": below or same, "=": same, ">=": not below, ">": not below and not same}[sign]


def _is_met(need: Need, facts: Facts) -> bool | None:
    family = FAMILIES.get(need.kind)
    if family is not None and not getattr(facts, family).known:
        return None
    return answer_need(need, facts).met
