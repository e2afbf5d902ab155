"""The refusal: no variant of a tool can run here. It says what is missing, how to get it, and what to use instead."""

from __future__ import annotations

from toolkit.alternatives import find_alternative, make_alternative
from toolkit.catalog.query import Asked, describe_ways
from toolkit.choose import Chosen, choose, is_for_newer
from toolkit.cli.session import Session
from toolkit.compat import find_missing_rights
from toolkit.errors import CannotRun, ToolkitError, UsageError
from toolkit.model import Judged, Status


def refuse(asked: Asked, chosen: Chosen, session: Session, arguments: tuple[str, ...]) -> ToolkitError:
    """The error to raise when `chosen` holds no choice: UsageError where all that is wrong are the arguments."""
    name = asked.tool.name
    if not chosen.judged:
        ways = describe_ways(session.index, session.facts.distribution)
        fix = "\n         ".join((ways, *_instead(asked, session, arguments)))
        return CannotRun(f"no variant of {name} is on this host", fix=fix)
    rights = find_missing_rights(session.facts)
    if rights:
        return CannotRun(f"cannot run {name}: {rights.text}", fix=rights.fix)
    misfits = {variant.id: why for variant, why in chosen.misfits}
    told = (f"{one.variant.id}: {misfits.get(one.variant.id) or _reasons(one)}" for one in chosen.judged)
    lines = tuple(dict.fromkeys(told))  # a file may be held at several revisions, and lack the same at each
    if len(chosen.misfits) == len(chosen.judged):
        fix = f"`toolkit info {name}` shows how each is called"
        return UsageError(_list(f"cannot call {name} like this", lines), fix=fix)
    instead = _instead(asked, session, arguments)
    fixes = tuple(dict.fromkeys(_fixes(chosen.judged)))
    fix = "\n         ".join((*(f"to mend it: {fix}" for fix in fixes[:2]), *instead))
    if len(lines) == 1:
        return CannotRun(lines[0].replace(":", " cannot run here:", 1), fix=fix)
    return CannotRun(_list(f"no variant of {name} can run here", lines), fix=fix)


def _list(what: str, lines: tuple[str, ...]) -> str:
    return "\n".join((what, *(f"  {line}" for line in lines)))


def _reasons(one: Judged) -> str:
    return "; ".join(reason.text for reason in one.verdict.reasons) or f"its verdict is {one.verdict.status}"


def _fixes(judged: tuple[Judged, ...]) -> tuple[str, ...]:
    """What would really help: the fixes of variants that nothing else keeps from running."""
    # What merely follows from a cause has neither a need nor a link: "its output would be incomplete".
    causes = (
        tuple(reason for reason in one.verdict.reasons if reason.need or reason.fix or reason.link)
        for one in judged
        if not is_for_newer(one)
    )
    return tuple(reason.fix for reasons in causes if all(reason.fix for reason in reasons) for reason in reasons)


def _instead(asked: Asked, session: Session, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Another variant of the same tool, when the name pinned the one that cannot run, or a tool of its like."""
    found = find_alternative(asked.tool, asked.variants, session.index, session.facts, session.trials)
    if found and found.same:
        # With these arguments another of its variants may be the one that runs.
        every = tuple(one for one in session.index.variants if one.tool == asked.tool.name)
        other = choose(every, session.facts, arguments, trials=session.trials).choice
        if other is None or other.verdict.status is not Status.RUNS:
            return ()
        found = make_alternative(other.variant, session.facts, same=True)
    if found:
        return (f"instead: toolkit run {found.tool}: {found}",)
    return () if asked.pinned else (f"`toolkit list --runs {asked.tool.category}` shows what does run here",)
