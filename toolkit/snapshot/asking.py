"""Ask sources what they have now. It may begin before anything else is loaded: what takes longest is the way there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from toolkit.model import Source, Value
from toolkit.sources.git_process import stoppable_git
from toolkit.sources.git_refs import Refs, find_default, list_refs

AT_ONCE = 4  # sources asked at the same time


class Answer(Value, frozen=True):
    """What a source has: its refs, and the name of its default branch where its policy asks for that, else ""."""

    refs: Refs
    default: str


class Asking(threading.Thread):
    """A source that is being asked. A future would do; to load what makes one takes 4 ms, which the server waits."""

    def __init__(self, source: Source, seconds: float, turn: threading.Semaphore) -> None:
        super().__init__(name=f"asking {source.name}")
        self._source, self._seconds, self._turn = source, seconds, turn
        self._answer: Answer | None = None
        self._error: BaseException = KeyboardInterrupt("nobody was asked")

    def run(self) -> None:
        """Ask, when it is our turn."""
        with self._turn:
            try:
                self._answer = ask_source(self._source, seconds=self._seconds)
            except BaseException as error:  # noqa: BLE001  whoever wants the answer gets it, KeyboardInterrupt too
                self._error = error

    def result(self) -> Answer:
        """Wait for the answer; raises what `ask_source` raised."""
        self.join()
        if self._answer is None:
            raise self._error
        return self._answer


Answers = Mapping[str, Asking]  # by the name of the source


def ask_source(source: Source, *, seconds: float) -> Answer:
    """Ask a source's server. Raises SettingsError for its url, SourceError for its server."""
    end = time.monotonic() + seconds
    refs = list_refs(source.url, seconds=seconds)
    left = end - time.monotonic()
    default = find_default(source.url, refs, seconds=left) if _needs_default(source, refs) else ""
    return Answer(refs=refs, default=default)


@contextmanager
def ask_ahead(sources: tuple[Source, ...], *, seconds: float) -> Iterator[Answers]:
    """Begin to ask these sources while the block runs; what has not answered when it ends is not waited for."""
    turn = threading.Semaphore(AT_ONCE)
    answers = {one.name: Asking(one, seconds, turn) for one in sources}
    with stoppable_git() as stop:
        try:
            for one in answers.values():
                one.start()
            yield answers
        finally:
            stop()
            for one in answers.values():
                if one.ident is not None:  # all began, but where this host has no more threads
                    one.join()  # nobody is waited for any more: its git is dead


def _needs_default(source: Source, refs: Refs) -> bool:
    return "latest" in source.revisions or ("match" in source.revisions and not (source.tags and refs.tags))
