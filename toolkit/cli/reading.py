"""Reads tools and builds the index for a sync: in a process of its own where every tool there is has to be read.

Python runs one thread at a time: beside a thread that reads, those that fetch and write wait for each byte.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from toolkit.model import Engine, Index, Value
from toolkit.paths import Paths
from toolkit.snapshot.layout import Role

if TYPE_CHECKING:
    from toolkit.launch.second import Second
    from toolkit.snapshot.build import Reader
    from toolkit.snapshot.collect import Collected


class Text(Value, frozen=True):
    """A tool to be read."""

    engine: Engine
    stem: str
    data: bytes
    sha256: str


class Question(Value, frozen=True):
    """What the second process is asked: to read these, or for the index when there are none."""

    texts: tuple[Text, ...] = ()


class Catalog:
    """The catalog of this host; its tools are read by the second process while there is one, else here."""

    def __init__(self, paths: Paths, second: Second | None) -> None:
        self._paths = paths
        self._second = second
        self._reader: Reader | None = None

    def load(self) -> Index:
        """The catalog as it is now. Raises ToolkitError."""
        said = self._ask(Question())
        if said:
            return msgspec.msgpack.decode(said, type=Index)
        from toolkit.snapshot.index import load_index

        return load_index(self._paths, self._take_reader())

    def read(self, texts: tuple[Text, ...]) -> None:
        """Analyse these tools, so that the next load need not."""
        if texts and not self._ask(Question(texts)):
            for one in texts:
                self._take_reader().read(one.engine, one.stem, one.data, one.sha256)

    def _ask(self, question: Question) -> bytes | None:
        return self._second.ask(msgspec.msgpack.encode(question)) if self._second else None

    def _take_reader(self) -> Reader:
        from toolkit.snapshot.build import Reader  # what reads tools is loaded where they are read

        self._reader = self._reader or Reader()
        return self._reader


@contextmanager
def open_catalog(paths: Paths) -> Iterator[Catalog]:
    """The catalog while the block runs; before any thread begins, since it may fork."""
    if paths.index.exists() and paths.current.exists():
        yield Catalog(paths, None)  # the few tools that changed are not worth a process
        return
    from toolkit.launch.second import second_process  # most nights are not the first

    with second_process(partial(_answer, Catalog(paths, None))) as second:
        yield Catalog(paths, second)


def list_texts(files: Collected) -> tuple[Text, ...]:
    """The tools among these files."""
    tools = ((one, one.engine) for one in files.entries if one.role is Role.TOOL)
    return tuple(Text(engine, one.stem, files.contents[one.sha256], one.sha256) for one, engine in tools if engine)


def _answer(catalog: Catalog, asked: bytes) -> bytes:
    """The second process's work, with a catalog of its own."""
    gc.disable()  # what a tool is parsed to has no cycles, and looking for some takes a tenth of the time
    question = msgspec.msgpack.decode(asked, type=Question)
    if not question.texts:
        return msgspec.msgpack.encode(catalog.load())
    catalog.read(question.texts)
    return b"read"
