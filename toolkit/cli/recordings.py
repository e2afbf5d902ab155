"""`toolkit recordings list|show`: what earlier runs printed, and how they ended."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli import narrate, render
from toolkit.cli.places import own_paths
from toolkit.cli.sinks import write_all
from toolkit.errors import StateError
from toolkit.model import Value
from toolkit.recordings.layout import Recording
from toolkit.recordings.read import find_recording, list_recordings
from toolkit.runs import Form, Outcome

if TYPE_CHECKING:
    from toolkit.cli.chart import Reader


class RecordingList(Value, frozen=True, omit_defaults=False):
    """The document of `recordings list --json`."""

    shape: int
    recordings: tuple[Recording, ...]


@click.group("recordings")
def command() -> None:
    """What earlier runs printed, and how they ended."""


@command.command("list")
@click.option(
    "--limit", "-n", default=20, type=click.IntRange(1), show_default=True, help="At most so many, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def list_command(limit: int, as_json: bool) -> None:
    """The newest recordings."""
    recordings = tuple(islice(list_recordings(own_paths().recordings), limit))
    if as_json:
        render.print_json(RecordingList(shape=render.SHAPE, recordings=recordings))
    elif recordings:
        render.print_lines(_format_list(recordings))
    else:
        click.echo("Nothing is recorded yet: `toolkit run runqlat 10 1` makes the first.", err=True)


@command.command("show")
@click.argument("name", default="last")
@click.option("--stderr", is_flag=True, help="What it printed on stderr, instead of stdout.")
@click.option("--raw", is_flag=True, help="Only the bytes that it printed.")
@click.option("--chart", is_flag=True, help="Draw its histograms with percentiles, and a heat map of all intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def show_command(name: str, stderr: bool, raw: bool, chart: bool, as_json: bool) -> None:
    """What one run printed, and how it ended. NAME is its name, the beginning of it, or `last`."""
    recording = find_recording(own_paths().recordings, name)
    if as_json:
        render.print_json(recording)
        return
    if not raw:
        render.print_lines((*_format_one(recording), ""))
    drawn = not (stderr or raw) and (chart or recording.run.form is not Form.TEXT)
    reader = _open_reader(recording.run.form, chart=chart) if drawn else None
    _copy(Path(recording.path) / ("stderr" if stderr else "stdout"), reader)


def _open_reader(form: Form, *, chart: bool) -> Reader:
    from toolkit.cli.chart import Reader

    return Reader(form, chart=chart)


def _format_list(recordings: tuple[Recording, ...]) -> Iterator[str]:
    width = render.terminal_width()
    names = max(len(one.run.id) for one in recordings)
    variants = max(len(one.run.variant) for one in recordings)
    for one in recordings:
        seconds = f"{one.result.seconds:.1f} s" if one.result else ""
        arguments = shlex.join(one.run.arguments)
        line = f"{one.run.id:<{names}}  {_outcome(one):<12}  {seconds:>8}  {one.run.variant:<{variants}}  {arguments}"
        yield render.cut(line.rstrip(), width) if width else line.rstrip()


def _outcome(recording: Recording) -> str:
    """One word: how it ended. Without a result, the run goes on or its launcher died."""
    result = recording.result
    if result is None:
        return "no result"
    if result.outcome is Outcome.ENDED and result.tool_status:
        return f"status {result.tool_status}"
    return "stopped" if result.outcome is Outcome.OUTPUT_CLOSED else result.outcome


def _format_one(recording: Recording) -> Iterator[str]:
    run, result = recording.run, recording.result
    started = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(run.started))
    yield f"{render.paint(run.tool, bold=True)} {shlex.join(run.arguments)}".rstrip()
    yield f"  variant    {run.variant} {run.revision}".rstrip()
    yield f"  command    {shlex.join(run.argv)}"
    yield f"  why        {run.why}"
    yield f"  started    {started} by {run.user} on {run.host}, kernel {run.kernel}"
    if result is None:
        yield "  ended      no result: it is still running, or its launcher died"
    else:
        yield f"  ended      {narrate.describe_end(result)}; exit status {result.status}"
        if result.cost.attached:
            yield f"  attached   {', '.join(result.cost.attached[:6])}{' …' if len(result.cost.attached) > 6 else ''}"
    yield f"  folder     {recording.path}"


def _copy(file: Path, reader: Reader | None) -> None:
    """Its bytes as they are, or what a reader makes of them."""
    try:
        source = file.open("rb")
    except OSError as error:
        raise StateError(f"cannot read {file}: {error.strerror}") from error
    with source:
        while data := source.read(1 << 16):
            if write_all(1, reader.take(data) if reader else data):
                raise BrokenPipeError
    if reader and write_all(1, reader.finish()):
        raise BrokenPipeError
