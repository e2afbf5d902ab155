"""Who really asks, and the log of what was decided: appended to, never rewritten, so that `chattr +a` suits it."""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from toolkit.errors import CannotRun
from toolkit.launch.policy import Audited
from toolkit.model import Value
from toolkit.paths import advise_writing

SHAPE = 1  # of a line of the log; raised when a field changes its meaning
NO_LOGIN = 0xFFFFFFFF  # loginuid of what no login started: cron, a service, a container


class Person(Value, frozen=True, omit_defaults=False):
    """Who asks: the one who logged in, however many times they changed their user since."""

    user: str
    uid: int  # the real one's
    login_uid: int | None  # set by PAM at login, and kept by the kernel
    sudo_uid: int | None  # as sudo says; anybody who is root could say it
    process_uid: int


class Line(Value, frozen=True, omit_defaults=False):
    """One line of the audit log: a decision, and all that it was about."""

    shape: int
    time: float  # seconds since 1970
    decision: str  # allowed, refused
    why: str
    rule: str
    person: Person
    tool: str
    variant: str
    arguments: tuple[str, ...]  # as they were typed
    argv: tuple[str, ...]  # empty: it was refused before there was one
    limits: dict[str, float]  # as in Limits, none left out
    force: bool
    accepted: tuple[str, ...]  # risk classes, by --allow or the settings
    recording: str  # the run's name; empty: it is not recorded
    pid: int


def find_person(environ: Mapping[str, str]) -> Person:
    """Who asks: by the kernel's login uid, else by sudo's word where we are root, else by our uid."""
    own, login, sudo = os.getuid(), read_login_uid(), _read_sudo_uid(environ)
    uid = login if login is not None else sudo if sudo is not None else own
    return Person(user=name_user(uid), uid=uid, login_uid=login, sudo_uid=sudo, process_uid=own)


def read_login_uid() -> int | None:
    """The uid of the login that this process comes from; None where there was none, or no CONFIG_AUDIT."""
    with suppress(OSError, ValueError):
        found = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
        return None if found == NO_LOGIN else found
    return None


def _read_sudo_uid(environ: Mapping[str, str]) -> int | None:
    told = environ.get("SUDO_UID", "") if os.getuid() == 0 else ""
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 10 else None


def name_user(uid: int) -> str:
    """A user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def list_groups(uid: int) -> frozenset[str]:
    """The names of all groups of a user; empty for one that this host does not know."""
    try:
        found = pwd.getpwuid(uid)
        gids = os.getgrouplist(found.pw_name, found.pw_gid)
    except (KeyError, OverflowError):
        return frozenset()
    names = []
    for gid in gids:
        with suppress(KeyError):
            names.append(grp.getgrgid(gid).gr_name)
    return frozenset(names)


def write_line(path: Path, line: Line, audited: Audited) -> str:
    """Append a decision to the log; gives why it could not be, empty when it could.

    One write(2) a line with O_APPEND: lines of runs that start at the same time do not mix. Raises CannotRun when a
    run was allowed and the policy lets none start whose decision is not written.
    """
    data = msgspec.json.encode(line) + b"\n"
    try:
        _append(path, data)
    except OSError as error:
        why = f"the decision cannot be written to {path}: {error.strerror}"
        if audited is Audited.REQUIRED and line.decision == "allowed":
            raise CannotRun(f"{why}, and the policy requires it", fix=advise_writing(error)) from error
        return why
    return ""


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        written = os.write(descriptor, data)
        if written < len(data):  # the disk became full within the line
            raise OSError(28, os.strerror(28))
    finally:
        os.close(descriptor)


def stamp() -> float:
    """Now, as the log writes it."""
    return round(time.time(), 3)
