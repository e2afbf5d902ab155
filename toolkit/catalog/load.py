"""The curated catalog: categories.yaml, sources.yaml, tools/<category>.yaml, known.yaml, checked as they are read.

A mistake in any of them is a SettingsError that names file, line and key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from toolkit.catalog.curated import Curated
from toolkit.documents import Entry, convert_entry, point_at, read_entries
from toolkit.errors import SettingsError
from toolkit.model import (
    Category,
    Engine,
    Need,
    NeedKind,
    Risk,
    Source,
    Status,
    Tool,
    ToolFiles,
    Trouble,
    Value,
)
from toolkit.troubles import is_range

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII | re.IGNORECASE)
Line = Annotated[str, msgspec.Meta(min_length=3, max_length=80)]
# 52 columns is what an 80-column terminal leaves beside the name and the verdict.
Summary = Annotated[str, msgspec.Meta(min_length=10, max_length=52)]
Text = Annotated[str, msgspec.Meta(min_length=10, max_length=300)]
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
    instead: tuple[str, ...] = ()


class Condition(Value, frozen=True):
    """Needs as text, `kind:name`: all of `has` must be met and none of `lacks`."""

    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class TroubleEntry(Value, frozen=True):
    """One entry of known.yaml."""

    variants: Annotated[tuple[Annotated[str, msgspec.Meta(pattern="^[^/]+/[^/]+$")], ...], msgspec.Meta(min_length=1)]
    verdict: Literal["blocked", "partial"]
    symptom: Text
    why: Text
    link: Annotated[str, msgspec.Meta(pattern="^https://")]
    revisions: str = ""
    when: Condition = Condition()
    blind: bool = False
    fix: str = ""


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
    for name, tool in tools.items():
        for other in tool.instead:
            if other not in tools or other == name:
                raise point_at(names[name], f"{other!r} is not another tool", "instead")
    return Curated(
        categories=categories,
        sources=load_sources(folder),
        tools=tuple(tools[name] for name in sorted(tools)),
        troubles=load_troubles(folder),
    )


def load_sources(folder: Path) -> tuple[Source, ...]:
    """Read and check sources.yaml alone, which is all that a sync needs. Raises SettingsError."""
    return tuple(_read_source(entry) for entry in read_entries(folder / "sources.yaml"))


def load_troubles(folder: Path) -> tuple[Trouble, ...]:
    """Read and check known.yaml, which need not be there. Raises SettingsError."""
    file = folder / "known.yaml"
    return tuple(_read_trouble(entry) for entry in read_entries(file)) if file.exists() else ()


def _read_trouble(entry: Entry) -> Trouble:
    given = convert_entry(entry, TroubleEntry)
    if given.revisions and not is_range(given.revisions):
        raise point_at(entry, f"{given.revisions!r} is not a range of versions such as >=0.26,<0.27", "revisions")
    if given.blind and given.verdict == "blocked":
        raise point_at(entry, "only what is partial can be blind", "blind")
    return Trouble(
        id=_check_name(entry, entry.key),
        variants=given.variants,
        status=Status(given.verdict),
        symptom=given.symptom,
        why=given.why,
        link=given.link,
        revisions=given.revisions,
        has=tuple(_read_need(entry, text) for text in given.when.has),
        lacks=tuple(_read_need(entry, text) for text in given.when.lacks),
        blind=given.blind,
        fix=given.fix,
    )


def _read_need(entry: Entry, text: str) -> Need:
    kind, _, name = text.partition(":")
    if kind not in tuple(NeedKind):
        raise point_at(entry, f"{text!r} is not a need such as struct_field:slab or engine:bcc>=0.27", "when")
    if kind == NeedKind.ENGINE and name.partition(">=")[0] not in tuple(Engine):
        raise point_at(entry, f"{text!r} names no engine; there are {', '.join(Engine)}", "when")
    return Need(kind=NeedKind(kind), name=name)


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
        instead=given.instead,
    )


def _check_name(entry: Entry, name: str, key: str = "") -> str:
    if not NAME.fullmatch(name):
        raise point_at(entry, f"{name!r} is not a name: letters, digits, and . _ - inside", key)
    return name


def _claim_name(names: dict[str, Entry], name: str, entry: Entry) -> None:
    other = names.setdefault(name, entry)
    if other is not entry:
        raise point_at(entry, f"{name!r} is already taken by {other.key} ({other.file.name}:{other.line})")
