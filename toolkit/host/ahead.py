"""The facts of this host, found out while something else goes on; the versions of its engines before all others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.host.cache import find_facts, recall_facts
from toolkit.host.engines import Asked, Missing, ask_engines, read_bcc_version
from toolkit.model import Engine, Facts
from toolkit.versions import engine_version, parse_version


class FactsAhead:
    """Facts that are on their way. `asking` is for what waits for this host; `engines` for its engines, two threads.

    What of them is not known yet and lies in the kernel, `kernel` finds out.
    """

    def __init__(self, cache: Path | None, asking: Executor, engines: Executor, kernel: Callable[[], Facts]) -> None:
        self._begun: Future[Facts | Asked] = asking.submit(_begin, cache, engines)
        self._facts: Future[Facts] = asking.submit(self._finish, cache, kernel)

    def result(self) -> Facts:
        """All of them, once they are there."""
        return self._facts.result()

    def version(self, engine: Engine) -> tuple[int, ...]:
        """The version of an engine, () when it is not there; of one that is asked alone, before the other facts.

        That of bcc stands in its text. To import it takes 0.15 s; and one that cannot be imported tonight still wants
        the tools that fit it.

        Raises ToolkitError for one that is there and did not answer in time: nobody knows then what fits it.
        """
        written = read_bcc_version() if engine is Engine.BCC else ""
        if written:
            return parse_version(written)
        begun = self._begun.result()
        if isinstance(begun, Facts) or engine not in begun:
            return engine_version(engine, self.result())
        found = begun[engine].result()
        if not isinstance(found, Missing):
            return parse_version(found.version)
        if found.passing:
            raise ToolkitError(
                f"the version of {engine}, and so what fits it, is not known: {found.why}",
                fix="see whether this host is busy; the next sync asks it again",
            )
        return ()

    def _finish(self, cache: Path | None, kernel: Callable[[], Facts]) -> Facts:
        begun = self._begun.result()
        return begun if isinstance(begun, Facts) else find_facts(cache, begun, kernel)


def _begin(cache: Path | None, engines: Executor) -> Facts | Asked:
    """Cached facts hold the versions, too; where there are none, the engines are asked first."""
    return recall_facts(cache) or ask_engines(engines)
