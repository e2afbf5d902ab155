"""Build the index: join found files, what their text says, and the curated catalog. Reads files, writes none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from toolkit import analysis
from toolkit.catalog.guess import guess_category
from toolkit.catalog.load import Curated
from toolkit.model import Analysis, Engine, Found, Index, Tool, Variant
from toolkit.trust import read_trusted

Analyser = Callable[[Engine, bytes, str], Analysis]


@dataclass(frozen=True)
class Unreadable:
    """A file that a source offered and that cannot be taken, with the reason."""

    path: str
    why: str


def build_index(
    curated: Curated,
    found: tuple[Found, ...],
    known: dict[str, Analysis],
    analyse: Analyser = analysis.analyze,
) -> Index:
    """Read and analyse every found file; `known` holds earlier analyses by `analysis_key`, to save the work."""
    names = {name: tool.name for tool in curated.tools for name in (tool.name, *tool.aliases)}
    variants: list[Variant] = []
    skipped: list[str] = []
    for one in found:
        taken = _take_file(one, names, known, analyse)
        if isinstance(taken, Unreadable):
            skipped.append(f"{taken.path}: {taken.why}")
        else:
            variants.append(taken)
    return Index(
        categories=curated.categories,
        tools=_join_tools(curated, tuple(variants)),
        variants=tuple(variants),
        skipped=tuple(skipped),
    )


def analysis_key(one: Found, sha256: str) -> str:
    """The key of `known`: the same bytes mean the same only to the same engine and under the same name.

    xfsslower and ext4slower are links to one program, fsslower, which acts on the name that it is started by.
    """
    return f"{one.engine}:{one.stem}:{sha256}"


def _take_file(
    one: Found, names: dict[str, str], known: dict[str, Analysis], analyse: Analyser
) -> Variant | Unreadable:
    try:
        data, distrust = read_trusted(one)
    except OSError as error:
        return Unreadable(one.path, error.strerror or str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    read = known.get(analysis_key(one, sha256)) or analyse(one.engine, data, one.stem)
    tool = names.get(one.stem, one.stem)
    return Variant(tool=tool, found=one, analysis=read, sha256=sha256, distrust=distrust)


def _join_tools(curated: Curated, variants: tuple[Variant, ...]) -> tuple[Tool, ...]:
    tools = {tool.name: tool for tool in curated.tools}
    categories = {category.name for category in curated.categories}
    for variant in variants:
        if variant.tool not in tools:
            hint = variant.found.category
            tools[variant.tool] = Tool(
                name=variant.tool,
                category=hint if hint in categories else guess_category(variant.analysis.probes),
                summary=variant.analysis.summary[:80],
                curated=False,
            )
    return tuple(tools[name] for name in sorted(tools))
