"""The runs that are on, each a file that its launcher has locked; and the slots that they take.

The lock (flock) is the kernel's: it is gone with the launcher, whatever ended it, and no reused PID can feign it. A
file that nobody locks is a run that crashed: whoever looks next removes it. The files are their owner's alone, since
who may open a file may lock it; so root counts root's runs, and another user those of that user. Were it otherwise, a
user without any rights could fill root's slots.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from toolkit.errors import DAMAGED, CannotRun, StateError
from toolkit.lock import Busy, hold_lock
from toolkit.model import Value
from toolkit.paths import check_state_owner, make_folder
from toolkit.runs import Limits

SHAPE = 1
SUFFIX = ".json"
PATIENCE = 5.0  # seconds for the register's lock, which is held for a moment
LARGEST = 1 << 16  # bytes of one file
LONGEST = 1000  # characters of arguments


class Entry(Value, frozen=True, omit_defaults=False):
    """One run that is on. `started` and `ends` are seconds since 1970, by a clock that may be set meanwhile."""

    shape: int
    id: str  # also of its recording
    pid: int  # of the launcher
    tool: str
    variant: str
    arguments: str  # as a shell would quote them, cut where they are long
    user: str  # the real one
    started: float
    ends: float  # when it is stopped at the latest, without the grace
    grace: float
    recording: str  # its folder; empty: it is not recorded
    detached: bool
    began: float = 0.0  # seconds of CLOCK_MONOTONIC, as its deadline


@contextmanager
def register(folder: Path, entry: Entry, limits: Limits) -> Iterator[str]:
    """Have this run in the register while the block runs, if there is a slot for it.

    Gives why it is not there, empty when it is: an incident is often a full disk, and the tool must run all the same.
    Raises CannotRun where there is no slot, and StateError where others can write the register.
    """
    descriptor, problem = _enter(folder, entry, limits)
    try:
        yield problem
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                _path(folder, entry).unlink()
            os.close(descriptor)


def _enter(folder: Path, entry: Entry, limits: Limits) -> tuple[int, str]:
    """The descriptor that holds the lock of this run's file; or -1 and why there is none."""
    check_state_owner(folder, os.geteuid())
    try:
        make_folder(folder)
        folder.chmod(0o755)  # everybody may see which runs there are; the files are 0600
        with hold_lock(folder / ".lock", PATIENCE, "is starting a run"):
            _sweep_asides(folder)
            full = find_full(limits, entry.tool, list_runs(folder))
            if full:
                raise full
            return _write_locked(_path(folder, entry), msgspec.json.encode(entry)), ""
    except Busy:
        raise
    except StateError as error:
        return -1, f"`toolkit ps` does not show this run, and it takes no slot: {error.what}"
    except OSError as error:
        return -1, f"`toolkit ps` does not show this run, and it takes no slot: {folder}: {error.strerror}"


def _path(folder: Path, entry: Entry) -> Path:
    return folder / f"{entry.id}{SUFFIX}"


def _write_locked(path: Path, data: bytes) -> int:
    """Make a file that is locked before anybody sees it; gives the descriptor that holds the lock."""
    aside = path.with_name(f".{path.name}")
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, data)
        aside.rename(path)
    except OSError:
        os.close(descriptor)
        with suppress(OSError):
            aside.unlink()
        raise
    return descriptor


def _sweep_asides(folder: Path) -> None:
    """Remove what launchers that were killed left half made; only who holds the lock makes any."""
    for aside in folder.glob(f".*{SUFFIX}"):
        with suppress(OSError):
            aside.unlink()


def find_full(limits: Limits, tool: str, runs: tuple[Entry, ...]) -> CannotRun | None:
    """Why there is no slot for another run of this tool, and who holds them; None when there is one."""
    same = tuple(one for one in runs if one.tool == tool)
    if limits.runs and len(runs) >= limits.runs:
        what, held = f"{limits.runs} runs at the same time are the limit here", runs
    elif limits.runs_of_tool and len(same) >= limits.runs_of_tool:
        what, held = f"{limits.runs_of_tool} runs of {tool} at the same time are the limit", same
    else:
        return None
    lines = "\n".join(f"  {one.id}, of {one.user}, process {one.pid}" for one in held)
    return CannotRun(
        f"{what}, and so many are on:\n{lines}",
        fix=f"wait for one to end (toolkit ps), or end it: toolkit stop {held[0].id}",
    )


def list_runs(folder: Path) -> tuple[Entry, ...]:
    """The runs that are on, the oldest first; files of runs that crashed are removed. Raises StateError."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"cannot read {folder}: {error.strerror}") from error
    found = (_read_living(folder / name) for name in names if name.endswith(SUFFIX) and not name.startswith("."))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.began))


def is_on(folder: Path, entry: Entry) -> bool:
    """Whether a run is still on."""
    return _read_living(_path(folder, entry)) is not None


def list_strange(folder: Path) -> tuple[str, ...]:
    """The names of runs in a register that is another user's."""
    with suppress(OSError):
        if folder.stat().st_uid != os.geteuid():
            return tuple(name.removesuffix(SUFFIX) for name in os.listdir(folder) if name.endswith(SUFFIX))
    return ()


def _read_living(path: Path) -> Entry | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if _is_free(descriptor):
            with suppress(OSError):
                path.unlink()
            return None
        return msgspec.json.decode(os.read(descriptor, LARGEST), type=Entry)
    except (OSError, *DAMAGED):
        return None
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
