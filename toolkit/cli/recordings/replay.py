"""`toolkit recordings replay`: print what a run printed, each piece when it came."""

from __future__ import annotations

import time
from pathlib import Path

import click

from toolkit.cli.numbers import Amount
from toolkit.cli.places import own_paths
from toolkit.cli.sinks import write_all
from toolkit.recordings.read import find_recording
from toolkit.recordings.replay import read_pieces, shorten_pause

DESCRIPTORS = {"O": 1, "E": 2}


@click.command("replay")
@click.argument("name", default="last")
@click.option("--speed", "-s", default=1.0, type=Amount(0.001, 1e6), metavar="N", help="N times as fast (1).")
@click.option("--max-wait", "-w", type=Amount(0), metavar="SECONDS", help="No pause is longer than this.")
def command(name: str, speed: float, max_wait: float | None) -> None:
    """Print what a run printed, as it came: stdout on stdout, stderr on stderr. ^C ends it.

    NAME is its name, the beginning of it, or `last`.
    """
    path = Path(find_recording(own_paths().recordings, name).path)
    due, before = time.monotonic(), 0.0
    for step, data in read_pieces(path):
        due += shorten_pause(step.time - before, speed, max_wait)
        before = step.time
        time.sleep(max(0.0, due - time.monotonic()))
        if write_all(DESCRIPTORS[step.stream], data):
            raise BrokenPipeError
