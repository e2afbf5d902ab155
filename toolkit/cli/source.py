"""`toolkit source TOOL`: the text of the variant that would run."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli import render
from toolkit.cli.documents import NoDocument, find_variants, read_document
from toolkit.cli.examples import print_text
from toolkit.cli.names import complete_tool
from toolkit.cli.narrate import say
from toolkit.cli.session import open_session
from toolkit.model import Engine, Value, Variant


class Text(Value, frozen=True, omit_defaults=False):
    """One file of a program's text."""

    path: str
    text: str


class Texts(Value, frozen=True, omit_defaults=False):
    """The document of `source --json`; a script has one file, a compiled program several."""

    shape: int
    tool: str
    variant: str
    revision: str
    files: tuple[Text, ...]


@click.command("source")
@click.argument("tool", shell_complete=complete_tool)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(tool: str, as_json: bool) -> None:
    """The program text of TOOL: of the variant that would run; `bcc/TOOL` asks for another.

    Of a compiled program that is the C text of the release that its package was made from, where `toolkit sync` has
    fetched it.
    """
    asked, variants = find_variants(open_session(), tool)
    one = next((variant for variant in variants if _list_files(variant)), None)
    if one is None:
        programs = ", ".join(f"{variant.found.path} is compiled" for variant in variants) or "there is no variant"
        raise NoDocument(
            f"no text of {asked.tool.name} is on this host: {programs}",
            fix="`toolkit sync` fetches the text of what upstream keeps in git",
        )
    if one is not variants[0]:
        say(
            f"this is {one.id}; of {variants[0].id}, which is compiled, no text is here",
            "`toolkit sync` fetches it, where upstream keeps it in git",
        )
    texts = tuple(Text(path=path, text=read_document(Path(path))) for path in _list_files(one))
    revision = next(iter(one.found.texts), one.found.revision)
    if as_json:
        document = Texts(shape=render.SHAPE, tool=asked.tool.name, variant=one.id, revision=revision, files=texts)
        render.print_json(document)
    elif one.engine is Engine.NATIVE:
        print_text("\n".join(f"==> {_describe_file(one, text, revision)} <==\n{text.text}" for text in texts))
    else:
        print_text(texts[0].text)


def _list_files(variant: Variant) -> tuple[str, ...]:
    if variant.engine is not Engine.NATIVE:
        return (variant.found.path,)
    return next(iter(variant.found.texts.values()), ())


def _describe_file(variant: Variant, text: Text, revision: str) -> str:
    package = f"; the package is {variant.found.revision}" if variant.found.revision else ""
    return f"{Path(text.path).name} of {variant.found.upstream} {revision}{package}"
