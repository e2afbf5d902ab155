"""`toolkit recordings prune`: remove recordings by age, number and size; what every sync does by the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
import msgspec

from toolkit.cli import render
from toolkit.cli.numbers import Number
from toolkit.cli.places import own_paths
from toolkit.cli.recordings.times import parse_age, parse_size
from toolkit.config import load_settings
from toolkit.errors import StateError
from toolkit.model import Value
from toolkit.recordings.prune import Pruned, prune_recordings
from toolkit.recordings.retain import Rules, Stored


class PruneReport(Value, frozen=True, omit_defaults=False):
    """The document of `recordings prune --json`; with --dry-run, `removed` is what would go."""

    shape: int
    removed: tuple[Stored, ...]
    bytes: int
    problem: str


def _converted(parse: Callable[[str], float]) -> Callable[..., float | None]:
    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return convert


@click.command("prune")
@click.option("--older-than", callback=_converted(parse_age), metavar="AGE", help="Those started before: 12h, 30d, 8w.")
@click.option("--keep", type=Number(1), metavar="N", help="All but the N newest.")
@click.option("--max-size", callback=_converted(parse_size), metavar="SIZE", help="All but the newest that fit: 10G.")
@click.option("--tagged", is_flag=True, help="Tagged ones too.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(
    older_than: float | None, keep: int | None, max_size: float | None, tagged: bool, dry_run: bool, as_json: bool
) -> None:
    """Remove recordings, oldest first: those that any of the options does not let stay.

    Without an option it goes by the section `recordings` of the settings, as every sync does. A recording that is
    tagged stays, and so does one whose run goes on; neither counts.
    """
    paths = own_paths()
    rules = Rules(seconds=older_than or 0.0, count=keep or 0, bytes=int(max_size or 0))
    if older_than is None and keep is None and max_size is None:
        rules = load_settings(paths.settings).recordings.rules
    pruned = prune_recordings(paths.recordings, msgspec.structs.replace(rules, tagged=tagged), dry=dry_run)
    if as_json:
        report = PruneReport(render.SHAPE, pruned.removed, pruned.bytes, pruned.problem)
        render.print_json(report)
    else:
        render.print_lines(_format(pruned, dry=dry_run))
    if pruned.problem:
        raise StateError(pruned.problem)


def _format(pruned: Pruned, *, dry: bool) -> Iterator[str]:
    if dry:
        yield from (f"{one.id}  {render.format_bytes(one.bytes)}" for one in pruned.removed)
    number = len(pruned.removed)
    what = f"{number} recording{'s' * (number != 1)}, {render.format_bytes(pruned.bytes)}"
    yield f"{'would remove' if dry else 'removed'} {what}"
