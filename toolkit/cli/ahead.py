"""What a sync does while git waits for its servers: load the facts and the catalog, then read what was fetched."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.cli.reading import Catalog, list_texts
from toolkit.cli.session import Session, join_session
from toolkit.config import Settings
from toolkit.host.ahead import FactsAhead
from toolkit.model import Index
from toolkit.paths import Paths
from toolkit.snapshot.collect import Collected


@dataclass(frozen=True)
class Ahead:
    """Work that goes on in threads: some ask the host, one has tools read, one thing after the other."""

    paths: Paths
    settings: Settings
    facts: FactsAhead
    index: Future[Index]
    reading: ThreadPoolExecutor
    catalog: Catalog

    def session(self) -> Session:
        """Everything as it was before the sync. Raises ToolkitError."""
        return join_session(self.paths, self.settings, self.index.result(), self.facts.result())

    def read(self, files: Collected) -> None:
        """Have the tools among these files analysed, so that the catalog after the sync is built sooner."""
        self.reading.submit(self.catalog.read, list_texts(files))

    def reload(self) -> Session:
        """Everything as it is after the sync. Raises ToolkitError."""
        index = self.reading.submit(self.catalog.load).result()
        return join_session(self.paths, self.settings, index, self.facts.result())


@contextmanager
def load_ahead(paths: Paths, settings: Settings, catalog: Catalog) -> Iterator[Ahead]:
    """Begin to load while the block runs; what was not begun when it ends is not done any more."""
    asking, engines, reading = ThreadPoolExecutor(1), ThreadPoolExecutor(2), ThreadPoolExecutor(1)
    try:
        facts = FactsAhead(paths.facts, asking, engines)
        yield Ahead(paths, settings, facts, reading.submit(catalog.load), reading, catalog)
    finally:
        for one in (asking, engines, reading):
            one.shutdown(cancel_futures=True)
