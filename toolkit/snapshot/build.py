"""Build the index: join found files, what their text says, and the curated catalog. Reads files, writes none."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from toolkit import analysis
from toolkit.analysis import NO_PARTS
from toolkit.analysis.parts import read_parts
from toolkit.catalog.curated import Curated
from toolkit.catalog.guess import guess_category
from toolkit.model import Analysis, Engine, Found, Index, Risk, Tool, Variant
from toolkit.outside import find_outside
from toolkit.snapshot.shipped import load_shipped
from toolkit.stamps import Stamp
from toolkit.troubles import find_troubles
from toolkit.trust import Trust

Analyser = Callable[[Engine, bytes, str, Mapping[str, bytes]], Analysis]
_INTERPRETER = re.compile(rb"\A#! ?/[\w./ -]{1,100}\n")


@dataclass(frozen=True)
class Unreadable:
    """A file that a source offered and that cannot be taken, with the reason."""

    path: str
    why: str


def build_index(
    curated: Curated,
    found: tuple[Found, ...],
    reader: Reader,
) -> Index:
    """Read and analyse every found file; what the reader has read before is not analysed again."""
    names = {name: tool.name for tool in curated.tools for name in (tool.name, *tool.aliases)}
    variants: list[Variant] = []
    skipped: list[str] = []
    trust = Trust()
    for one in found:
        taken = _take_file(one, names, reader, trust)
        if isinstance(taken, Unreadable):
            skipped.append(f"{taken.path}: {taken.why}")
            continue
        troubles = find_troubles(curated.troubles, one)
        variants.append(msgspec.structs.replace(taken, troubles=troubles) if troubles else taken)
    variants.sort(key=lambda one: one.tool)  # as they are stored: tool by tool
    return Index(
        categories=curated.categories,
        tools=_join_tools(curated, tuple(variants)),
        variants=tuple(variants),
        skipped=tuple(skipped),
        outside=find_outside(variants),
    )


def analysis_key(engine: Engine, stem: str, sha256: str, parts: Mapping[str, bytes] = NO_PARTS) -> str:
    """The key of an analysis: the same bytes mean the same only to one engine, under one name, with the same parts.

    xfsslower and ext4slower are links to one program, fsslower, which acts on the name that it is started by.
    """
    return f"{engine}:{stem}:{sha256}" + "".join(f" {name}:{hash_text(part)}" for name, part in parts.items())


def hash_text(data: bytes) -> str:
    """The SHA-256 of some bytes, as text."""
    return hashlib.sha256(data).hexdigest()


class Taken(NamedTuple):
    """What was read of a file."""

    sha256: str
    analysis: Analysis
    distrust: str


class Local(NamedTuple):
    """What lay on this host outside of all snapshots, and the stamps that must hold for it to lie there still."""

    stamps: tuple[Stamp, ...]
    curated: Curated
    found: tuple[Found, ...]
    taken: dict[str, Taken | None]  # by path; None until it is read


class Reader:
    """Analyses each text once, and none that came with us: releases share most files, a distribution changes only `#!`.

    For one thread at a time.
    """

    def __init__(self, analyse: Analyser = analysis.analyze) -> None:
        self._analyse = analyse
        self._known: dict[str, Analysis] = {}
        self._read: dict[str, Analysis] = {}
        self.local: Local | None = None  # of the last look, for who keeps it

    @functools.cached_property
    def _shipped(self) -> Mapping[str, memoryview]:
        return load_shipped()

    def learn(self, known: Mapping[str, Analysis]) -> None:
        """Take over earlier analyses, by `analysis_key` of the whole file."""
        self._known |= known

    def read(
        self, engine: Engine, stem: str, data: bytes, sha256: str, parts: Mapping[str, bytes] = NO_PARTS
    ) -> Analysis:
        """The analysis of these bytes, which have this SHA-256; what has parts is more than its own bytes."""
        text = hide_interpreter(data)
        key = analysis_key(engine, stem, sha256 if text is data else hash_text(text), parts)
        if key not in self._read:
            known = None if parts else self._known.get(analysis_key(engine, stem, sha256))
            self._read[key] = known or self._unpack(key) or self._analyse(engine, text, stem, parts)
        return self._read[key]

    def _unpack(self, key: str) -> Analysis | None:
        packed = self._shipped.get(key)
        return msgspec.msgpack.decode(packed, type=Analysis) if packed else None


def hide_interpreter(data: bytes) -> bytes:
    """A script with the same first line whatever interpreter that names, since an analysis must not depend on it.

    The line stays one, so that those after it keep their numbers. One with more in it than a path and plain words, such
    as Python's `coding:`, stays as it is.
    """
    return _INTERPRETER.sub(b"#!/\n", data, count=1) if data.startswith(b"#!") else data


def _take_file(one: Found, names: dict[str, str], reader: Reader, trust: Trust) -> Variant | Unreadable:
    local = reader.local.taken if reader.local else {}
    taken = local.get(one.path)
    if taken is None:
        try:
            taken = _read_file(one, reader, trust)
        except OSError as error:
            return Unreadable(one.path, error.strerror or str(error))
    if one.path in local and not taken.analysis.parts:  # of parts there are no stamps
        local[one.path] = taken
    tool = names.get(one.stem, one.stem)
    # A curated tool has a summary of ours.
    read = msgspec.structs.replace(taken.analysis, summary="") if tool in names else taken.analysis
    return Variant(tool=tool, found=one, analysis=read, sha256=taken.sha256, distrust=taken.distrust)


def _read_file(one: Found, reader: Reader, trust: Trust) -> Taken:
    data, distrust = trust.read(one)
    sha256 = hash_text(data)
    return Taken(
        sha256, reader.read(one.engine, one.stem, data, sha256, read_parts(one.engine, data, one.path)), distrust
    )


def _join_tools(curated: Curated, variants: tuple[Variant, ...]) -> tuple[Tool, ...]:
    tools = {tool.name: tool for tool in curated.tools}
    categories = {category.name for category in curated.categories}
    unsafe = {variant.tool for variant in variants if variant.analysis.signature.unsafe}
    for variant in variants:
        if variant.tool not in tools:
            hint = variant.found.category
            tools[variant.tool] = Tool(
                name=variant.tool,
                category=hint if hint in categories else guess_category(variant.analysis.probes),
                summary=variant.analysis.summary[:80],
                risk=(Risk.DESTRUCTIVE,) if variant.tool in unsafe else (),
                curated=False,
            )
    return tuple(tools[name] for name in sorted(tools))
