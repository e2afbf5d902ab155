"""`toolkit source TOOL`: the text of the variant that would run."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli.documents import NoDocument, find_variants
from toolkit.cli.examples import show
from toolkit.cli.names import complete_tool
from toolkit.cli.session import open_session
from toolkit.model import Engine


@click.command("source")
@click.argument("tool", shell_complete=complete_tool)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(tool: str, as_json: bool) -> None:
    """The program text of TOOL: of the variant that would run, if it is a script; `bcc/TOOL` asks for another."""
    asked, variants = find_variants(open_session(), tool)
    one = next((variant for variant in variants if variant.engine is not Engine.NATIVE), None)
    if one is None:
        programs = ", ".join(f"{variant.found.path} is compiled" for variant in variants) or "there is no variant"
        raise NoDocument(f"no text of {asked.tool.name} is on this host: {programs}")
    show(asked.tool.name, one.id, Path(one.found.path), as_json=as_json)
