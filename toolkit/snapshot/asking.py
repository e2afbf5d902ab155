"""Ask sources what they have now. It may begin before anything else is loaded: what takes longest is the way there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from toolkit.model import Source, Value
from toolkit.sources.git_process import stoppable_git
from toolkit.sources.git_refs import Refs, find_default, list_refs

AT_ONCE = 4  # sources asked at the same time


class Answer(Value, frozen=True):
    """What a source has: its refs, and the name of its default branch where its policy asks for that, else ""."""

    refs: Refs
    default: str


Answers = Mapping[str, Future[Answer]]  # by the name of the source


def ask_source(source: Source, *, seconds: float) -> Answer:
    """Ask a source's server. Raises SettingsError for its url, SourceError for its server."""
    refs = list_refs(source.url, seconds=seconds)
    default = find_default(source.url, refs, seconds=seconds) if _needs_default(source, refs) else ""
    return Answer(refs=refs, default=default)


@contextmanager
def ask_ahead(sources: tuple[Source, ...], *, seconds: float) -> Iterator[Answers]:
    """Begin to ask these sources while the block runs; what has not answered when it ends is not waited for."""
    with stoppable_git() as stop, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield {one.name: pool.submit(ask_source, one, seconds=seconds) for one in sources}
        finally:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)


def _needs_default(source: Source, refs: Refs) -> bool:
    return "latest" in source.revisions or ("match" in source.revisions and not (source.tags and refs.tags))
