"""Arguments that name a tool or a category, with completion in the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_tool(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Tool names that begin with what was typed, each with its summary."""
    from click.shell_completion import CompletionItem

    from toolkit.cli.places import own_paths
    from toolkit.errors import ToolkitError
    from toolkit.snapshot.index import load_index

    try:
        tools = load_index(own_paths()).tools
    except ToolkitError:
        return []
    return [CompletionItem(tool.name, help=tool.summary) for tool in tools if tool.name.startswith(incomplete)]


def complete_category(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Category names that begin with what was typed."""
    from click.shell_completion import CompletionItem

    from toolkit.cli.places import own_paths
    from toolkit.errors import ToolkitError
    from toolkit.snapshot.index import load_index

    try:
        categories = load_index(own_paths()).categories
    except ToolkitError:
        return []
    return [CompletionItem(one.name, help=one.summary) for one in categories if one.name.startswith(incomplete)]
