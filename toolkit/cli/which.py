"""`toolkit which TOOL [ARGS]`: the variant that `run` would take."""

from __future__ import annotations

import click

from toolkit.catalog.query import resolve_name
from toolkit.choose import choose
from toolkit.cli import render
from toolkit.cli.names import complete_tool
from toolkit.cli.refuse import refuse
from toolkit.cli.session import open_session
from toolkit.model import Value, Verdict


class Answer(Value, frozen=True, omit_defaults=False):
    """The document of `which --json`."""

    shape: int
    tool: str
    variant: str
    engine: str
    path: str
    arguments: tuple[str, ...]
    why: str
    verdict: Verdict


@click.command("which", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@click.argument("tool", shell_complete=complete_tool)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(as_json: bool, tool: str, arguments: tuple[str, ...]) -> None:
    """Which variant `run` would take for TOOL with these ARGUMENTS, and its file.

    Exits with 125 when no variant takes these ARGUMENTS, 126 when none can run here, and 127 when there is no such
    tool.
    """
    session = open_session()
    asked = resolve_name(session.index, tool)
    chosen = choose(asked.variants, session.facts, arguments, pinned=asked.pinned, trials=session.trials)
    if chosen.choice is None:
        raise refuse(asked, chosen, session, arguments)
    choice = chosen.choice
    if as_json:
        answer = Answer(
            shape=render.SHAPE,
            tool=asked.tool.name,
            variant=choice.variant.id,
            engine=choice.variant.engine,
            path=choice.variant.found.path,
            arguments=choice.arguments,
            why=choice.why,
            verdict=choice.verdict,
        )
        render.print_json(answer)
        return
    first = f"{choice.variant.id}  {choice.variant.found.path}"
    render.print_lines((first, f"  {choice.verdict.status} ({choice.verdict.basis}); {choice.why}"))
