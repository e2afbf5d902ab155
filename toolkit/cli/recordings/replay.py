"""`toolkit recordings replay`: print what a run printed, each piece when it came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.cli.events import raise_problem
from toolkit.cli.numbers import Amount
from toolkit.cli.places import own_paths
from toolkit.launch.outgoing import write_all
from toolkit.recordings.layout import Recording
from toolkit.recordings.read import find_recording
from toolkit.recordings.replay import Step, read_pieces, shorten_pause

DESCRIPTORS = {"O": 1, "E": 2}

Pieces = Iterator[tuple[Step, bytes]]


@click.command("replay")
@click.argument("name", default="last")
@click.option("--speed", "-s", default=1.0, type=Amount(0.001, 1e6), metavar="N", help="N times as fast (1).")
@click.option("--max-wait", "-w", type=Amount(0), metavar="SECONDS", help="No pause is longer than this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: run, output, result (docs/json.md).")
def command(name: str, speed: float, max_wait: float | None, as_json: bool) -> None:
    """Print what a run printed, as it came: stdout on stdout, stderr on stderr. ^C ends it.

    NAME is its name, the beginning of it, or `last`.
    """
    recording = find_recording(own_paths().recordings, name)
    pieces = _wait_for(read_pieces(Path(recording.path)), speed, max_wait)
    for descriptor, data in _encode(recording, pieces) if as_json else _show(pieces):
        raise_problem(write_all(descriptor, data))


def _wait_for(pieces: Pieces, speed: float, max_wait: float | None) -> Pieces:
    """Each piece when it is due."""
    due, before = time.monotonic(), 0.0
    for step, data in pieces:
        due += shorten_pause(step.time - before, speed, max_wait)
        before = step.time
        time.sleep(max(0.0, due - time.monotonic()))
        yield step, data


def _show(pieces: Pieces) -> Iterator[tuple[int, bytes]]:
    for step, data in pieces:
        yield DESCRIPTORS[step.stream], data


def _encode(recording: Recording, pieces: Pieces) -> Iterator[tuple[int, bytes]]:
    from toolkit.recordings.export.lines import SHAPE, ResultEvent, RunEvent, encode_line, list_output

    yield 1, encode_line(RunEvent(shape=SHAPE, run=recording.run))
    for event in list_output(pieces):
        yield 1, encode_line(event)
    yield 1, encode_line(ResultEvent(result=recording.result, problem=recording.problem))
