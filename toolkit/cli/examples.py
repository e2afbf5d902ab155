"""`toolkit examples TOOL`: the example text that came with a tool."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli import render
from toolkit.cli.documents import NoDocument, find_variants, read_document
from toolkit.cli.names import complete_tool
from toolkit.cli.session import open_session
from toolkit.model import Value


class Document(Value, frozen=True, omit_defaults=False):
    """The document of `examples` and `man` with --json."""

    shape: int
    tool: str
    variant: str
    path: str
    text: str


@click.command("examples")
@click.argument("tool", shell_complete=complete_tool)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(tool: str, as_json: bool) -> None:
    """The example text of TOOL as its authors wrote it; `bcc/TOOL` asks for those of one source."""
    asked, variants = find_variants(open_session(), tool)
    one = next((variant for variant in variants if variant.found.example), None)
    if one is None:
        raise NoDocument(
            f"no examples of {asked.tool.name} are on this host",
            fix="some distributions leave documents out (dpkg's path-exclude); `toolkit man` and `info` may help",
        )
    show(asked.tool.name, one.id, Path(one.found.example), as_json=as_json)


def show(tool: str, variant: str, path: Path, *, as_json: bool, text: str | None = None) -> None:
    """Print a document, through a pager on a terminal, or as JSON."""
    content = read_document(path) if text is None else text
    if as_json:
        render.print_json(Document(shape=render.SHAPE, tool=tool, variant=variant, path=str(path), text=content))
    else:
        print_text(content)


def print_text(text: str) -> None:
    """Print a text, through a pager on a terminal."""
    if render.terminal_width() is None:
        render.print_lines(text.splitlines())
    else:
        click.echo_via_pager(text)
