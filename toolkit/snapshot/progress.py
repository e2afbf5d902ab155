"""What a sync says while it goes on, as values: a display draws them and a log writes them, and neither parses text."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from toolkit.model import Value


class Phase(StrEnum):
    """What happens to a source, or to the sync as a whole."""

    ASKING = "asking"  # for its branches and tags; text: the url
    FETCHING = "fetching"  # text: a revision, and why this one
    NO_NEWS = "no news"  # text: the revisions that are held
    FETCHED = "fetched"  # text: the same
    FAILED = "failed"  # text: why
    BUILDING = "building"  # text: what
    JUDGING = "judging"  # text: what
    JUDGED = "judged"  # text: what came of it
    SWAPPED_IN = "swapped in"  # text: the new snapshot


ENDS = frozenset({Phase.NO_NEWS, Phase.FETCHED, Phase.FAILED, Phase.SWAPPED_IN, Phase.JUDGED})


class Step(Value, frozen=True):
    """One thing that happened, to a source or, where `source` is empty, to the sync as a whole."""

    phase: Phase
    source: str = ""
    text: str = ""  # may hold what a source wrote
    received: int = 0  # bytes, at the end of a source


Progress = Callable[[Step], None]  # called by several threads
