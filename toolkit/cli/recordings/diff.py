"""`toolkit recordings diff`: what changed from one recording to another."""

from __future__ import annotations

import click

from toolkit.cli import render
from toolkit.cli.places import own_paths
from toolkit.cli.recordings.diff_report import DiffReport, describe
from toolkit.output.compare import Seconds, compare
from toolkit.output.digest import Digest
from toolkit.output.gather import gather
from toolkit.recordings.content import measure_seconds, read_frames
from toolkit.recordings.facts import list_changes, list_doubts
from toolkit.recordings.layout import Recording
from toolkit.recordings.read import find_recording


@click.command("diff")
@click.argument("before")
@click.argument("after", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(before: str, after: str, as_json: bool) -> None:
    """What changed from one recording to another: distributions, rows of tables, stacks, values.

    BEFORE and AFTER are names of recordings, or beginnings of them; AFTER is the last one unless named.
    """
    folder = own_paths().recordings
    report = make_report(find_recording(folder, before), find_recording(folder, after))
    if as_json:
        render.print_json(report)
        return
    width = render.terminal_width() or 80
    unicode = render.can_print("█▏")
    render.print_lines(describe(report, width=min(max(width, 60), 120), unicode=unicode))


def make_report(before: Recording, after: Recording) -> DiffReport:
    """Read both, one after the other, and compare them."""
    old = _digest(before, Digest())
    new = _digest(after, Digest(old.roles))
    seconds = Seconds(measure_seconds(before), measure_seconds(after))
    return DiffReport(
        shape=render.SHAPE,
        before=before,
        after=after,
        seconds=seconds,
        changes=list_changes(before, after),
        doubts=list_doubts(before, after),
        comparison=compare(old, new, seconds),
    )


def _digest(recording: Recording, digest: Digest) -> Digest:
    for _, frame in read_frames(recording):
        gather(frame, digest)
    return digest
