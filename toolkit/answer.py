"""What an answer to a need is, and how a name is looked up in a set of facts. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Set

from toolkit.model import Fact, Value

WILDCARD = re.compile(r"[*?[]")


class Answer(Value, frozen=True, kw_only=False):
    """Whether one need is met: True, False or None for unknown; `cause` says why it is not met, `fix` what helps."""

    met: bool | None
    cause: str = ""
    fix: str = ""


MET = Answer(True)


def in_set(name: str, known: Fact[Set[str]], missing: str) -> Answer:
    """Whether a name, or anything a wildcard matches, is in a set of facts."""
    if known.value is None:
        return Answer(None, known.unknown)
    if name in known.value:
        return MET
    if WILDCARD.search(name) and match_any(name, known.value):
        return MET
    return Answer(False, missing)


# What was matched last: many variants ask for the same pattern, and a host has 60,000 functions.
_matched: dict[str, tuple[Set[str], bool]] = {}


def match_any(pattern: str, names: Set[str]) -> bool:
    """Whether a pattern fits any name; most names are ruled out by how they begin, which is the quickest look."""
    known = _matched.get(pattern)
    if known is None or known[0] is not names:
        beginning = WILDCARD.split(pattern, maxsplit=1)[0]
        fits = re.compile(fnmatch.translate(pattern)).match
        known = _matched[pattern] = names, any(one.startswith(beginning) and fits(one) for one in names)
    return known[1]
