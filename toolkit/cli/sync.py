"""`toolkit sync`: the latest tools from git, at the revision that fits each engine, swapped in at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import click
import msgspec

from toolkit.catalog.load import Curated, load_sources
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.books import fail_with_one, note_failure, note_report
from toolkit.cli.narrate import say
from toolkit.cli.progress import show_progress
from toolkit.cli.session import Session, open_session
from toolkit.cli.sync_report import Outcome, describe_problems, format_log, format_outcome
from toolkit.cli.tree import make_rules
from toolkit.errors import UsageError
from toolkit.model import Facts, Index, Source, Status
from toolkit.paths import Paths, data_folder
from toolkit.snapshot.index import load_index
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
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong: for cron.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@fail_with_one
def command(names: tuple[str, ...], pinned: bool, timeout: int, wait: int, quiet: bool, as_json: bool) -> int:
    """Fetch the latest tools from git, build a snapshot aside, and swap it in.

    SOURCE limits what is asked; the others stay as they are. A source that fails keeps what was held of it. After
    `snapshots rollback` nothing is asked until `snapshots unhold`.

    Exits with 0 when it is done or nothing is new, 1 when anything failed, and 125 for a wrong option or setting.
    With --quiet it says nothing at all when it exits with 0; sync.log in the state folder says it always.
    """
    session = open_session()
    curated = _take_curated(session.index)
    sources = merge_sources(curated.sources, session.settings.sources)
    asked = _choose_sources(sources, names)
    pins = load_pins(data_folder()) if pinned else {}
    if pinned:
        unpinned = [one.name for one in asked if one.name not in pins]
        asked = tuple(one for one in asked if one.name in pins)
        for name in () if quiet else unpinned:
            click.echo(f"toolkit: {name} is not pinned; it stays as it is", err=True)
    request = Request(
        sources=sources,
        asked=frozenset(one.name for one in asked),
        facts=session.facts,
        pins=pins,
        keep=session.settings.keep,
        seconds=float(timeout),
        lock_wait=float(wait),
        tree=make_rules(curated, session.paths),
    )
    shown = tuple(one.name for one in asked) if not quiet and not as_json else ()
    with _end_cleanly(session.paths), note_failure(session), show_progress(session.paths, shown) as progress:
        report = sync(session.paths, request, progress)
        after = _reload(session, report)
        outcome = _judge(session, after, report, progress)
    unwritten = note_report(after, request.asked, report, format_log(outcome))
    if as_json:
        render.print_json(outcome)
    else:
        _print_outcome(outcome, session.paths, quiet=quiet)
    for error in unwritten:
        say(error.what, error.fix)
    return 1 if report.failed or unwritten else 0


def _take_curated(index: Index) -> Curated:
    """The curated catalog: but for its sources, the index holds it, and reading 13 files of YAML takes 25 ms."""
    tools = tuple(tool for tool in index.tools if tool.curated)
    return Curated(categories=index.categories, sources=load_sources(data_folder()), tools=tools)


def _choose_sources(sources: tuple[Source, ...], names: tuple[str, ...]) -> tuple[Source, ...]:
    known = {source.name: source for source in sources}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no git source named {name!r}", fix=f"there are: {', '.join(known)}")
    return tuple(known[name] for name in names) if names else sources


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


def _reload(session: Session, report: SyncReport) -> Session:
    """The session with the catalog after the sync."""
    if report.snapshot == report.before:
        return session
    return msgspec.structs.replace(session, index=load_index(session.paths))


def _judge(session: Session, after: Session, report: SyncReport, progress: Progress) -> Outcome:
    """Add which tools run here now, and no more, by the catalogs before and after."""
    if after is session:
        return Outcome(shape=render.SHAPE, report=report, runs_now=(), runs_no_more=())
    progress(Step(phase=Phase.JUDGING, text="which tools run here now"))
    before, here = _find_runners(session.index, session.facts), _find_runners(after.index, after.facts)
    now, no_more = tuple(sorted(here - before)), tuple(sorted(before - here))
    progress(Step(phase=Phase.JUDGED, text=f"tools that run here now: {len(now)}, no more: {len(no_more)}"))
    return Outcome(shape=render.SHAPE, report=report, runs_now=now, runs_no_more=no_more)


def _find_runners(index: Index, facts: Facts) -> set[str]:
    judged = judge_all(index.variants, facts)
    return {one.variant.tool for one in judged if one.verdict.status is Status.RUNS}


def _print_outcome(outcome: Outcome, paths: Paths, *, quiet: bool) -> None:
    if quiet and not outcome.report.failed:
        return  # what is worth a note is in the log: cron would mail it every night
    for what, fix in describe_problems(outcome.report):
        say(what, fix)
    if outcome.report.failed:
        say(f"what was held stays; the whole story is in {paths.sync_log}")
    if not quiet:
        render.print_lines(format_outcome(outcome, render.terminal_width()))
