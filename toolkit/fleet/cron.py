"""The entry that lets a host sync every night: when, what, with which environment, in which files. Pure.

cron ignores a file in cron.d whose name has a dot, that others may write, or whose last line has no end; it turns `%`
of a command into a line's end, and cuts lines at 1,000 bytes (crontab(5), cron(8)). A job has hardly an environment,
and what a crontab adds to it is printed in the header of every mail, where a proxy's password does not belong: so the
variables stand in a file of their own, which only root can read, in the quotes that /bin/sh and systemd share.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum

from toolkit.errors import UsageError
from toolkit.model import Value

MARK = "# Made by `toolkit cron install`; `toolkit cron remove` removes it."
CRON_FILE = "etc/cron.d/toolkit"
TIMER = "toolkit-sync.timer"
ENVIRONMENT_FILE = "etc/toolkit-sync.env"
UNITS = "etc/systemd/system"
TIMER_FILE = f"{UNITS}/{TIMER}"
SERVICE_FILE = f"{UNITS}/toolkit-sync.service"
WANTED_BY = f"{UNITS}/timers.target.wants/{TIMER}"  # the link that `systemctl enable` makes

HOME = "TOOLKIT_HOME"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
CARRIED = (HOME, *PROXIES, *(name.upper() for name in PROXIES), *CERTIFICATES)
LONGEST_LINE = 998  # bytes: Debian's cron reads 1,000 with the line's end and a NUL
DAY = 24 * 60  # minutes


class Kind(StrEnum):
    """What starts the nightly sync."""

    CRON = "cron"
    SYSTEMD = "systemd"

    @property
    def files(self) -> tuple[str, ...]:
        """The files that only this kind has, below the root."""
        return (CRON_FILE,) if self is Kind.CRON else (SERVICE_FILE, TIMER_FILE)


ALL_FILES = (ENVIRONMENT_FILE, *Kind.CRON.files, *Kind.SYSTEMD.files)


class Window(Value, frozen=True):
    """The minutes of a day in which hosts may sync; both ends count, and it may pass midnight."""

    first: int
    last: int

    @property
    def minutes(self) -> int:
        """How many there are."""
        return (self.last - self.first) % DAY + 1


class Entry(Value, frozen=True):
    """One nightly sync; `minute` is that of the day, `environment` what cron's own lacks."""

    kind: Kind
    minute: int
    argv: tuple[str, ...]
    environment: dict[str, str] = {}

    @property
    def at(self) -> str:
        """The time of the day as people write it: 02:17."""
        return f"{self.minute // 60:02}:{self.minute % 60:02}"


class EntryFile(Value, frozen=True):
    """A file of an entry; `path` is below the root."""

    path: str
    text: str
    mode: int


def parse_window(text: str) -> Window:
    """01:00-04:59 as a window. Raises UsageError."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if found is None:
        raise UsageError(
            f"{text!r} is no window of hours", fix="give it as 01:00-04:59, or 02:30-02:30 for that minute"
        )
    first_hour, first, last_hour, last = map(int, found.groups())
    return Window(first=first_hour * 60 + first, last=last_hour * 60 + last)


def pick_minute(host: str, window: Window) -> int:
    """The minute of the day for this host: spread evenly over the window, and the same every night."""
    number = int.from_bytes(hashlib.sha256(host.encode(errors="surrogateescape")).digest()[:8])
    return (window.first + number % window.minutes) % DAY


def carry_environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """What of the installing shell's environment the sync needs; `home` is TOOLKIT_HOME made absolute, or empty."""
    carried = {name: environ[name] for name in CARRIED if environ.get(name)}
    return {**carried, HOME: home} if home else carried


def plan_files(entry: Entry) -> tuple[EntryFile, ...]:
    """The files of an entry, in the order in which to write them. Raises UsageError for what no file can hold."""
    for name, value in (*entry.environment.items(), ("the command", "".join(entry.argv))):
        if not value.isprintable():  # never print the value: it may hold a password
            raise UsageError(f"{name} holds a line's end or another character that {entry.kind} cannot read")
    lines = (MARK, *(f"{name}={_quote_value(value)}" for name, value in entry.environment.items()), "")
    environment = EntryFile(path=ENVIRONMENT_FILE, text="\n".join(lines), mode=0o600)
    files = _plan_cron(entry) if entry.kind is Kind.CRON else _plan_units(entry)
    return (environment, *files) if entry.environment else files


