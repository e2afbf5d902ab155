"""A group of commands that are imported when one is called, so that its help costs none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """`names` are the commands with a line of help each; `load` imports the command of a name."""

    def __init__(self, *args: Any, names: Mapping[str, str], load: Callable[[str], click.Command], **more: Any) -> None:
        super().__init__(*args, **more)
        self._names = names
        self._load = load

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._load(cmd_name) if cmd_name in self._names else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._names.items()))
