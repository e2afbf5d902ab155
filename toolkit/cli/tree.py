"""`toolkit tree [CATEGORY]`: the catalog as a tree, and the folder whose files run its tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from toolkit.catalog.query import require_category
from toolkit.cli import render
from toolkit.cli.list import NAME_WIDTH, Row, explain_marks, format_row, make_rows
from toolkit.cli.names import complete_category
from toolkit.cli.places import own_home, own_paths
from toolkit.cli.session import Session, open_session
from toolkit.errors import StateError
from toolkit.model import Value
from toolkit.paths import Paths, own_command
from toolkit.snapshot.tree import TreeRules, fits_tree

if TYPE_CHECKING:
    from toolkit.catalog.curated import Curated

INDENT = 8  # columns of the lines before a tool's name
NO_FILES = "`toolkit sync` makes its files"


class Branch(Value, frozen=True, omit_defaults=False):
    """One category of the tree; a tool of two categories is in both."""

    name: str
    summary: str
    tools: tuple[Row, ...]


class Document(Value, frozen=True, omit_defaults=False):
    """The document of `tree --json`; `path` is null before the first sync."""

    shape: int
    kernel: str
    path: str | None
    categories: tuple[Branch, ...]


@click.command("tree")
@click.argument("category", required=False, shell_complete=complete_category)
@click.option("--path", "only_path", is_flag=True, help="Print only its folder: cd $(toolkit tree --path)")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(category: str | None, only_path: bool, as_json: bool) -> None:
    """The catalog as a tree, and the folder whose files run its tools.

    A file of the tree is a tool: `./disk/biolatency 10 1` there is `toolkit run disk/biolatency 10 1`. It names all
    tools that are known, also those that are not on this host; a tool of two categories is in both.
    """
    if only_path and category is None and not as_json:
        _print_path(own_paths())
        return
    session = open_session()
    name = require_category(session.index, category) if category else None
    if only_path:
        _print_path(session.paths, name)
        return
    path = str(session.paths.tree) if session.paths.tree.is_dir() else None
    branches = tuple(_find_branches(session, name))
    if as_json:
        kernel = session.facts.release
        render.print_json(Document(shape=render.SHAPE, kernel=kernel, path=path, categories=branches))
        return
    render.print_lines((path or "tree", *_format(branches, render.terminal_width())))
    if path is None:
        click.echo(f"There is no tree on this host yet: {NO_FILES}.", err=True)


def make_rules(curated: Curated, paths: Paths) -> TreeRules:
    """What the tree of this user's state is made from."""
    return TreeRules(curated=curated, command=own_command(), home=own_home(paths))


def _print_path(paths: Paths, category: str | None = None) -> None:
    path = paths.tree / category if category else paths.tree
    if not path.is_dir():
        raise StateError(f"there is no {path} yet", fix=NO_FILES)
    render.print_lines((str(path),))


def _find_branches(session: Session, category: str | None) -> Iterator[Branch]:
    """The categories with the tools that are files of the tree: the curated ones, and what a sync brought."""
    synced = {one.tool for one in session.index.variants if one.found.source != "packages"}
    rows = tuple(
        row for row in make_rows(session, category) if fits_tree(row.name) and (row.curated or row.name in synced)
    )
    for one in session.index.categories:
        inside = tuple(row for row in rows if one.name in (row.category, *row.also))
        if inside and category in (None, one.name):
            yield Branch(name=one.name, summary=one.summary, tools=inside)


def _format(branches: tuple[Branch, ...], width: int | None) -> Iterator[str]:
    room = width - INDENT if width else None
    middle, end, beside = ("├── ", "└── ", "│   ") if render.can_print("├└│─") else ("|-- ", "`-- ", "|   ")
    for number, branch in enumerate(branches, 1):
        corner, line = (end, "    ") if number == len(branches) else (middle, beside)
        name = render.paint(f"{branch.name:<{NAME_WIDTH}}", bold=True)
        summary = render.cut(branch.summary, width - NAME_WIDTH - 6) if width else branch.summary
        yield f"{corner}{name}  {render.paint(summary, dim=True)}"
        for position, row in enumerate(branch.tools, 1):
            corner = end if position == len(branch.tools) else middle
            yield f"{line}{corner}{format_row(row, room)}"
    marks = explain_marks(row for branch in branches for row in branch.tools)
    if marks:
        yield from ("", *render.wrap(marks, 0, width))
