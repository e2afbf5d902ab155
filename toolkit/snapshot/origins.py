"""Which revisions of which sources to hold here: the catalog's sources, what settings change, and each one's policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from toolkit.config import SourceSettings
from toolkit.errors import SourceError
from toolkit.model import Engine, Source, Value
from toolkit.revisions import explain_mismatch, match_tag, newest_tag
from toolkit.snapshot.layout import Origin

COMMIT = re.compile(r"[0-9a-f]{40}")
Version = Callable[[Engine], tuple[int, ...]]  # of the installed engine; () when there is none
SHORT = 12  # digits of a commit that stand for a revision that has no name


class Wanted(Value, frozen=True):
    """One revision to hold, and the ref that brings it; `ref` is empty for a commit that is only pinned."""

    origin: Origin
    ref: str
    why: str


def merge_sources(sources: tuple[Source, ...], given: Mapping[str, SourceSettings]) -> tuple[Source, ...]:
    """The sources that have a url, with what the settings change and add, in order of name."""
    known = {source.name: source for source in sources if source.url}
    for name, one in given.items():
        base = known.get(name, Source(name=name, summary=f"the repository {name}", revisions=("latest",)))
        revisions = (one.revisions,) if isinstance(one.revisions, str) else one.revisions
        changes = {"url": one.url, "revisions": revisions, "licence": one.licence, "summary": one.summary}
        known[name] = msgspec.structs.replace(base, **{key: value for key, value in changes.items() if value})
    return tuple(known[name] for name in sorted(known) if known[name].url)


def resolve_revisions(
    source: Source, heads: Mapping[str, str], tags: Mapping[str, str], default: str, version: Version
) -> tuple[Wanted, ...]:
    """The commits that a source's policy asks for, each once. Raises SourceError when one cannot be had.

    An engine's version is asked for only where it decides: finding it out may take a while.
    """
    found: dict[str, Wanted] = {}
    for policy in source.revisions:
        for wanted in _resolve(source, policy, heads, tags, default, version):
            found.setdefault(wanted.origin.revision, wanted)
    return tuple(found[revision] for revision in sorted(found))


def _resolve(
    source: Source,
    policy: str,
    heads: Mapping[str, str],
    tags: Mapping[str, str],
    default: str,
    version: Version,
) -> tuple[Wanted, ...]:
    if COMMIT.fullmatch(policy):
        ref = next((f"refs/tags/{name}" for name, commit in tags.items() if commit == policy), "")
        return (_want(source, policy[:SHORT], policy, ref, "this commit is set"),)
    if policy == "latest":
        return (_latest(source, heads, default, "the newest commit"),)
    if policy == "match":
        return _match(source, heads, tags, default, version)
    if policy in tags:
        return (_want(source, policy, tags[policy], f"refs/tags/{policy}", "this tag is set"),)
    if policy in heads:
        return (_want(source, policy.replace("/", "-"), heads[policy], f"refs/heads/{policy}", "this branch is set"),)
    raise SourceError(f"it has no revision {policy!r}", fix="give match, latest, a tag, a branch or a 40-digit commit")


def _match(
    source: Source, heads: Mapping[str, str], tags: Mapping[str, str], default: str, version: Version
) -> tuple[Wanted, ...]:
    """The newest tag that the installed engine can run, and the newest of all for `info` to show."""
    newest = newest_tag(tags, source.tags) if source.tags else None
    if newest is None:
        return (_latest(source, heads, default, "no releases: the newest commit"),)
    installed = version(source.follows) if source.follows else ()
    fitting = match_tag(tags, installed, source.tags) if installed else None
    why = "the newest release"
    if source.follows and not fitting:
        none = explain_mismatch(tags, installed, source.follows, source.tags) if installed else "it is not here"
        why = f"{why}; none fits {source.follows}: {none}"
    chosen = [_want(source, newest, tags[newest], f"refs/tags/{newest}", why)]
    if fitting and fitting != newest:
        why = f"the newest for {source.follows} {'.'.join(map(str, installed))}"
        chosen.append(_want(source, fitting, tags[fitting], f"refs/tags/{fitting}", why))
    return tuple(chosen)


def _latest(source: Source, heads: Mapping[str, str], default: str, why: str) -> Wanted:
    commit = heads.get(default)
    if commit is None:
        raise SourceError(f"it has no branch {default!r}", fix="set `revisions` to one that it has")
    return _want(source, commit[:SHORT], commit, f"refs/heads/{default}", why)


def _want(source: Source, revision: str, commit: str, ref: str, why: str) -> Wanted:
    return Wanted(origin=Origin(source=source.name, revision=revision, commit=commit), ref=ref, why=why)
