"""`toolkit recordings …`: what earlier runs printed, and how they ended. A subcommand is loaded when it is called."""

from __future__ import annotations

import click

from toolkit.cli.group import LazyGroup

COMMANDS = {
    "list": "The newest recordings, or those that you ask for.",
    "show": "What one run printed, and how it ended.",
    "replay": "Print it again, as it came.",
    "export": "In a form that other programs read.",
    "diff": "What changed from one to another.",
    "tag": "Tag a recording: it is kept, and found by it.",
    "untag": "Take tags off.",
    "prune": "Remove recordings by age, number and size.",
}


def _load(name: str) -> click.Command:
    # Imports by statement, not by string: a reader and a type checker can follow them.
    match name:
        case "list":
            from toolkit.cli.recordings.list import command
        case "show":
            from toolkit.cli.recordings.show import command
        case "replay":
            from toolkit.cli.recordings.replay import command
        case "export":
            from toolkit.cli.recordings.export import command
        case "diff":
            from toolkit.cli.recordings.diff import command
        case "tag":
            from toolkit.cli.recordings.tag import tag_command as command
        case "untag":
            from toolkit.cli.recordings.tag import untag_command as command
        case "prune":
            from toolkit.cli.recordings.prune import command
        case _:
            raise KeyError(name)
    return command


@click.group("recordings", cls=LazyGroup, names=COMMANDS, load=_load)
def command() -> None:
    """What earlier runs printed, and how they ended."""
