"""`toolkit cron install|remove|show`: sync every night, at a minute that each host has of its own."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from toolkit.cli import render
from toolkit.cli.group import Group
from toolkit.command import capture_command
from toolkit.errors import StateError
from toolkit.fleet import cron
from toolkit.fleet.cron import Entry, Kind
from toolkit.fleet.install import (
    Installed,
    check_kind,
    choose_kind,
    find_installed,
    find_program_distrust,
    find_sleeper,
    install_entry,
    remove_entry,
)
from toolkit.model import Value
from toolkit.paths import Paths, find_paths, own_command
from toolkit.snapshot.journal import Journal, read_journal

ROOT = Path("/")
SYSTEMCTL = "systemctl"
SECONDS = 30.0  # for `toolkit --version`, cold


class Row(Value, frozen=True, omit_defaults=False):
    """An entry that is installed. Of what it carries only the names: a proxy's variable may hold a password."""

    kind: Kind
    files: tuple[str, ...]
    at: str = ""
    next: float | None = None
    argv: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()
    problem: str = ""


class Change(Value, frozen=True, omit_defaults=False):
    """The document of `cron install --json`; `changed` are files, none when all was so already."""

    shape: int
    changed: tuple[str, ...]
    entry: Row


class Removal(Value, frozen=True, omit_defaults=False):
    """The document of `cron remove --json`."""

    shape: int
    removed: tuple[str, ...]


class Overview(Value, frozen=True, omit_defaults=False):
    """The document of `cron show --json`."""

    shape: int
    entries: tuple[Row, ...]
    journal: Journal
    log: str
    problem: str


@click.group("cron", cls=Group)
def command() -> None:
    """Sync every night, at a minute that each host has of its own: a hash of its name."""