def _plan_cron(entry: Entry) -> tuple[EntryFile, ...]:
    command = shlex.join(entry.argv)
    if "\\" in command:  # which crons take a backslash away, and where, differs
        raise UsageError(f"cron cannot run a path with a backslash: {command}")
    sourcing = f"set -a; . /{ENVIRONMENT_FILE}; exec " if entry.environment else ""
    escaped = command.replace("%", "\\%")
    line = f"{entry.minute % 60} {entry.minute // 60} * * * root {sourcing}{escaped}"
    if len(line.encode()) > LONGEST_LINE:
        raise UsageError(f"the path of toolkit is too long for cron, which reads {LONGEST_LINE} bytes of a line")
    return (EntryFile(path=CRON_FILE, text="\n".join((MARK, line, "")), mode=0o644),)


def _plan_units(entry: Entry) -> tuple[EntryFile, ...]:
    # Of these systemd takes `$$` for one `$` in arguments only, and calls a path with the others unsafe.
    if set(entry.argv[0]) & set("$\\\"'"):
        raise UsageError(f"systemd cannot run a path with quotes, a backslash or a dollar sign: {entry.argv[0]}")
    service = (
        *(MARK, "[Unit]", "Description=Sync the BPF tools of toolkit"),
        *("Wants=network-online.target", "After=network-online.target", ""),
        *("[Service]", "Type=oneshot", "TimeoutStartSec=1h"),
        *((f"EnvironmentFile=/{ENVIRONMENT_FILE}",) if entry.environment else ()),
        f"ExecStart={' '.join(map(_quote_word, entry.argv))}",
    )
    timer = (
        *(MARK, "[Unit]", "Description=Sync the BPF tools of toolkit every night", ""),
        # To the second, and without a random delay: the minute is spread already, and stays the same every night.
        *("[Timer]", f"OnCalendar=*-*-* {entry.at}:00", "AccuracySec=1s", "Persistent=true", ""),
        *("[Install]", "WantedBy=timers.target"),
    )
    return (
        EntryFile(path=SERVICE_FILE, text="\n".join((*service, "")), mode=0o644),
        EntryFile(path=TIMER_FILE, text="\n".join((*timer, "")), mode=0o644),
    )


def _quote_word(word: str) -> str:
    """For ExecStart= (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@%+=:,./-]+", escaped, re.ASCII) else f'"{escaped}"'


def _quote_value(value: str) -> str:
    """For a shell's assignment and for EnvironmentFile=, whose double quotes are those of a shell (systemd.exec(5))."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def is_ours(text: str) -> bool:
    """Whether a file was made by us: its first line says so."""
    return text.partition("\n")[0] == MARK


def read_entry(kind: Kind, texts: Mapping[str, str]) -> Entry | None:
    """The entry that files of ours hold, by path; None where they hold none, such as after a person edited them."""
    if kind is Kind.CRON:
        text = texts.get(CRON_FILE, "")
        time = re.search(r"^(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) \* ", text, re.ASCII | re.MULTILINE)
        start = re.search(r"^\d.* \* root (?:set -a; \. \S+; exec )?(.+)$", text, re.ASCII | re.MULTILINE)
        command = start[1].replace("\\%", "%") if start else ""
    else:
        pattern = r"^OnCalendar=\*-\*-\* (?P<hour>\d\d):(?P<minute>\d\d):00$"
        time = re.search(pattern, texts.get(TIMER_FILE, ""), re.ASCII | re.MULTILINE)
        start = re.search(r"^ExecStart=(.+)$", texts.get(SERVICE_FILE, ""), re.MULTILINE)
        command = start[1].replace("%%", "%").replace("$$", "$") if start else ""
    minute = int(time["hour"]) * 60 + int(time["minute"]) if time else DAY
    argv = _split(command)
    if minute >= DAY or not argv:
        return None
    return Entry(kind=kind, minute=minute, argv=argv, environment=_read_environment(texts.get(ENVIRONMENT_FILE, "")))


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ()


def _read_environment(text: str) -> dict[str, str]:
    found = (re.fullmatch(r'(\w+)="(.*)"', line, re.ASCII) for line in text.splitlines())
    return {one[1]: re.sub(r'\\(["\\`$])', r"\1", one[2]) for one in found if one}


def next_run(minute: int, now: datetime.datetime) -> datetime.datetime:
    """The next time that it is this minute of the day, later than `now`; both are local times without a zone."""
    today = now.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    return today if today > now else today + datetime.timedelta(days=1)
