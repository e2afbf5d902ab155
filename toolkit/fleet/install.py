"""Put the entry of the nightly sync where cron or systemd reads it, or take it away: all of it, or none.

Everything is looked for below `root`, so that a test needs no machine of its own. What is not ours is never touched.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from toolkit.command import capture_command
from toolkit.errors import StateError
from toolkit.fleet.cron import (
    ALL_FILES,
    CRON_FILE,
    ENVIRONMENT_FILE,
    TIMER,
    TIMER_FILE,
    WANTED_BY,
    Entry,
    EntryFile,
    Kind,
    is_ours,
    plan_files,
    read_entry,
)
from toolkit.model import Value
from toolkit.paths import write_atomically
from toolkit.trust import find_distrust

LARGEST = 64 << 10  # bytes of a file of ours
SECONDS = 30.0  # for one call of systemctl
DAEMONS = ("usr/sbin/cron", "usr/sbin/crond", "usr/bin/crond", "usr/sbin/cronie")
PID_FILES = ("run/crond.pid", "run/cron.pid")
SYSTEMCTL = "systemctl"


class Installed(Value, frozen=True):
    """An entry that is there; `entry` is None where its files hold none of ours, or cannot be read."""

    kind: Kind
    files: tuple[str, ...]
    entry: Entry | None
    problem: str = ""


def choose_kind(root: Path) -> Kind:
    """systemd where it runs, else cron. Raises StateError when neither is there, with what to install."""
    if (root / "run/systemd/system").is_dir():
        return Kind.SYSTEMD
    check_kind(root, Kind.CRON)
    return Kind.CRON


def check_kind(root: Path, kind: Kind) -> None:
    """Make sure that something will read an entry of this kind. Raises StateError."""
    systemd = (root / "run/systemd/system").is_dir()
    if kind is Kind.SYSTEMD and not systemd:
        raise StateError("systemd does not run here, so no timer would", fix="toolkit cron install --kind cron")
    if kind is Kind.SYSTEMD:
        return
    if not any((root / one).exists() for one in DAEMONS):
        raise StateError(
            f"no cron daemon is installed{'' if systemd else ', and systemd does not run here'}: nothing would sync",
            fix="apt-get install cron, or dnf install cronie",
        )
    if not (root / CRON_FILE).parent.is_dir():
        raise StateError(
            f"{(root / CRON_FILE).parent} is not there, so this cron does not read it",
            fix="install a cron that does: the packages cron or cronie",
        )


def find_sleeper(root: Path, kind: Kind, systemctl: str = SYSTEMCTL) -> str:
    """Why nothing will start an entry of this kind that is installed; empty when something will."""
    if kind is Kind.SYSTEMD:
        return "" if _is_active(systemctl) else f"{TIMER} is not active: `toolkit cron install` starts it"
    return "" if _cron_runs(root) else "no cron daemon runs: `service cron start` (or crond) starts it"


def _cron_runs(root: Path) -> bool:
    """By the file in which a cron daemon leaves its process number."""
    for name in PID_FILES:
        with contextlib.suppress(OSError, ValueError):
            number = int((root / name).read_bytes().strip() or b"0")
            if number and "cron" in Path(f"/proc/{number}/comm").read_text():
                return True
    return False


def find_program_distrust(paths: tuple[Path, ...]) -> str:
    """Why root must not run this program every night: somebody else could write it. Empty when it may."""
    for path in paths:
        try:
            distrust = find_distrust(path)
        except OSError as error:
            distrust = f"{path}: {error.strerror}"
        if distrust:
            return distrust
    return ""


def find_installed(root: Path) -> tuple[Installed, ...]:
    """The entries that are there, also such as only look like ours; usually one or none."""
    return tuple(_read_installed(root, one) for one in Kind if any(os.path.lexists(root / name) for name in one.files))


def _read_installed(root: Path, kind: Kind) -> Installed:
    names = tuple(name for name in (ENVIRONMENT_FILE, *kind.files) if os.path.lexists(root / name))
    texts: dict[str, str] = {}
    problem = ""
    for name in names:
        try:
            texts[name] = _read_own(root / name) or ""
        except StateError as error:
            problem = error.what
    entry = read_entry(kind, texts)
    changed = "" if entry else "somebody changed it: install it again"
    return Installed(
        kind=kind, files=tuple(str(root / name) for name in names), entry=entry, problem=problem or changed
    )


def _read_own(file: Path) -> str | None:
    """The text of a file of ours; None when it is not there. Raises StateError for one that is not ours."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = "it is a link" if file.is_symlink() else error.strerror
        raise StateError(f"cannot read {file}: {why}", fix="look at it, and move it away") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        with open(descriptor, "rb") as stream:
            text = stream.read(LARGEST).decode(errors="surrogateescape")
    else:
        os.close(descriptor)
        text = ""
    if not is_ours(text):
        raise StateError(f"{file} was not made by `toolkit cron install`", fix="look at it, and move it away")
    return text


