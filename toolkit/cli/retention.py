"""What the nightly sync does for the recordings: those that the settings do not let stay go, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from toolkit.cli.render import format_bytes
from toolkit.config import Settings
from toolkit.errors import StateError
from toolkit.paths import Paths
from toolkit.recordings.prune import prune_recordings
from toolkit.snapshot.journal import append_log

SECONDS = 60.0  # what takes longer goes on the next night


@contextmanager
def retain_afterwards(paths: Paths, settings: Settings) -> Iterator[None]:
    """Apply retention after the block, also where it failed, but not where a signal ended it."""
    try:
        yield
    except Exception:
        _retain(paths, settings)
        raise
    _retain(paths, settings)


def _retain(paths: Paths, settings: Settings) -> None:
    """Quietly: the log says what was removed, and what could not be."""
    rules = settings.recordings.rules
    if not rules.bind:
        return
    try:
        pruned = prune_recordings(paths.recordings, rules, seconds=SECONDS)
    except StateError as error:
        lines = [f"recordings: {error.what}"]
    else:
        lines = [f"recordings: {pruned.problem}"] if pruned.problem else []
        if pruned.removed:
            lines.append(f"recordings: {len(pruned.removed)} removed, {format_bytes(pruned.bytes)}")
    with suppress(StateError):
        append_log(paths, lines) if lines else None
