"""`toolkit snapshots list|show|diff|rollback|gc`: the built catalogs on this host."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from toolkit.cli import render
from toolkit.cli.session import own_paths
from toolkit.config import load_settings
from toolkit.errors import UsageError
from toolkit.lock import hold_lock
from toolkit.model import Value
from toolkit.paths import Paths
from toolkit.snapshot.compare import Difference, compare_manifests
from toolkit.snapshot.layout import Entry, Origin, Role, Snapshot
from toolkit.snapshot.store import collect_garbage, current_name, list_snapshots, make_current

LOCK_WAIT = 10.0  # seconds


class Row(Value, frozen=True, omit_defaults=False):
    """One snapshot of the list."""

    id: str
    built: float
    current: bool
    tools: int
    origins: tuple[Origin, ...]


class SnapshotList(Value, frozen=True, omit_defaults=False):
    """The document of `snapshots list --json`."""

    shape: int
    snapshots: tuple[Row, ...]


@click.group("snapshots")
def command() -> None:
    """The built catalogs on this host: what they hold, what changed, and the way back."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def list_command(as_json: bool) -> None:
    """Every snapshot, newest first."""
    paths = own_paths()
    rows = tuple(_make_row(paths, one) for one in list_snapshots(paths.snapshots))
    if as_json:
        render.print_json(SnapshotList(shape=render.SHAPE, snapshots=rows))
    elif rows:
        render.print_lines(_format_list(rows))
    else:
        click.echo("There is no snapshot yet: `toolkit sync` makes the first.", err=True)


@command.command("show")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def show_command(name: str | None, as_json: bool) -> None:
    """What a snapshot holds; the current one without NAME, which is an id or the beginning of one."""
    snapshot = find_snapshot(own_paths(), name)
    if as_json:
        render.print_json(snapshot)
        return
    lines = [f"{snapshot.id}  {_when(snapshot.receipt.built)}  by toolkit {snapshot.receipt.toolkit}"]
    lines += [f"  {one.source} {one.revision} ({one.commit})" for one in snapshot.manifest.origins]
    lines += [f"  note: {note}" for note in snapshot.receipt.notes]
    lines += [f"  {entry.source}/{entry.stem}  {entry.path}" for entry in _tools(snapshot)]
    render.print_lines(lines)


@command.command("diff")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def diff_command(before: str | None, after: str | None, as_json: bool) -> None:
    """What changed from BEFORE to AFTER; without them, from the previous snapshot to the current one."""
    paths = own_paths()
    newer = find_snapshot(paths, after)
    older = find_snapshot(paths, before) if before else _previous(paths, newer)
    difference = compare_manifests(older.manifest if older else None, newer.manifest)
    if as_json:
        render.print_json(difference)
        return
    render.print_lines((f"from {older.id if older else 'nothing'} to {newer.id}", *format_difference(difference)))


@command.command("rollback")
@click.argument("name", required=False)
def rollback_command(name: str | None) -> None:
    """Make another snapshot the current one: the one before it, or NAME. The next sync may go forward again."""
    paths = own_paths()
    with hold_lock(paths.state / "sync.lock", LOCK_WAIT):
        target = find_snapshot(paths, name) if name else _previous(paths, find_snapshot(paths, None))
        if target is None:
            raise UsageError("there is no snapshot before the current one", fix="`toolkit snapshots list` shows them")
        make_current(paths.snapshots, paths.current, target.id)
    click.echo(f"current is now {target.id}, built {_when(target.receipt.built)}")


@command.command("gc")
@click.option("--keep", type=click.IntRange(1), help="Keep so many, and the current one (settings: keep).")
def gc_command(keep: int | None) -> None:
    """Remove old snapshots, and what a crash left."""
    paths = own_paths()
    with hold_lock(paths.state / "sync.lock", LOCK_WAIT):
        removed = collect_garbage(paths.snapshots, paths.current, keep or load_settings(paths.settings).keep)
    click.echo(f"removed {len(removed)} snapshot{'' if len(removed) == 1 else 's'}")


def find_snapshot(paths: Paths, name: str | None) -> Snapshot:
    """The snapshot of this id or unambiguous beginning, or the current one. Raises UsageError."""
    wanted = name or current_name(paths.current)
    found = tuple(one for one in list_snapshots(paths.snapshots) if wanted and one.id.startswith(wanted))
    if len(found) == 1:
        return found[0]
    if name is None:
        raise UsageError("there is no current snapshot", fix="`toolkit sync` makes one")
    what = f"could be any of {len(found)} snapshots" if found else "is no snapshot"
    raise UsageError(f"{name!r} {what}", fix="`toolkit snapshots list` shows them")


def format_difference(difference: Difference) -> Iterator[str]:
    """The lines of a difference, a word a line."""
    for one in difference.origins_gone:
        yield f"  without  {one.source} {one.revision} ({one.commit[:12]})"
    for one in difference.origins_new:
        yield f"  with     {one.source} {one.revision} ({one.commit[:12]})"
    for word, names in (("new", difference.new), ("changed", difference.changed), ("gone", difference.gone)):
        for name in names:
            yield f"  {word:<7}  {name}"
    if difference.empty:
        yield "  nothing changed"


def _previous(paths: Paths, snapshot: Snapshot) -> Snapshot | None:
    older = (one for one in list_snapshots(paths.snapshots) if one.receipt.built < snapshot.receipt.built)
    return next(older, None)


def _tools(snapshot: Snapshot) -> Iterator[Entry]:
    return (entry for entry in snapshot.manifest.entries if entry.role is Role.TOOL)


def _make_row(paths: Paths, snapshot: Snapshot) -> Row:
    return Row(
        id=snapshot.id,
        built=snapshot.receipt.built,
        current=snapshot.id == current_name(paths.current),
        tools=sum(1 for _ in _tools(snapshot)),
        origins=snapshot.manifest.origins,
    )


def _format_list(rows: tuple[Row, ...]) -> Iterator[str]:
    width = render.terminal_width()
    for row in rows:
        origins = ", ".join(f"{one.source} {one.revision}" for one in row.origins)
        mark = "current" if row.current else ""
        line = f"{row.id}  {_when(row.built)}  {mark:<7}  {row.tools:>4} tools  {origins}"
        yield render.cut(line, width) if width else line


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
