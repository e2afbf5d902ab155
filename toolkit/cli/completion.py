"""`toolkit completion SHELL`: the script that makes a shell complete our commands and tool names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from toolkit.cli import render

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """The completion script for SHELL: bash, zsh or fish.

    \b
    bash: toolkit completion bash > /etc/bash_completion.d/toolkit
    zsh:  toolkit completion zsh  > "${fpath[1]}/_toolkit"
    fish: toolkit completion fish > ~/.config/fish/completions/toolkit.fish
    """
    from toolkit.cli.app import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    render.print_lines((kind(cli, {}, "toolkit", "_TOOLKIT_COMPLETE").source(),))
