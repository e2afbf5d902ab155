"""What is wrong with a command line that click does not take, in our words."""

from __future__ import annotations

import click


def describe_mistake(error: click.UsageError) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    help_of = f"`{error.ctx.command_path if error.ctx else 'toolkit'} --help` shows how it is called"
    match error:
        case click.NoSuchOption():
            near = f"did you mean {' or '.join(sorted(error.possibilities))}? " if error.possibilities else ""
            return f"there is no option {error.option_name!r}", f"{near}{help_of}"
        case click.MissingParameter():
            kind = error.param.type if error.param else None
            choices = f": one of {', '.join(map(str, kind.choices))}" if isinstance(kind, click.Choice) else ""
            return f"{_name(error)} is missing{choices}", help_of
        case click.BadParameter():
            return f"{_name(error)}: {_plain(error.message)}", help_of
        case _:
            return _plain(error.format_message()), help_of


def _name(error: click.BadParameter) -> str:
    """What stands on the command line: --duration, or TOOL."""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return error.param.human_readable_name if error.param else "an argument"


def _plain(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}".removesuffix(".")
