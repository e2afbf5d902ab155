"""What a sync does while git waits for its servers: load the facts and the catalog, then read what was fetched."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.cli.session import Session, join_session
from toolkit.config import Settings
from toolkit.host.ahead import FactsAhead
from toolkit.model import Index
from toolkit.paths import Paths
from toolkit.snapshot.build import Reader
from toolkit.snapshot.collect import Collected
from toolkit.snapshot.index import load_index
from toolkit.snapshot.layout import Role


@dataclass(frozen=True)
class Ahead:
    """Work that goes on in threads: some ask the host, one reads tools, one thing after the other."""

    paths: Paths
    settings: Settings
    facts: FactsAhead
    index: Future[Index]
    reading: ThreadPoolExecutor
    reader: Reader

    def session(self) -> Session:
        """Everything as it was before the sync. Raises ToolkitError."""
        return join_session(self.paths, self.settings, self.index.result(), self.facts.result())

    def read(self, files: Collected) -> None:
        """Have the tools among these files analysed, so that the catalog after the sync is built sooner."""
        self.reading.submit(self._read, files)

    def reload(self) -> Session:
        """Everything as it is after the sync. Raises ToolkitError."""
        index = self.reading.submit(load_index, self.paths, self.reader).result()
        return join_session(self.paths, self.settings, index, self.facts.result())

    def _read(self, files: Collected) -> None:
        for entry in files.entries:
            if entry.role is Role.TOOL and entry.engine:
                self.reader.read(entry.engine, entry.stem, files.contents[entry.sha256], entry.sha256)


@contextmanager
def load_ahead(paths: Paths, settings: Settings) -> Iterator[Ahead]:
    """Begin to load while the block runs; what was not begun when it ends is not done any more."""
    asking, engines, reading = ThreadPoolExecutor(1), ThreadPoolExecutor(2), ThreadPoolExecutor(1)
    reader = Reader()
    try:
        facts = FactsAhead(paths.facts, asking, engines)
        yield Ahead(paths, settings, facts, reading.submit(load_index, paths, reader), reading, reader)
    finally:
        for one in (asking, engines, reading):
            one.shutdown(cancel_futures=True)
