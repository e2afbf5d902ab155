"""What the curated catalog is; `load` reads it, with YAML, which others that only hold one need not load."""

from __future__ import annotations

from toolkit.model import Category, Source, Tool, Trouble, Value


class Curated(Value, frozen=True):
    """The whole curated catalog, tools in order of their names."""

    categories: tuple[Category, ...]
    sources: tuple[Source, ...]
    tools: tuple[Tool, ...]
    troubles: tuple[Trouble, ...] = ()
