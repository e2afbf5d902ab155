"""What a sync leaves in writing, however it ends: the journal, the log, and the metrics."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from toolkit import __version__
from toolkit.choose import judge_all
from toolkit.cli.session import Session
from toolkit.config import Settings
from toolkit.errors import StateError, ToolkitError
from toolkit.fleet.metrics import format_metrics
from toolkit.fleet.textfile import choose_folder, write_textfile
from toolkit.paths import Paths
from toolkit.snapshot.journal import Journal, add_failure, add_report, append_log, change_journal, read_journal
from toolkit.snapshot.layout import current_name
from toolkit.snapshot.store import read_current
from toolkit.snapshot.sync import SyncReport


@contextmanager
def note_failure(paths: Paths, settings: Settings, load: Callable[[], Session]) -> Iterator[None]:
    """Write down that a sync began; and how it ended, where the block raises anything at all.

    `load` gives the session of before, for the metrics.
    """
    started = time.monotonic()
    with suppress(StateError):  # the sync itself will say why nothing can be written
        append_log(paths, (f"sync started: toolkit {__version__}, process {os.getpid()}",))
    try:
        yield
    except BaseException as error:
        problem, snapshot = _describe(error), current_name(paths.current) or ""
        seconds, ended = round(time.monotonic() - started, 3), round(time.time(), 3)
        _write(
            paths,
            settings,
            load,
            lambda journal: add_failure(journal, problem, snapshot, seconds, ended),
            (f"sync FAILED: {problem}",),
        )
        raise


def note_report(
    paths: Paths,
    settings: Settings,
    load: Callable[[], Session],
    asked: frozenset[str],
    report: SyncReport,
    lines: Iterable[str],
) -> tuple[ToolkitError, ...]:
    """Write down how a sync ended; gives what could not be written.

    `load` gives the session of the catalog after it, for the metrics, which not every host has.
    """
    end = f"sync {'FAILED' if report.failed else 'done'} in {report.seconds:.1f} s"
    ended = round(time.time(), 3)
    change = functools.partial(add_report, report=report, asked=asked, ended=ended)
    return _write(paths, settings, load, change, (*lines, end))


def _describe(error: BaseException) -> str:
    match error:
        case ToolkitError():
            return error.what
        case KeyboardInterrupt() | SystemExit():
            return "interrupted"
        case _:
            return f"a bug in toolkit: {type(error).__name__}: {error}"


def _write(
    paths: Paths,
    settings: Settings,
    load: Callable[[], Session],
    change: Callable[[Journal], Journal],
    lines: Iterable[str],
) -> tuple[ToolkitError, ...]:
    problems: list[ToolkitError] = []
    try:
        journal = change_journal(paths, change, lines)
    except StateError as error:
        problems.append(error)
        journal = change(_read_what_is_there(paths))
    try:
        folder = choose_folder(settings, paths)
        if folder:
            session = load()
            snapshot = read_current(paths.snapshots, paths.current)
            judged = judge_all(session.index.variants, session.facts, session.trials)
            write_textfile(folder, format_metrics(journal, snapshot, judged))
    except ToolkitError as error:
        problems.append(error)
        with suppress(StateError):
            append_log(paths, (error.what,))
    return tuple(problems)


def _read_what_is_there(paths: Paths) -> Journal:
    try:
        return read_journal(paths.journal)
    except StateError:
        return Journal()
