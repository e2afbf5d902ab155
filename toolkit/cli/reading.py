"""What a sync reads: tools, the kernel, the catalog; in a process of its own where all of it has to be read.

Python runs one thread at a time: beside a thread that reads, those that fetch and write wait for each byte.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from toolkit.model import Engine, Facts, Index, Value
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


class Task(StrEnum):
    """What the second process does."""

    LOAD_CATALOG = "load"
    READ_TOOLS = "read"
    PROBE_KERNEL = "probe"


class Question(Value, frozen=True, kw_only=False):
    """What the second process is asked for."""

    task: Task
    texts: tuple[Text, ...] = ()  # to be read


class Reading:
    """Reads by the second process while there is one, else here; for one thread."""

    def __init__(self, paths: Paths, second: Second | None) -> None:
        self._paths = paths
        self._second = second
        self._reader: Reader | None = None

    def load_catalog(self) -> Index:
        """The catalog as it is now. Raises ToolkitError."""
        said = self._ask(Question(Task.LOAD_CATALOG))
        if said:
            return msgspec.msgpack.decode(said, type=Index)
        from toolkit.snapshot.index import load_index

        return load_index(self._paths, self._take_reader())

    def read_tools(self, texts: tuple[Text, ...]) -> None:
        """Analyse these tools, so that the next load need not."""
        if texts and not self._ask(Question(Task.READ_TOOLS, texts)):
            for one in texts:
                self._take_reader().read(one.engine, one.stem, one.data, one.sha256)

    def probe_kernel(self) -> Facts:
        """The facts of this kernel, but for its engines."""
        from toolkit.host.cache import unpack  # most nights the facts are known

        said = self._ask(Question(Task.PROBE_KERNEL))
        if said:
            return unpack(said)[1]
        from toolkit.host.probe import probe_kernel
        from toolkit.host.tree import Tree

        return probe_kernel(Tree())

    def _ask(self, question: Question) -> bytes | None:
        return self._second.ask(msgspec.msgpack.encode(question)) if self._second else None

    def _take_reader(self) -> Reader:
        from toolkit.snapshot.build import Reader  # what reads tools is loaded where they are read

        self._reader = self._reader or Reader()
        return self._reader


@contextmanager
def open_reading(paths: Paths) -> Iterator[Reading]:
    """For as long as the block runs; before any thread begins, since it may fork."""
    if paths.index.exists() and paths.current.exists():
        yield Reading(paths, None)  # the few tools that changed are not worth a process
        return
    from toolkit.launch.second import second_process  # most nights are not the first

    with second_process(partial(_answer, Reading(paths, None))) as second:
        yield Reading(paths, second)


def list_texts(files: Collected) -> tuple[Text, ...]:
    """The tools among these files."""
    tools = ((one, one.engine) for one in files.entries if one.role is Role.TOOL)
    return tuple(Text(engine, one.stem, files.contents[one.sha256], one.sha256) for one, engine in tools if engine)


def _answer(reading: Reading, asked: bytes) -> bytes:
    """The second process's work."""
    gc.disable()  # what a tool is parsed to has no cycles, and looking for some takes a tenth of the time
    question = msgspec.msgpack.decode(asked, type=Question)
    match question.task:
        case Task.LOAD_CATALOG:
            return msgspec.msgpack.encode(reading.load_catalog())
        case Task.PROBE_KERNEL:
            from toolkit.host.cache import pack

            return pack(reading.probe_kernel(), "")
        case Task.READ_TOOLS:
            reading.read_tools(question.texts)
            return b"read"
