"""`toolkit man TOOL`: a tool's manual page."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli import render
from toolkit.cli.documents import NoDocument, find_variants, make_safe, plain_roff, read_document
from toolkit.cli.examples import show
from toolkit.cli.names import complete_tool
from toolkit.cli.session import open_session
from toolkit.command import capture_command


@click.command("man")
@click.argument("tool", shell_complete=complete_tool)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(tool: str, as_json: bool) -> None:
    """The manual page of TOOL; `bcc/TOOL` asks for that of one source."""
    asked, variants = find_variants(open_session(), tool)
    one = next((variant for variant in variants if variant.found.man), None)
    if one is None:
        raise NoDocument(f"no manual page of {asked.tool.name} is on this host", fix="`toolkit examples` may help")
    path = Path(one.found.man)
    show(asked.tool.name, one.id, path, as_json=as_json, text=format_page(path))


def format_page(path: Path) -> str:
    """A manual page as text: by man(1) where it is installed, else without its mark-up."""
    width = render.terminal_width() or 80
    # A page of a stranger's can keep the programs that format it at work for ever.
    call, environ = ("man", "--local-file", "--nj", str(path)), {"MANWIDTH": str(min(width, 100))}
    done = capture_command(call, environ=environ, starts_others=True)
    return make_safe(done.stdout) if done.ok and done.stdout else plain_roff(read_document(path))