@command.command("install")
@click.option(
    "--kind", type=click.Choice([str(one) for one in Kind]), help="What starts it: systemd where it runs, else cron."
)
@click.option(
    "--window", default="01:00-04:59", show_default=True, metavar="HH:MM-HH:MM", help="Local time to spread hosts over."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def install_command(kind: str | None, window: str, as_json: bool) -> None:
    """Install the nightly `toolkit sync --quiet`, or change what is installed.

    It is a line in /etc/cron.d/toolkit, or toolkit-sync.timer and its service. The variables http_proxy, https_proxy,
    all_proxy, no_proxy (and in capitals), those of certificates (GIT_SSL_CAINFO, REQUESTS_CA_BUNDLE and kin) and
    TOOLKIT_HOME of this shell go with it, in files that only root can read.
    """
    _need_root("install")
    minute = cron.pick_minute(os.uname().nodename, cron.parse_window(window))
    if kind:
        check_kind(ROOT, Kind(kind))
    entry = Entry(
        kind=Kind(kind) if kind else choose_kind(ROOT),
        minute=minute,
        argv=(*_find_program(), "sync", "--quiet"),
        environment=cron.carry_environment(os.environ, _own_home()),
    )
    changed = install_entry(ROOT, entry, SYSTEMCTL)
    files = tuple(str(ROOT / one.path) for one in cron.plan_files(entry))
    row = _make_row(Installed(kind=entry.kind, files=files, entry=entry))
    if as_json:
        render.print_json(Change(shape=render.SHAPE, changed=changed, entry=row))
    else:
        render.print_lines(("installed" if changed else "unchanged", *_format_row(row)))


@command.command("remove")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def remove_command(as_json: bool) -> None:
    """Remove what `install` made, and nothing else."""
    _need_root("remove")
    removed = remove_entry(ROOT, SYSTEMCTL)
    if as_json:
        render.print_json(Removal(shape=render.SHAPE, removed=removed))
    else:
        render.print_lines(f"removed {path}" for path in removed or ("nothing: nothing of ours is installed",))


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def show_command(as_json: bool) -> None:
    """What is installed, when it runs next, and how the last syncs went."""
    installed = find_installed(ROOT)
    rows = tuple(map(_make_row, installed))
    paths = _find_its_paths(installed)
    try:
        journal, problem = read_journal(paths.journal), ""
    except StateError as error:
        journal, problem = Journal(), error.what
    log = str(paths.sync_log)
    if as_json:
        render.print_json(Overview(shape=render.SHAPE, entries=rows, journal=journal, log=log, problem=problem))
        return
    lines = [line for row in rows for line in _format_row(row)] or ["not installed: `sudo toolkit cron install`"]
    lines += _field("problem", problem) if problem else _format_journal(journal)
    render.print_lines((*lines, *_field("log", log)))


def _need_root(word: str) -> None:
    if os.geteuid() != 0:
        raise StateError(f"only root can {word} the nightly sync", fix=f"sudo toolkit cron {word}")


def _own_home() -> str:
    return str(Path(os.environ[cron.HOME]).absolute()) if os.environ.get(cron.HOME) else ""


def _find_its_paths(installed: tuple[Installed, ...]) -> Paths:
    """The places that the nightly sync uses, which need not be those of who asks."""
    entry = next((one.entry for one in installed if one.entry), None)
    return find_paths(entry.environment, 0) if entry else find_paths(dict(os.environ), os.getuid())


def _find_program() -> tuple[str, ...]:
    """What starts this program again, without this shell. Raises StateError where that would not work, or be safe."""
    argv = own_command()
    distrust = find_program_distrust(
        (Path(argv[0]), Path(sys.executable), Path(sys.prefix), Path(__file__).parent.parent)
    )
    if distrust:
        raise StateError(
            f"root cannot run this toolkit every night: {distrust}",
            fix="install it for root, where nobody else can write: sudo pipx install --global, or pip in root's venv",
        )
    said = capture_command((*argv, "--version"), seconds=SECONDS)
    if not said.ok:
        why = said.problem or (said.stderr.strip() or f"status {said.status}").splitlines()[-1]
        raise StateError(
            f"`{shlex.join(argv)}` does not start outside of this shell: {why}", fix="install toolkit, and call that"
        )
    return argv


def _make_row(installed: Installed) -> Row:
    entry = installed.entry
    if entry is None:
        return Row(kind=installed.kind, files=installed.files, problem=installed.problem)
    local = datetime.now(UTC).astimezone().replace(tzinfo=None)
    return Row(
        kind=entry.kind,
        files=installed.files,
        at=entry.at,
        next=cron.next_run(entry.minute, local).timestamp(),
        argv=entry.argv,
        carries=tuple(entry.environment),
        problem=installed.problem or find_sleeper(ROOT, entry.kind, SYSTEMCTL),
    )


def _format_row(row: Row) -> Iterator[str]:
    if row.next is not None:
        yield from _field(row.kind, f"every night at {row.at}, next {_when(row.next)}")
        yield from _field("runs", shlex.join(row.argv))
        if row.carries or not row.problem:
            yield from _field("carries", ", ".join(row.carries) or "no variable")
    yield from _field("files", " ".join(row.files))
    if row.problem:
        yield from _field("problem", row.problem)


def _format_journal(journal: Journal) -> Iterator[str]:
    last, success = journal.last, journal.last_success
    if last is None:
        yield from _field("last", "there was no sync yet")
        return
    how = "done" if last.success else "FAILED"
    took = f"{_when(last.ended)}, in {render.format_duration(last.seconds)}, snapshot {last.snapshot or 'none'}"
    yield from _field("last", f"{how} {took}{f': {last.problem}' if last.problem else ''}")
    if success != last:
        yield from _field("success", _when(success.ended) if success else "never")
    for one in journal.sources:
        if one.problem:
            good = f"good until {_when(one.last_success)}" if one.last_success else "never good"
            yield from _field(one.source, f"FAILED, {good}: {one.problem}{f' -> {one.fix}' if one.fix else ''}")
    for note in last.notes:
        yield from _field("note", note)


def _field(name: str, text: str) -> Iterator[str]:
    first, *rest = render.wrap(text, 10, render.terminal_width())
    yield f"{name:<9} {first.lstrip()}"
    yield from rest


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
