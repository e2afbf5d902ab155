"""A sync from the lock to what is said of it; `cli/sync.py` has asked the servers by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from toolkit.catalog.load import Curated
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.ahead import load_ahead
from toolkit.cli.books import note_failure, note_report
from toolkit.cli.narrate import say
from toolkit.cli.progress import show_progress
from toolkit.cli.session import Session
from toolkit.cli.sync_report import Outcome, describe_problems, format_log, format_outcome, format_trials
from toolkit.cli.tree import make_rules
from toolkit.model import Index, Source, Status
from toolkit.paths import Paths
from toolkit.snapshot.asking import Answers
from toolkit.snapshot.progress import Phase, Progress, Step
from toolkit.snapshot.sync import Request, SyncReport, sync

if TYPE_CHECKING:
    from toolkit.cli.sync import Call


def run_sync(call: Call, answers: Answers) -> int:
    """Sync, write down how it went, and print it; gives the exit status."""
    paths, shown = call.paths, () if call.quiet or call.as_json else tuple(one.name for one in call.asked)
    with (
        load_ahead(paths, call.settings) as ahead,
        note_failure(paths, ahead.session),
        show_progress(paths, shown) as progress,
    ):
        request = Request(
            sources=call.sources,
            asked=frozenset(one.name for one in call.asked),
            version=ahead.facts.version,
            pins=call.pins,
            keep=call.settings.keep,
            seconds=call.seconds,
            lock_wait=call.wait,
            tree=lambda: make_rules(_take_curated(ahead.index.result(), call.catalog), paths),
            answers=answers,
            fetched=ahead.read,
        )
        report = sync(paths, request, progress)
        before = ahead.session()
        after = before if report.snapshot == report.before else ahead.reload()
        outcome = _judge(before, after, report, progress)
    unwritten = note_report(after, request.asked, report, format_log(outcome))
    if call.verify:
        from toolkit.cli.sync_trials import try_changed  # most syncs try nothing

        outcome = msgspec.structs.replace(outcome, trials=try_changed(after, quiet=call.quiet or call.as_json))
    if call.as_json:
        render.print_json(outcome)
    else:
        _print_outcome(outcome, paths, quiet=call.quiet)
    for error in unwritten:
        say(error.what, error.fix)
    return 1 if report.failed or unwritten else 0


def _take_curated(index: Index, catalog: tuple[Source, ...]) -> Curated:
    """The curated catalog: but for its sources, the index holds it, and reading 13 files of YAML takes 25 ms."""
    return Curated(
        categories=index.categories, sources=catalog, tools=tuple(tool for tool in index.tools if tool.curated)
    )


def _judge(session: Session, after: Session, report: SyncReport, progress: Progress) -> Outcome:
    """Add which tools run here now, and no more, by the catalogs before and after."""
    if after is session:
        return Outcome(shape=render.SHAPE, report=report, runs_now=(), runs_no_more=())
    progress(Step(phase=Phase.JUDGING, text="which tools run here now"))
    before, here = _find_runners(session), _find_runners(after)
    now, no_more = tuple(sorted(here - before)), tuple(sorted(before - here))
    progress(Step(phase=Phase.JUDGED, text=f"tools that run here now: {len(now)}, no more: {len(no_more)}"))
    return Outcome(shape=render.SHAPE, report=report, runs_now=now, runs_no_more=no_more)


def _find_runners(session: Session) -> set[str]:
    judged = judge_all(session.index.variants, session.facts, session.trials)
    return {one.variant.tool for one in judged if one.verdict.status is Status.RUNS}


def _print_outcome(outcome: Outcome, paths: Paths, *, quiet: bool) -> None:
    if quiet and not outcome.report.failed:
        return  # what is worth a note is in the log: cron would mail it every night
    for what, fix in describe_problems(outcome.report):
        say(what, fix)
    if outcome.report.failed:
        say(f"what was held stays; the whole story is in {paths.sync_log}")
    if not quiet:
        width = render.terminal_width()
        trials = format_trials(outcome.trials, width) if outcome.trials else ()
        render.print_lines((*format_outcome(outcome, width), *trials))
