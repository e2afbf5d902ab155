"""`toolkit recordings …`: what earlier runs printed, and how they ended. A subcommand is loaded when it is called."""

from __future__ import annotations

import click

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


class LazyCommands(click.Group):
    """The subcommands, imported when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("recordings", cls=LazyCommands)
def command() -> None:
    """What earlier runs printed, and how they ended."""
