"""A sync from the lock to what is said of it; `cli/sync.py` has asked the servers by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from toolkit.catalog.curated import Curated
from toolkit.choose import judge_tried
from toolkit.cli import render
from toolkit.cli.ahead import Ahead
from toolkit.cli.books import note_failure, note_report
from toolkit.cli.narrate import say
from toolkit.cli.progress import show_progress
from toolkit.cli.retention import retain_afterwards
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


Runner = tuple[str, str]  # the path and SHA-256 of a variant that runs here
NOTHING: Mapping[str, Runner] = {}


def run_sync(call: Call, answers: Answers, ahead: Ahead) -> int:
    """Sync, write down how it went, and print it; gives the exit status."""
    with retain_afterwards(call.paths, call.settings):
        with note_failure(call.paths, call.settings, ahead.session):
            outcome, load = _sync(call, answers, ahead)
        asked = frozenset(one.name for one in call.asked)
        unwritten = note_report(call.paths, call.settings, load, asked, outcome.report, format_log(outcome))
        if call.verify:
            from toolkit.cli.sync_trials import try_changed  # most syncs try nothing

            outcome = msgspec.structs.replace(outcome, trials=try_changed(load(), quiet=call.quiet or call.as_json))
    if call.as_json:
        render.print_json(outcome)
    else:
        _print_outcome(outcome, call.paths, quiet=call.quiet)
    for error in unwritten:
        say(error.what, error.fix)
    return 1 if outcome.report.failed or unwritten else 0


def _sync(call: Call, answers: Answers, ahead: Ahead) -> tuple[Outcome, Callable[[], Session]]:
    """Sync and judge; gives what came of it, and what loads the session of the catalog after it."""
    paths, shown = call.paths, () if call.quiet or call.as_json else tuple(one.name for one in call.asked)
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
    with show_progress(paths, shown) as progress:
        report = sync(paths, request, progress)
        if report.snapshot == report.before:
            return Outcome(shape=render.SHAPE, report=report, runs_now=(), runs_no_more=()), ahead.session
        load_after, then = ahead.reload(), _find_runners(ahead.session())
        after = load_after()
        return _judge(then, after, report, progress), lambda: after


def _take_curated(index: Index, catalog: tuple[Source, ...]) -> Curated:
    """The curated catalog: but for its sources, the index holds it, and reading 13 files of YAML takes 25 ms."""
    return Curated(
        categories=index.categories, sources=catalog, tools=tuple(tool for tool in index.tools if tool.curated)
    )


def _judge(then: Mapping[str, Runner], after: Session, report: SyncReport, progress: Progress) -> Outcome:
    """Add which tools run here now, and no more: those that ran by the catalog before, and by that after it."""
    progress(Step(phase=Phase.JUDGING, text="which tools run here now"))
    here = _find_runners(after, then)
    now, no_more = tuple(sorted(here.keys() - then)), tuple(sorted(then.keys() - here))
    progress(Step(phase=Phase.JUDGED, text=f"tools that run here now: {len(now)}, no more: {len(no_more)}"))
    return Outcome(shape=render.SHAPE, report=report, runs_now=now, runs_no_more=no_more)


def _find_runners(session: Session, before: Mapping[str, Runner] = NOTHING) -> dict[str, Runner]:
    """A variant that runs here of each tool that does; one that ran before and is the same is not judged again."""
    same = {(one.found.path, one.sha256) for one in session.index.variants}
    found = {tool: runner for tool, runner in before.items() if runner in same}
    for one in session.index.variants:
        if one.tool not in found and judge_tried(one, session.facts, session.trials).status is Status.RUNS:
            found[one.tool] = one.found.path, one.sha256
    return found


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
