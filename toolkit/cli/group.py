"""A group of commands: its help, and what it says of a name that is none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from toolkit.errors import UsageError

HELP_WIDTH = 1000  # more than any line of help: click would cut it at 45


class Group(click.Group):
    """Called alone it prints its help, as `toolkit` does."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.invoke_without_command, self.no_args_is_help = True, False

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named, or print the help where none is."""
        try:
            done = super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            command = self.get_command(ctx, name) if name else None
            if command and error.ctx is None:  # an option without its value: click does not say whose
                error.ctx = click.Context(command, parent=ctx, info_name=name)
            raise
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return done

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named. Raises UsageError for a name that is none."""
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise UsageError(f"there is no command named {args[0]!r}", fix=self.suggest(ctx, args))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order in which a reader wants them, not the alphabet's."""
        return list(self.commands)

    def suggest(self, ctx: click.Context, args: list[str]) -> str:
        """What may have been meant."""
        import difflib

        near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.75)
        return f"did you mean `{ctx.command_path} {near[0]}`?" if near else f"`{ctx.command_path} --help` shows them"

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line a command, none of them cut."""
        with formatter.section("Commands"):
            formatter.write_dl(self.list_help(ctx))

    def list_help(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Each command with a line of help."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        return [(name, one.get_short_help_str(HELP_WIDTH)) for name, one in commands if one]


class LazyGroup(Group):
    """A group that imports a command when it is called: `names` has a line of help for each, `load` imports one."""

    def __init__(self, *args: Any, names: Mapping[str, str], load: Callable[[str], click.Command], **more: Any) -> None:
        super().__init__(*args, **more)
        self._names = names
        self._load = load

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, imported now."""
        return self._load(cmd_name) if cmd_name in self._names else None

    def list_help(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Each command with its line of help."""
        return list(self._names.items())
