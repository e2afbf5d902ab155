"""`toolkit recordings list`: the newest recordings, or those that are asked for."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from toolkit.catalog.query import require_category
from toolkit.cli import render
from toolkit.cli.numbers import Number
from toolkit.cli.places import own_paths
from toolkit.cli.recordings.times import EXAMPLES, parse_since, parse_until
from toolkit.model import Value
from toolkit.paths import Paths
from toolkit.recordings.index import find_damaged, find_ids
from toolkit.recordings.layout import Query, Recording, State, matches
from toolkit.recordings.read import read_recording
from toolkit.snapshot.index import load_index


class RecordingList(Value, frozen=True, omit_defaults=False):
    """The document of `recordings list --json`."""

    shape: int
    recordings: tuple[Recording, ...]


def _moment(parse: Callable[[str, datetime], float]) -> Callable[..., float | None]:
    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        try:
            return parse(value, datetime.now(UTC).astimezone())
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return convert


@click.command("list")
@click.option("--tool", "-t", default="", metavar="TOOL", help="Of this tool.")
@click.option("--category", default="", metavar="CATEGORY", help="Of tools of this category.")
@click.option("--variant", default="", metavar="VARIANT", help="Of this variant, such as bcc/runqlat.")
@click.option("--outcome", type=click.Choice([str(one) for one in State]), help="That ended so, or have not yet.")
@click.option("--since", callback=_moment(parse_since), metavar="TIME", help=f"Started then or later: {EXAMPLES}.")
@click.option("--until", callback=_moment(parse_until), metavar="TIME", help="Started before; a day counts whole.")
@click.option("--host", default="", metavar="HOST", help="Made on this host.")
@click.option("--user", default="", metavar="USER", help="Made by this user.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="With this tag; several: with all of them.")
@click.option("--limit", "-n", default=20, type=Number(1), show_default=True, help="At most so many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(
    tool: str,
    category: str,
    variant: str,
    outcome: str | None,
    since: float | None,
    until: float | None,
    host: str,
    user: str,
    tags: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """The newest recordings, or those that you ask for: every option narrows it."""
    paths = own_paths()
    query = Query(
        tool=tool,
        category=require_category(load_index(paths), category) if category else "",
        variant=variant,
        state=State(outcome) if outcome else None,
        since=since,
        until=until,
        host=host,
        user=user,
        tags=tags,
    )
    recordings = tuple(_find(paths, query, limit))
    if as_json:
        render.print_json(RecordingList(shape=render.SHAPE, recordings=recordings))
    elif recordings:
        render.print_lines(_format(recordings, time.time()))
    elif query == Query():
        click.echo("Nothing is recorded yet: `toolkit run runqlat 10 1` makes the first.", err=True)
    else:
        click.echo("No recording is like this.", err=True)
    if query == Query() and (damaged := find_damaged(paths.recordings_index)):
        many = f"{len(damaged)} folder{'s hold' if len(damaged) > 1 else ' holds'} no recording that can be read"
        click.echo(f"{many}: `toolkit recordings show {damaged[0]}` says why.", err=True)


def _find(paths: Paths, query: Query, limit: int) -> Iterator[Recording]:
    """The index says which may be wanted; what is in the folders decides."""
    for name in find_ids(paths.recordings, paths.recordings_index, query, limit):
        one = read_recording(f"{paths.recordings}/{name}")
        if one is not None and matches(query, one):
            yield one


def _format(recordings: tuple[Recording, ...], now: float) -> Iterator[str]:
    width = render.terminal_width()
    rows = [_make_row(one, now) for one in recordings]
    names, states, seconds, variants = (max(len(row[column]) for row in rows) for column in range(4))
    for name, state, took, variant, rest in rows:
        line = f"{name:<{names}}  {state:<{states}}  {took:>{seconds}}  {variant:<{variants}}  {rest}".rstrip()
        yield render.cut(line, width) if width else line


def _make_row(one: Recording, now: float) -> tuple[str, str, str, str, str]:
    """Name, state, seconds, variant; tags and arguments. What was recorded elsewhere may hold anything."""
    took = one.result.seconds if one.result else max(0.0, now - one.run.started) if one.running else None
    tags = " ".join(f"#{tag}" for tag in one.tags)
    return (
        Path(one.path).name,
        describe_state(one),
        "" if took is None else render.format_duration(took),
        render.printable(one.run.variant),
        " ".join(filter(None, (tags, render.printable(shlex.join(one.run.arguments))))),
    )


def describe_state(one: Recording) -> str:
    """How it ended, in the words of --outcome, or the status that it failed with."""
    if one.state is State.ENDED and one.result is not None and one.result.tool_status:
        return f"status {one.result.tool_status}"
    return str(one.state)