def _find_own(root: Path) -> dict[str, str]:
    """The texts of all files of ours that are there, by name."""
    found: dict[str, str] = {}
    for name in ALL_FILES:
        with contextlib.suppress(StateError):
            text = _read_own(root / name)
            found |= {} if text is None else {name: text}
    return found


def install_entry(root: Path, entry: Entry, systemctl: str = SYSTEMCTL) -> tuple[str, ...]:
    """Write an entry and start it, in place of any other of ours; gives the files that changed, none when none did.

    Raises StateError, and UsageError for what cannot be written; what was there then stands.
    """
    planned = plan_files(entry)
    for one in planned:
        _read_own(root / one.path)
    before = _find_own(root)
    changed = tuple(one for one in planned if not _is_same(root / one.path, one, before.get(one.path)))
    stale = tuple(name for name in before if name not in {one.path for one in planned})
    timer = entry.kind is Kind.SYSTEMD
    if not changed and not stale and not (timer and not _is_active(systemctl)):
        return ()
    try:
        for one in changed:
            write_atomically(root / one.path, one.text.encode(), one.mode)
        if timer:
            _start_timer(systemctl)
    except (OSError, StateError) as error:
        _restore(root, changed, before, systemctl)
        if isinstance(error, OSError):
            raise StateError(f"cannot write {error.filename}: {error.strerror}") from error
        raise
    _remove_files(root, stale, systemctl)
    return tuple(str(root / name) for name in (*(one.path for one in changed or planned), *stale))


def _is_same(file: Path, planned: EntryFile, text: str | None) -> bool:
    if text != planned.text:
        return False
    status = file.lstat()
    return (stat.S_IMODE(status.st_mode), status.st_uid) == (planned.mode, os.geteuid())


def _is_active(systemctl: str) -> bool:
    return all(capture_command((systemctl, word, TIMER), seconds=SECONDS).ok for word in ("is-enabled", "is-active"))


def _start_timer(systemctl: str) -> None:
    # `enable --now` leaves a timer that runs already as it is; `restart` takes its new time.
    for words in (("daemon-reload",), ("enable", "--now", TIMER), ("restart", TIMER)):
        said = capture_command((systemctl, *words), seconds=SECONDS)
        if not said.ok:
            why = said.problem or (said.stderr.strip() or f"status {said.status}").splitlines()[-1]
            raise StateError(
                f"systemctl {' '.join(words)} failed, and what was there before was put back: {why}",
                fix="mend systemd first, or let cron do it: toolkit cron install --kind cron",
            )


def _restore(root: Path, changed: tuple[EntryFile, ...], before: dict[str, str], systemctl: str) -> None:
    """Put back what was there, as far as that goes: the error that led here is the one to tell."""
    with contextlib.suppress(OSError, StateError):
        _remove_files(root, tuple(one.path for one in changed if one.path not in before), systemctl)
        for one in changed:
            if one.path in before:
                write_atomically(root / one.path, before[one.path].encode(errors="surrogateescape"), one.mode)
        if TIMER_FILE in before:
            capture_command((systemctl, "daemon-reload"), seconds=SECONDS)


def remove_entry(root: Path, systemctl: str = SYSTEMCTL) -> tuple[str, ...]:
    """Remove every file of ours, after its timer was stopped; gives their paths. Raises StateError."""
    names = tuple(_find_own(root))
    _remove_files(root, names, systemctl)
    return tuple(str(root / name) for name in names)


def _remove_files(root: Path, names: tuple[str, ...], systemctl: str) -> None:
    timer = TIMER_FILE in names
    if timer:
        # Where systemd does not run this fails, and there is no timer to stop; the link is then removed below.
        capture_command((systemctl, "disable", "--now", TIMER), seconds=SECONDS)
    link = root / WANTED_BY
    # The file of the variables goes last: an entry that needs it is never there without it.
    for path in (*(root / name for name in reversed(names)), *((link,) if timer and link.is_symlink() else ())):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"cannot remove {path}: {error.strerror}") from error
    if timer:
        capture_command((systemctl, "daemon-reload"), seconds=SECONDS)
