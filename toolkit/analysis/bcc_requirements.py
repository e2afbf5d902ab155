"""The requirements that follow from the paths through a bcc tool.

A tool works when the path that the host's answers lead to finds everything it attaches. Seen from outside: each set
of attach points that takes one from every path is a requirement, "any one of these", and the smallest such sets say
it all (the minimal transversals of the paths).
"""

from __future__ import annotations

from itertools import combinations

from toolkit.analysis.bcc_paths import Path, Paths
from toolkit.analysis.bcc_text import Alternatives
from toolkit.analysis.needs import function_key, one, unique
from toolkit.model import Need, NeedKind, Requirement

_MAX_SETS = 400
_MAX_READ = 100
_MAX_ATTACHED = 100  # on one path; BCC's own tools attach up to 16
_FUNCTIONS_AND_EVENTS = frozenset(
    {NeedKind.KPROBE, NeedKind.FENTRY, NeedKind.TRACEPOINT, NeedKind.RAW_TRACEPOINT, NeedKind.TP_BTF}
)

Key = str
Sets = list[frozenset[Key]]


def path_requirements(paths: Paths) -> tuple[Requirement, ...]:
    """What must be there for one of the paths that trace to be complete, and what would only be nice."""
    tracing = [path for path in paths.found if path.works] or list(paths.found)
    crowded = _crowded(tracing)
    needs: dict[Key, list[Alternatives]] = {}
    per_path = [_keys(path, crowded, needs) for path in tracing]
    order = {key: number for number, key in enumerate(needs)}
    sets = [keys for keys in _transversals(per_path) if paths.complete or _exclude_each_other(keys, per_path)]
    essential = sorted(_fewest(sets), key=lambda keys: min(order[key] for key in keys))
    found = [Requirement(any_of=_needs_of(keys, needs)) for keys in essential]
    covered = frozenset(key for keys in essential for key in keys)
    optional = [key for key in needs if key not in covered]
    tried = frozenset(alternatives for path in tracing for alternatives in path.seen.tried)
    groups = _wanted(optional, per_path, needs, alone=not essential)
    groups = [group for group in groups if not essential or any(way in tried for key in group for way in needs[key])]
    extra = [Requirement(any_of=_needs_of(frozenset(group), needs), essential=False) for group in groups]
    return (*found, *extra)


def read_everywhere(paths: Paths) -> tuple[Need, ...]:
    """What the C text reads of the kernel whatever the host answers."""
    tracing = [path for path in paths.found if path.works] or list(paths.found)
    texts = [path.seen for path in (*tracing, *paths.ways) if path.seen.compiled]
    common = frozenset.intersection(*(frozenset(seen.read) for seen in texts)) if texts else frozenset()
    return unique(need for seen in texts[:1] for need in seen.read if need in common)[:_MAX_READ]


def opened_files(paths: Paths) -> tuple[Requirement, ...]:
    """The files of the kernel that it opens whatever the host answers, and those that only an option asks for."""
    tracing = [path for path in paths.found if path.works] or list(paths.found)
    always = frozenset.intersection(*(frozenset(path.seen.opened) for path in tracing)) if tracing else frozenset()
    names = (name for path in (*tracing[:1], paths.every_option) for name in path.seen.opened)
    return tuple(one(NeedKind.FILE, name, essential=name in always) for name in dict.fromkeys(names))


def _crowded(paths: list[Path]) -> frozenset[Key]:
    """Keys that stand for two things on one path: it wants both, so they are no alternatives."""
    found: set[Key] = set()
    for path in paths:
        by_key: dict[Key, set[Alternatives]] = {}
        for alternatives in path.seen.attached[:_MAX_ATTACHED]:
            by_key.setdefault(_key(alternatives[0]), set()).add(alternatives)
        found.update(key for key, different in by_key.items() if len(different) > 1)
    return frozenset(found)


def _keys(path: Path, crowded: frozenset[Key], needs: dict[Key, list[Alternatives]]) -> frozenset[Key]:
    """The path's attach points under names that are the same for alternatives on other paths.

    fentry and kprobe of one function, or the old and the new name of one, are such alternatives.
    """
    found: list[Key] = []
    for alternatives in path.seen.attached[:_MAX_ATTACHED]:
        if not alternatives[0].name:
            continue  # chosen at run time
        common = _key(alternatives[0])
        key = str(alternatives[0]) if common in crowded else common
        if alternatives not in needs.setdefault(key, []):
            needs[key].append(alternatives)
        found.append(key)
    return frozenset(found)


def _key(need: Need) -> Key:
    return function_key(need.name) if need.kind in _FUNCTIONS_AND_EVENTS else str(need)


def _needs_of(keys: frozenset[Key], needs: dict[Key, list[Alternatives]]) -> tuple[Need, ...]:
    order = [key for key in needs if key in keys]
    return unique(need for key in order for alternatives in needs[key] for need in alternatives)


def _transversals(paths: Sets) -> Sets:
    """The smallest sets that have at least one of every path; none when a path needs nothing."""
    found: Sets = [frozenset()]
    for keys in dict.fromkeys(paths):
        grown = {old if old & keys else old | {key} for old in found for key in (sorted(keys) or [""])}
        if not keys:
            return []
        found = _minimal(grown)[:_MAX_SETS]
    return [keys for keys in found if keys]


def _exclude_each_other(keys: frozenset[Key], paths: Sets) -> bool:
    """Whether no path has two of these: then they are alternatives, even if not every path is known."""
    return all(len(keys & path) < 2 for path in paths)


def _minimal(sets: set[frozenset[Key]]) -> Sets:
    kept: Sets = []
    for candidate in sorted(sets, key=lambda keys: (len(keys), sorted(keys))):
        if not any(smaller <= candidate for smaller in kept):
            kept.append(candidate)
    return kept


def _fewest(sets: Sets) -> Sets:
    """Enough of the sets that every attach point is in one.

    Three raw tracepoints or else three kprobes make nine pairs; three of them name all six, and a host that has
    some of one kind and the rest of the other is not worth six more sentences.
    """
    kept: Sets = []
    covered: set[Key] = set()
    remaining = list(sets)
    while remaining:
        best = max(remaining, key=lambda keys: len(keys - covered))
        if not best - covered:
            break
        kept.append(best)
        covered |= best
        remaining.remove(best)
    return kept


def _wanted(optional: list[Key], paths: Sets, needs: dict[Key, list[Alternatives]], *, alone: bool) -> list[list[Key]]:
    """Groups of optional attach points of which no path uses two: one of a group is wanted.

    A single one is taken where there is one and not missed otherwise, unless the tool has nothing else.
    """
    together = {pair for keys in paths for pair in combinations(sorted(keys & set(optional)), 2)}
    groups: list[list[Key]] = []
    for key in optional:
        for group in groups:
            if not any(tuple(sorted((key, other))) in together for other in group):
                group.append(key)
                break
        else:
            groups.append([key])
    wanted = [group for group in groups if sum(len(needs[key]) for key in group) > 1]
    return [optional] if alone and optional and not wanted else wanted
