"""`toolkit recordings show`: what one run printed, and how it ended."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli import narrate, render
from toolkit.cli.events import raise_problem
from toolkit.cli.places import own_paths
from toolkit.errors import StateError
from toolkit.launch.outgoing import write_all
from toolkit.recordings.files import open_file, open_folder
from toolkit.recordings.layout import Recording, State
from toolkit.recordings.read import find_recording
from toolkit.runs import Form

if TYPE_CHECKING:
    from toolkit.cli.chart import Reader

INDENT = 13  # columns of the words


@click.command("show")
@click.argument("name", default="last")
@click.option("--stderr", is_flag=True, help="What it printed on stderr, instead of stdout.")
@click.option("--raw", is_flag=True, help="Only the bytes that it printed.")
@click.option("--chart", is_flag=True, help="Draw its histograms with percentiles, and a heat map of all intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(name: str, stderr: bool, raw: bool, chart: bool, as_json: bool) -> None:
    """What one run printed, and how it ended. NAME is its name, the beginning of it, or `last`."""
    recording = find_recording(own_paths().recordings, name)
    if as_json:
        render.print_document(recording)
        return
    if not raw:
        # What was recorded elsewhere may hold anything; only what it printed is passed on as it is.
        first, *facts = map(render.printable, _format(recording))
        rest = render.wrap_facts(facts, INDENT, render.terminal_width())
        render.print_lines((render.paint(first, bold=True), *rest, ""))
    drawn = not (stderr or raw) and (chart or recording.run.form is not Form.TEXT)
    reader = _open_reader(recording.run.form, chart=chart) if drawn else None
    _copy(Path(recording.path), "stderr" if stderr else "stdout", reader)


def _open_reader(form: Form, *, chart: bool) -> Reader:
    from toolkit.cli.chart import Reader

    return Reader(form, chart=chart)


def _format(recording: Recording) -> Iterator[str]:
    run, result = recording.run, recording.result
    started = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(run.started))
    yield f"{run.tool} {shlex.join(run.arguments)}".rstrip()
    yield f"  variant    {run.variant} {run.revision}".rstrip()
    yield f"  command    {shlex.join(run.argv)}"
    yield f"  why        {run.why}"
    yield f"  started    {started} by {run.user} on {run.host}, kernel {run.kernel}"
    yield f"  limits     {run.deadline:g} s; {'; '.join(narrate.describe_limits(run.limits))}"
    yield f"  held by    {narrate.describe_means(run.enforcement)}"
    if result is not None:
        yield f"  ended      {narrate.describe_end(result)}; exit status {result.status}"
        if result.cost.attached:
            yield f"  attached   {', '.join(result.cost.attached[:6])}{' …' if len(result.cost.attached) > 6 else ''}"
    elif recording.running:
        so_far = render.format_duration(max(0.0, time.time() - run.started))
        yield f"  running    for {so_far}; this is what it printed so far"
    elif recording.state is State.CRASHED:
        yield "  crashed    its launcher died before it ended; this is what it printed until then"
    if recording.problem:
        yield f"  problem    {recording.problem}"
    if recording.tags:
        yield f"  tags       {' '.join(recording.tags)}"
    yield f"  folder     {recording.path}"


def _copy(path: Path, name: str, reader: Reader | None) -> None:
    """Its bytes as they are, or what a reader makes of them."""
    problem = ""
    try:
        with open_folder(path) as place, open_file(name, place) as source:
            while not problem and (data := source.read(1 << 16)):
                problem = write_all(1, reader.take(data) if reader else data)
        if reader and not problem:
            problem = write_all(1, reader.finish())
    except OSError as error:
        raise StateError(f"cannot read {path / name}: {error.strerror}") from error
    raise_problem(problem)
