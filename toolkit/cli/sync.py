"""`toolkit sync`: the latest tools from git, at the revision that fits each engine, swapped in at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping

import click
import msgspec

from toolkit.catalog.load import Curated, load_sources
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.ahead import load_ahead
from toolkit.cli.books import fail_with_one, note_failure, note_report
from toolkit.cli.narrate import say
from toolkit.cli.progress import show_progress
from toolkit.cli.retention import retain_afterwards
from toolkit.cli.session import Session, own_paths
from toolkit.cli.sync_report import Outcome, describe_problems, format_log, format_outcome, format_trials
from toolkit.cli.sync_trials import try_changed
from toolkit.cli.tree import make_rules
from toolkit.config import load_settings
from toolkit.errors import UsageError
from toolkit.model import Index, Source, Status
from toolkit.paths import Paths, data_folder
from toolkit.snapshot.layout import Origin
from toolkit.snapshot.origins import merge_sources
from toolkit.snapshot.pins import load_pins
from toolkit.snapshot.progress import Phase, Progress, Step
from toolkit.snapshot.store import current_name
from toolkit.snapshot.sync import Request, SyncReport, sync

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--pinned", is_flag=True, help="Exactly the commits that this release was tested with.")
@click.option("--timeout", default=300, type=click.IntRange(1, 86400), show_default=True, help="Seconds for a source.")
@click.option("--wait", default=10, type=click.IntRange(0, 3600), show_default=True, help="Seconds for another sync.")
@click.option("--verify/--no-verify", default=None, help="Try what changed afterwards; the setting `verify`.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong: for cron.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@fail_with_one
def command(
    names: tuple[str, ...], pinned: bool, timeout: int, wait: int, verify: bool | None, quiet: bool, as_json: bool
) -> int:
    """Fetch the latest tools from git, build a snapshot aside, and swap it in.

    SOURCE limits what is asked; the others stay as they are. A source that fails keeps what was held of it. After
    `snapshots rollback` nothing is asked until `snapshots unhold`.

    Exits with 0 when it is done or nothing is new, 1 when anything failed, and 125 for a wrong option or setting.
    With --quiet it says nothing at all when it exits with 0; sync.log in the state folder says it always.

    With --verify, what has no result of a trial that still holds is tried afterwards, as `toolkit verify --changed`
    does: for ten minutes at most, not on a busy host, and nothing that has a risk.

    Whatever became of it, recordings that the settings do not let stay are removed, as `recordings prune` does.
    """
    paths = own_paths()
    settings = load_settings(paths.settings)
    catalog = load_sources(data_folder())
    sources = merge_sources(catalog, settings.sources)
    asked = _choose_sources(sources, names)
    pins = load_pins(data_folder()) if pinned else {}
    asked = _choose_pinned(asked, pins, quiet=quiet) if pinned else asked
    shown = tuple(one.name for one in asked) if not quiet and not as_json else ()
    with (
        _end_cleanly(paths),
        retain_afterwards(paths, settings),
        load_ahead(paths, settings) as ahead,
        note_failure(paths, ahead.session),
        show_progress(paths, shown) as progress,
    ):
        request = Request(
            sources=sources,
            asked=frozenset(one.name for one in asked),
            facts=ahead.facts.result,
            pins=pins,
            keep=settings.keep,
            seconds=float(timeout),
            lock_wait=float(wait),
            tree=lambda: make_rules(_take_curated(ahead.index.result(), catalog), paths),
            fetched=ahead.read,
        )
        report = sync(paths, request, progress)
        before = ahead.session()
        after = before if report.snapshot == report.before else ahead.reload()
        outcome = _judge(before, after, report, progress)
    unwritten = note_report(after, request.asked, report, format_log(outcome))
    if settings.verify if verify is None else verify:
        outcome = msgspec.structs.replace(outcome, trials=try_changed(after, quiet=quiet or as_json))
    if as_json:
        render.print_json(outcome)
    else:
        _print_outcome(outcome, paths, quiet=quiet)
    for error in unwritten:
        say(error.what, error.fix)
    return 1 if report.failed or unwritten else 0


def _take_curated(index: Index, catalog: tuple[Source, ...]) -> Curated:
    """The curated catalog: but for its sources, the index holds it, and reading 13 files of YAML takes 25 ms."""
    return Curated(
        categories=index.categories, sources=catalog, tools=tuple(tool for tool in index.tools if tool.curated)
    )


def _choose_sources(sources: tuple[Source, ...], names: tuple[str, ...]) -> tuple[Source, ...]:
    known = {source.name: source for source in sources}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no git source named {name!r}", fix=f"there are: {', '.join(known)}")
    return tuple(known[name] for name in names) if names else sources


def _choose_pinned(
    asked: tuple[Source, ...], pins: Mapping[str, tuple[Origin, ...]], *, quiet: bool
) -> tuple[Source, ...]:
    """Those of the sources that are pinned; the others are named, and stay as they are."""
    for one in asked:
        if one.name not in pins and not quiet:
            click.echo(f"toolkit: {one.name} is not pinned; it stays as it is", err=True)
    return tuple(one for one in asked if one.name in pins)


@contextlib.contextmanager
def _end_cleanly(paths: Paths) -> Iterator[None]:
    """Let ^C, SIGTERM and SIGHUP end the block alike: git is stopped, the terminal put right, the lock released."""

    def leave(number: int, _: object) -> None:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)  # what follows takes a moment, and is not to be cut short
        raise SystemExit(128 + number)

    for one in ENDING:
        if signal.getsignal(one) is not signal.SIG_IGN:  # nohup, and a job in the background
            signal.signal(one, leave)
    try:
        yield
    except SystemExit:
        name = current_name(paths.current)
        say(f"interrupted; {f'the current snapshot is {name}' if name else 'there is no snapshot yet'}")
        raise


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
