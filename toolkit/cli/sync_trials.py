"""What a sync tries when it is done: unattended, for a bounded time, and nothing that has a risk."""

from __future__ import annotations

from contextlib import suppress

from toolkit.cli.narrate import say
from toolkit.cli.session import Session
from toolkit.cli.sync_report import Trials, format_trials
from toolkit.cli.trying import Course, Rules, find_exclusion, forget_gone, keep_changed, list_candidates, try_all
from toolkit.errors import StateError, ToolkitError
from toolkit.runs import Observed
from toolkit.snapshot.journal import append_log

RULES = Rules(seconds=30.0, total=600.0, unattended=True)


def try_changed(session: Session, *, quiet: bool) -> Trials:
    """Try what has no result that still holds, and log it; what keeps it from that is told, and fails no sync."""
    try:
        forget_gone(session)
        changed = keep_changed(session, list_candidates(session, ()))
        candidates = tuple(one for one in changed if not find_exclusion(one, RULES))
        if candidates and not quiet:
            say(f"trying what has no result on this kernel: {len(candidates)} variants")
        nothing = Course(tried=(), seconds=0.0)
        course = try_all(session, candidates, RULES, lambda *_: None, lambda _: None) if candidates else nothing
        trials = _describe(course)
    except ToolkitError as error:
        course, trials = Course(tried=(), seconds=0.0), Trials(tried=0, differing=(), problem=error.what)
    with suppress(StateError):  # the log of the sync itself has been written, or its failure told
        append_log(session.paths, format_trials(trials, None))
    if course.status:
        raise SystemExit(course.status)
    return trials


def _describe(course: Course) -> Trials:
    tried = sum(one.trial.seen.observed is not Observed.UNTESTED for one in course.tried)
    differing = tuple(
        f"{one.candidate.variant.id}: predicted {one.trial.predicted}, seen {one.trial.seen.observed}"
        for one in course.differing
    )
    return Trials(tried=tried, differing=differing, problem=course.cut_short)
