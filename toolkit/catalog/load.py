"""The curated catalog: categories.yaml, sources.yaml and tools/<category>.yaml, checked as they are read.

A mistake in any of them is a SettingsError that names file, line and key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec

from toolkit.documents import Entry, convert_entry, point_at, read_entries
from toolkit.errors import SettingsError
from toolkit.model import Category, Engine, Risk, Source, Tool, ToolFiles, Value

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII | re.IGNORECASE)
Line = Annotated[str, msgspec.Meta(min_length=3, max_length=80)]
# 52 columns is what an 80-column terminal leaves beside the name and the verdict.
Summary = Annotated[str, msgspec.Meta(min_length=10, max_length=52)]
Words = Annotated[tuple[Line, ...], msgspec.Meta(min_length=1)]


class CategoryEntry(Value, frozen=True):
    """One entry of categories.yaml."""

    summary: Line
    aliases: tuple[str, ...] = ()


class SourceEntry(Value, frozen=True):
    """One entry of sources.yaml; the fields are those of model.Source."""

    summary: Line
    licence: str = ""
    url: str = ""
    follows: Engine | None = None
    tags: str = ""
    tools: tuple[ToolFiles, ...] = ()
    examples: tuple[str, ...] = ()
    man: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    compiled: dict[str, Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]] = {}
    hints: dict[str, str] = {}
    revisions: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("match",)


class ToolEntry(Value, frozen=True):
    """One entry of tools/<category>.yaml."""

    summary: Summary
    symptoms: Words
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    risk: tuple[Risk, ...] = ()


class Curated(Value, frozen=True):
    """The whole curated catalog, tools in order of their names."""

    categories: tuple[Category, ...]
    sources: tuple[Source, ...]
    tools: tuple[Tool, ...]


def load_curated(folder: Path) -> Curated:
    """Read and check the catalog in a folder. Raises SettingsError."""
    categories = tuple(_read_category(entry) for entry in read_entries(folder / "categories.yaml"))
    known = {category.name for category in categories}
    tools: dict[str, Tool] = {}
    names: dict[str, Entry] = {}
    for file in sorted((folder / "tools").glob("*.yaml")):
        if file.stem not in known:
            raise SettingsError(f"{file}:1: {file.stem} is not a category of categories.yaml")
        for entry in read_entries(file):
            tool = _read_tool(entry, known)
            for name in (tool.name, *tool.aliases):
                _claim_name(names, name, entry)
            tools[tool.name] = tool
    return Curated(
        categories=categories, sources=load_sources(folder), tools=tuple(tools[name] for name in sorted(tools))
    )


def load_sources(folder: Path) -> tuple[Source, ...]:
    """Read and check sources.yaml alone, which is all that a sync needs. Raises SettingsError."""
    return tuple(_read_source(entry) for entry in read_entries(folder / "sources.yaml"))


def _read_category(entry: Entry) -> Category:
    given = convert_entry(entry, CategoryEntry)
    return Category(name=_check_name(entry, entry.key), summary=given.summary, aliases=given.aliases)


def _read_source(entry: Entry) -> Source:
    given = convert_entry(entry, SourceEntry)
    return Source(name=_check_name(entry, entry.key), **msgspec.structs.asdict(given))


def _read_tool(entry: Entry, known: set[str]) -> Tool:
    given = convert_entry(entry, ToolEntry)
    category = entry.file.stem
    for other in given.also:
        if other not in known or other == category:
            raise point_at(entry, f"{other!r} is not another category", "also")
    if given.summary.endswith("."):
        raise point_at(entry, "a summary has no final full stop", "summary")
    for alias in given.aliases:
        _check_name(entry, alias, "aliases")
    return Tool(
        name=_check_name(entry, entry.key),
        category=category,
        summary=given.summary,
        also=given.also,
        aliases=given.aliases,
        risk=given.risk,
        symptoms=given.symptoms,
    )


def _check_name(entry: Entry, name: str, key: str = "") -> str:
    if not NAME.fullmatch(name):
        raise point_at(entry, f"{name!r} is not a name: letters, digits, and . _ - inside", key)
    return name


def _claim_name(names: dict[str, Entry], name: str, entry: Entry) -> None:
    other = names.setdefault(name, entry)
    if other is not entry:
        raise point_at(entry, f"{name!r} is already taken by {other.key} ({other.file.name}:{other.line})")
