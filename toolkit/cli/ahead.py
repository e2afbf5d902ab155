"""What a sync does while git waits for its servers: load the facts and the catalog, then read what was fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.cli.reading import Reading, list_texts
from toolkit.cli.session import Session, join_session
from toolkit.config import Settings
from toolkit.host.ahead import FactsAhead
from toolkit.model import Index
from toolkit.paths import Paths

if TYPE_CHECKING:
    from toolkit.snapshot.collect import Collected


@dataclass(frozen=True)
class Ahead:
    """Work that goes on in threads: some ask the host, one reads, or has read, one thing after the other."""

    paths: Paths
    settings: Settings
    facts: FactsAhead
    index: Future[Index]
    reader: ThreadPoolExecutor
    reading: Reading

    def session(self) -> Session:
        """Everything as it was before the sync. Raises ToolkitError."""
        return join_session(self.paths, self.settings, self.index.result(), self.facts.result())

    def read(self, files: Collected) -> None:
        """Have the tools among these files analysed, so that the catalog after the sync is built sooner."""
        self.reader.submit(self.reading.read_tools, list_texts(files))

    def reload(self) -> Callable[[], Session]:
        """Begin to load everything as it is after the sync; gives what waits for it, and raises ToolkitError."""
        index = self.reader.submit(self.reading.load_catalog)
        return lambda: join_session(self.paths, self.settings, index.result(), self.facts.result())


@contextmanager
def load_ahead(paths: Paths, settings: Settings, reading: Reading) -> Iterator[Ahead]:
    """Begin to load while the block runs; what was not begun when it ends is not done any more."""
    reader, asking, engines = ThreadPoolExecutor(1), ThreadPoolExecutor(1), ThreadPoolExecutor(2)
    try:
        index = reader.submit(reading.load_catalog)
        facts = FactsAhead(paths.facts, asking, engines, lambda: reader.submit(reading.probe_kernel).result())
        yield Ahead(paths, settings, facts, index, reader, reading)
    finally:
        for one in (reader, asking, engines):
            one.shutdown(cancel_futures=True)
