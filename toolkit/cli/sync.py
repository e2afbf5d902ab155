"""`toolkit sync`: the latest tools from git, at the revision that fits each engine, swapped in at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click
import msgspec

from toolkit.catalog.load import load_curated
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.session import Session, open_session
from toolkit.cli.snapshots import format_difference
from toolkit.errors import UsageError
from toolkit.model import Source, Status, Value
from toolkit.paths import data_folder
from toolkit.snapshot.index import load_index
from toolkit.snapshot.origins import merge_sources
from toolkit.snapshot.pins import load_pins
from toolkit.snapshot.progress import Step
from toolkit.snapshot.sync import Request, SourceReport, SyncReport, sync

MOST_SHOWN = 20  # tools of one kind that the summary names


class Outcome(Value, frozen=True, omit_defaults=False):
    """The document of `sync --json`; `runs_now` are tools that run here and did not before."""

    shape: int
    report: SyncReport
    runs_now: tuple[str, ...]


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--pinned", is_flag=True, help="Exactly the commits that this release was tested with.")
@click.option("--timeout", default=300, type=click.IntRange(1, 86400), show_default=True, help="Seconds for a source.")
@click.option("--wait", default=10, type=click.IntRange(0, 3600), show_default=True, help="Seconds for another sync.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong: for cron.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(names: tuple[str, ...], pinned: bool, timeout: int, wait: int, quiet: bool, as_json: bool) -> int:
    """Fetch the latest tools from git, build a snapshot aside, and swap it in.

    SOURCE limits what is asked; the others stay as they are. A source that fails keeps what was held of it.

    Exits with 0 when it is done or nothing is new, and 1 when a source failed.
    """
    session = open_session()
    sources = merge_sources(load_curated(data_folder()).sources, session.settings.sources)
    asked = _choose_sources(sources, names)
    pins = load_pins(data_folder()) if pinned else {}
    if pinned:
        unpinned = [one.name for one in asked if one.name not in pins]
        asked = tuple(one for one in asked if one.name in pins)
        for name in unpinned:
            click.echo(f"toolkit: {name} is not pinned; it stays as it is", err=True)
    request = Request(
        sources=sources,
        asked=frozenset(one.name for one in asked),
        facts=session.facts,
        pins=pins,
        keep=session.settings.keep,
        seconds=float(timeout),
        lock_wait=float(wait),
    )
    report = sync(session.paths, request, _tell if not quiet and not as_json else _say_nothing)
    runs_now = _find_new_runners(session) if report.snapshot != report.before else ()
    if as_json:
        render.print_json(Outcome(shape=render.SHAPE, report=report, runs_now=runs_now))
    else:
        _print_report(report, runs_now, quiet=quiet)
    return 1 if report.failed else 0


def _choose_sources(sources: tuple[Source, ...], names: tuple[str, ...]) -> tuple[Source, ...]:
    known = {source.name: source for source in sources}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no git source named {name!r}", fix=f"there are: {', '.join(known)}")
    return tuple(known[name] for name in names) if names else sources


def _tell(step: Step) -> None:
    source = f"{step.source}: " if step.source else ""
    click.echo(f"{time.strftime('%H:%M:%S')} {source}{step.phase} {step.text}", err=True)


def _say_nothing(step: Step) -> None:
    return


def _find_new_runners(before: Session) -> tuple[str, ...]:
    """Tools that run here with the new snapshot, and did not with the old one."""
    after = msgspec.structs.replace(before, index=load_index(before.paths))
    return tuple(sorted(_find_runners(after) - _find_runners(before)))


def _find_runners(session: Session) -> set[str]:
    judged = judge_all(session.index.variants, session.facts)
    return {one.variant.tool for one in judged if one.verdict.status is Status.RUNS}


def _print_report(report: SyncReport, runs_now: tuple[str, ...], *, quiet: bool) -> None:
    for source in report.sources:
        for line in _describe_problem(source):
            click.echo(line, err=True)
    if quiet:
        return
    render.print_lines((*(_describe_source(source) for source in report.sources), *_describe_change(report, runs_now)))


def _describe_problem(source: SourceReport) -> Iterator[str]:
    for note in source.notes:
        yield f"toolkit: {note}"
    if source.problem:
        yield f"toolkit: {source.source}: {source.problem}"
        if source.fix:
            yield f"         {source.fix}"


def _describe_source(source: SourceReport) -> str:
    held = ", ".join(f"{one.revision} ({one.commit[:12]})" for one in source.origins) or "nothing"
    if source.problem:
        return f"{source.source:<10} FAILED  keeps {held}"
    took = f"{render.format_bytes(source.received)} in {render.format_duration(source.seconds)}"
    return f"{source.source:<10} {'fetched' if source.fetched else 'no news'}  {held}  {took}"


def _describe_change(report: SyncReport, runs_now: tuple[str, ...]) -> Iterator[str]:
    if report.snapshot == report.before:
        yield f"snapshot {report.snapshot or 'none'}: nothing new"
        return
    change = report.difference
    counts = f"{len(change.new)} new, {len(change.changed)} changed, {len(change.gone)} gone"
    yield f"snapshot {report.snapshot}: {counts} tools, in {render.format_duration(report.seconds)}"
    lines = tuple(format_difference(change))
    if report.before:
        yield from lines[:MOST_SHOWN]
        if len(lines) > MOST_SHOWN:
            yield f"  and {len(lines) - MOST_SHOWN} more: `toolkit snapshots diff`"
    if runs_now:
        more = f" and {len(runs_now) - MOST_SHOWN} more" if len(runs_now) > MOST_SHOWN else ""
        yield f"now running here: {', '.join(runs_now[:MOST_SHOWN])}{more}"
