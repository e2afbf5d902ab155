"""Remove recordings, and what writers and removers that were killed left of theirs."""

from __future__ import annotations

import calendar
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from toolkit.model import Value
from toolkit.recordings.files import is_written, open_folder
from toolkit.recordings.layout import BEING_MADE, BEING_REMOVED, ID
from toolkit.recordings.read import list_ids, read_tags
from toolkit.recordings.retain import Rules, Stored, choose_doomed

FORGOTTEN = 3600.0  # seconds after which what no writer holds is left by one that was killed


class Pruned(Value, frozen=True, omit_defaults=False):
    """What was removed, oldest first, and why not all."""

    removed: tuple[Stored, ...]
    problem: str = ""

    @property
    def bytes(self) -> int:
        """What they took on the disk."""
        return sum(one.bytes for one in self.removed)


def prune_recordings(folder: Path, rules: Rules, *, seconds: float | None = None, dry: bool = False) -> Pruned:
    """Remove what the rules do not let stay, oldest first, within the seconds; `dry` removes nothing.

    Raises StateError for a folder that cannot be read.
    """
    now = time.time()
    start = time.monotonic()
    # When there is too much to look at, the oldest of what was seen go now, and the rest another night.
    looked = _until(survey_recordings(folder), None if seconds is None else start + seconds / 2)
    doomed = choose_doomed(looked, rules, now)
    if dry:
        return Pruned(removed=doomed)
    _sweep(folder, now)
    removed: list[Stored] = []
    for one in doomed:
        if seconds is not None and time.monotonic() > start + seconds:
            return Pruned(removed=tuple(removed), problem=f"{len(doomed) - len(removed)} are left for the next time")
        problem = _remove(folder, one, rules)
        if problem:
            return Pruned(removed=tuple(removed), problem=problem)
        removed.append(one)
    return Pruned(removed=tuple(removed))


def survey_recordings(folder: Path) -> Iterator[Stored]:
    """Every recording as retention sees it, newest first; a link in place of a folder is none."""
    for name in list_ids(folder):
        with suppress(OSError, ValueError), open_folder(f"{folder}/{name}") as place:
            yield Stored(
                id=name,
                started=calendar.timegm(time.strptime(name[:16], "%Y%m%dT%H%M%SZ")),
                bytes=_count_bytes(place),
                tagged=bool(read_tags(place)),
                running=is_written(place),
            )


def _until(stored: Iterable[Stored], end: float | None) -> Iterator[Stored]:
    for one in stored:
        yield one
        if end is not None and time.monotonic() > end:
            return


def _count_bytes(place: int) -> int:
    """What the files of a folder take on the disk."""
    total = 0
    with os.scandir(place) as entries:
        for entry in entries:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _remove(folder: Path, one: Stored, rules: Rules) -> str:
    """Remove one, unless it was tagged meanwhile; gives why it cannot be removed."""
    path, aside = folder / one.id, folder / f"{BEING_REMOVED}{one.id}"
    try:
        with open_folder(path) as place:
            if is_written(place) or (read_tags(place) and not rules.tagged):
                return ""
        path.rename(aside)  # so that nobody ever reads half of it
        shutil.rmtree(aside)
    except FileNotFoundError:
        return ""  # another one was faster
    except OSError as error:
        return f"cannot remove {path}: {error.strerror}"
    return ""


def _sweep(folder: Path, now: float) -> None:
    """Remove what was being removed, and what was being made by a process that is gone."""
    with suppress(OSError):
        for name in os.listdir(folder):
            leftover = name.startswith(BEING_REMOVED) and ID.fullmatch(name.removeprefix(BEING_REMOVED))
            unborn = name.startswith(BEING_MADE) and ID.fullmatch(name.removeprefix(BEING_MADE))
            if leftover or (unborn and _is_forgotten(folder / name, now)):
                shutil.rmtree(folder / name, ignore_errors=True)


def _is_forgotten(path: Path, now: float) -> bool:
    with suppress(OSError):
        found = path.lstat()
        return stat.S_ISDIR(found.st_mode) and now - found.st_mtime > FORGOTTEN
    return False
