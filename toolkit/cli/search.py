"""`toolkit search WORDS`: tools by what they do, help with, or say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.catalog.search import Hit, rank_tools
from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.documents import plain_roff, read_document
from toolkit.cli.list import NAME_WIDTH, explain_marks, format_status
from toolkit.cli.numbers import Number
from toolkit.cli.session import Session, open_session
from toolkit.errors import StateError
from toolkit.model import Basis, Status, Value


class Result(Value, frozen=True, omit_defaults=False):
    """One tool that fits."""

    name: str
    category: str
    summary: str
    status: Status | None
    basis: Basis | None
    blind: bool
    score: float
    found: tuple[str, ...]


class Results(Value, frozen=True, omit_defaults=False):
    """The document of `search --json`."""

    shape: int
    words: str
    tools: tuple[Result, ...]


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", "-n", default=20, type=Number(1), show_default=True, help="At most so many, best first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(words: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Tools that WORDS speak of: in names, summaries, symptoms ("slow disk") and manual pages.

    The best come first, those that are not on this host last.

    Exits with 1 when nothing fits.
    """
    session = open_session()
    text = " ".join(words)
    hits = rank_tools(session.index.tools, text, _read_documents(session))
    here = {variant.tool for variant in session.index.variants}
    # What is not on this host is no help now; it comes last, in its own order.
    ordered = sorted(hits, key=lambda hit: hit.tool.name not in here)
    results = tuple(_make_result(session, hit) for hit in ordered[:limit])
    if as_json:
        render.print_json(Results(shape=render.SHAPE, words=text, tools=results))
    elif results:
        render.print_lines(_format(results))
    else:
        click.echo(f"Nothing speaks of {render.cut_middle(repr(text))}. `toolkit list` shows every tool.", err=True)
    return 0 if results else 1


def _read_documents(session: Session) -> dict[str, str]:
    """The manual pages on this host, by tool; one that cannot be read is no reason not to find the others."""
    documents: dict[str, str] = {}
    for variant in session.index.variants:
        if variant.found.man and variant.tool not in documents:
            try:
                documents[variant.tool] = plain_roff(read_document(Path(variant.found.man)))
            except StateError:
                continue
    return documents


def _make_result(session: Session, hit: Hit) -> Result:
    variants = tuple(one for one in session.index.variants if one.tool == hit.tool.name)
    judged = judge_all(variants, session.facts, session.trials)
    return Result(
        name=hit.tool.name,
        category=hit.tool.category,
        summary=hit.tool.summary,
        status=judged[0].verdict.status if judged else None,
        basis=judged[0].verdict.basis if judged else None,
        blind=judged[0].verdict.blind if judged else False,
        score=round(hit.score, 1),
        found=hit.found,
    )


def _format(results: tuple[Result, ...]) -> Iterator[str]:
    width = render.terminal_width()
    for one in results:
        room = width - NAME_WIDTH - 11 if width else len(one.summary)
        yield f"{one.name:<{NAME_WIDTH}}  {format_status(one)} {render.cut(one.summary, room)}"
    marks = explain_marks(results)
    if marks:
        yield from ("", *render.wrap(marks, 0, width))
