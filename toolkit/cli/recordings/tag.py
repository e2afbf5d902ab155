"""`toolkit recordings tag|untag`: words of a person on a recording."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli import render
from toolkit.cli.places import own_paths
from toolkit.model import Value
from toolkit.recordings.read import find_recording
from toolkit.recordings.tags import add_tags, check_tags, remove_tags


class Tagged(Value, frozen=True, omit_defaults=False):
    """The document of `recordings tag --json` and `untag --json`; `tags` are all that it has now."""

    shape: int
    recording: str
    tags: tuple[str, ...]


@click.command("tag")
@click.argument("name")
@click.argument("tags", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def tag_command(name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Tag a recording: it is found by its tags, and kept whatever its age. NAME may be `last`."""
    check_tags(tags)
    paths = own_paths()
    path = Path(find_recording(paths.recordings, name).path)
    _print(path, add_tags(path, paths.recordings_index, tags), as_json=as_json)


@click.command("untag")
@click.argument("name")
@click.argument("tags", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def untag_command(name: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Take tags off a recording. NAME may be `last`."""
    check_tags(tags)
    paths = own_paths()
    path = Path(find_recording(paths.recordings, name).path)
    _print(path, remove_tags(path, paths.recordings_index, tags), as_json=as_json)


def _print(path: Path, tags: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        render.print_json(Tagged(shape=render.SHAPE, recording=path.name, tags=tags))
    else:
        render.print_lines((f"{path.name}  {' '.join(tags) or 'has no tags'}",))
