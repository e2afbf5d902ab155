"""How the last syncs went: `sync.json` for programs, `sync.log` for people; every sync ends by writing both.

The journal is small and replaced whole; the log only grows, by whole lines in one write, until it is renamed to
`sync.log.1`. A lock keeps a sync that found another one running from writing over what that one wrote meanwhile.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from toolkit.errors import DAMAGED, StateError
from toolkit.lock import hold_lock
from toolkit.model import Value
from toolkit.paths import Paths, write_atomically
from toolkit.snapshot.sync import SyncReport

SHAPE = 1
LOCK_WAIT = 5.0  # seconds; it is held for milliseconds
LARGEST_LOG = 256 << 10  # bytes, then it becomes sync.log.1: more than a year of nights on which nothing happens
LONGEST_LINE = 1000  # characters


class Attempt(Value, frozen=True, omit_defaults=False):
    """One sync that ended; `snapshot` is the current one after it, "" when there is none."""

    ended: float  # seconds since the epoch
    seconds: float
    success: bool
    snapshot: str
    problem: str = ""  # why the whole sync failed: another one is running, no space; "" where only sources failed
    notes: tuple[str, ...] = ()  # what was refused or not followed


class SourceState(Value, frozen=True, omit_defaults=False):
    """How a source fared when it was last asked."""

    source: str
    asked: float  # seconds since the epoch
    last_success: float | None
    problem: str = ""
    fix: str = ""


class Journal(Value, frozen=True, omit_defaults=False):
    """The document sync.json."""

    shape: int = SHAPE
    last: Attempt | None = None
    last_success: Attempt | None = None
    sources: tuple[SourceState, ...] = ()


def add_report(journal: Journal, report: SyncReport, asked: frozenset[str], ended: float) -> Journal:
    """The journal after a sync that came to its end, with or without failed sources. Pure."""
    attempt = Attempt(
        ended=ended,
        seconds=report.seconds,
        success=not report.failed,
        snapshot=report.snapshot,
        notes=tuple(_make_plain(note) for one in report.sources for note in one.notes),
    )
    before = {one.source: one for one in journal.sources}
    successes = {one.source: one.last_success for one in journal.sources}
    states = (
        SourceState(
            source=one.source,
            asked=ended,
            last_success=successes.get(one.source) if one.problem else ended,
            problem=_make_plain(one.problem),
            fix=_make_plain(one.fix),
        )
        if one.source in asked
        else before.get(one.source)
        for one in report.sources
    )
    return Journal(
        last=attempt,
        last_success=attempt if attempt.success else journal.last_success,
        sources=tuple(state for state in states if state),
    )


def add_failure(journal: Journal, problem: str, snapshot: str, seconds: float, ended: float) -> Journal:
    """The journal after a sync that could not be done at all. Pure."""
    attempt = Attempt(ended=ended, seconds=seconds, success=False, snapshot=snapshot, problem=_make_plain(problem))
    return msgspec.structs.replace(journal, last=attempt)


def read_journal(file: Path) -> Journal:
    """The journal; an empty one where there is none, or one that is not whole. Raises StateError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Journal)
    except (FileNotFoundError, *DAMAGED):
        return Journal()
    except OSError as error:
        raise StateError(f"cannot read {file}: {error.strerror}") from error


def change_journal(paths: Paths, change: Callable[[Journal], Journal], lines: Iterable[str]) -> Journal:
    """Write the journal anew as `change` makes it, and lines to the log. Raises StateError."""
    with _hold(paths):
        journal = change(read_journal(paths.journal))
        write_atomically(paths.journal, msgspec.json.format(msgspec.json.encode(journal), indent=1))
        _append(paths.sync_log, lines, time.time())
    return journal


def append_log(paths: Paths, lines: Iterable[str]) -> None:
    """Write lines to the log alone. Raises StateError."""
    with _hold(paths):
        _append(paths.sync_log, lines, time.time())


@contextmanager
def _hold(paths: Paths) -> Iterator[None]:
    try:
        with hold_lock(paths.state / "journal.lock", LOCK_WAIT):
            yield
    except OSError as error:
        what = f"cannot write {error.filename or paths.sync_log}: {error.strerror}"
        raise StateError(what, fix="free some space, or see what became of the folder") from error


def _append(file: Path, lines: Iterable[str], when: float) -> None:
    """Append lines with their date, in one write; a line that a crash left half is ended first. Raises OSError."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    text = "".join(f"{stamp} {_make_plain(line)}\n" for line in lines).encode()
    if file.is_file() and file.stat().st_size + len(text) > LARGEST_LOG:
        file.replace(file.with_name(f"{file.name}.1"))
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b", buffering=0) as stream:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        if stream.write(b"\n" * torn + text) < torn + len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))


def _make_plain(line: str) -> str:
    """One line of bounded length, without what a hostile name could do to a terminal or to an encoder."""
    return "".join(char if char.isprintable() else "?" for char in line[:LONGEST_LINE].replace("\n", " "))
