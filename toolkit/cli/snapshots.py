"""`toolkit snapshots list|show|diff|rollback|unhold|gc`: the built catalogs on this host."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import click

from toolkit.cli import render
from toolkit.cli.group import Group
from toolkit.cli.numbers import Number
from toolkit.cli.places import own_paths
from toolkit.config import load_settings
from toolkit.errors import StateError, UsageError
from toolkit.lock import hold_lock
from toolkit.model import Value
from toolkit.paths import Paths, data_folder
from toolkit.snapshot.compare import Difference, compare_manifests
from toolkit.snapshot.hold import end_hold, find_held, hold_snapshot
from toolkit.snapshot.layout import Entry, Origin, Role, Snapshot, current_name
from toolkit.snapshot.store import collect_garbage, find_garbage, list_snapshots, make_current

LOCK_WAIT = 10.0  # seconds
INDENT = 18  # columns of an id and the space behind it
UNHOLD = "`toolkit snapshots unhold` lets sync go on"


class Row(Value, frozen=True, omit_defaults=False):
    """One snapshot of the list; `serial` orders them, whatever the clock said."""

    id: str
    serial: int
    built: float
    current: bool
    held: bool
    tools: int
    origins: tuple[Origin, ...]


class SnapshotList(Value, frozen=True, omit_defaults=False):
    """The document of `snapshots list --json`."""

    shape: int
    snapshots: tuple[Row, ...]


class Switched(Value, frozen=True, omit_defaults=False):
    """The document of `snapshots rollback --json` and `unhold --json`: what is current now, and what was."""

    shape: int
    snapshot: str
    before: str
    held: bool


class Garbage(Value, frozen=True, omit_defaults=False):
    """The document of `snapshots gc --json`; with --dry-run, `removed` is what would go."""

    shape: int
    removed: tuple[str, ...]
    in_use: tuple[str, ...]  # they stay: a tool is running from them
    dry_run: bool


@click.group("snapshots", cls=Group)
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
    """What a snapshot holds; the current one without NAME, which is an id or the beginning of one.

    In a pipe each tool has a line of its own, as `toolkit run` takes it, with its path in the repository.
    """
    paths = own_paths()
    snapshot = find_snapshot(paths, name)
    render.print_document(snapshot) if as_json else render.print_lines(_format_snapshot(paths, snapshot))


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
        render.print_document(difference)
        return
    first = f"from {_name(paths, older) if older else 'nothing'} to {_name(paths, newer)}"
    render.print_lines((*render.wrap(first, 0, render.terminal_width()), *format_difference(difference)))


@command.command("rollback")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def rollback_command(name: str | None, as_json: bool) -> None:
    """Make another snapshot the current one: the one before it, or NAME.

    It is held there: `toolkit sync`, also the nightly one, changes nothing until `toolkit snapshots unhold`. Going to
    the newest one by its NAME ends the hold too.
    """
    paths = own_paths()
    with hold_lock(paths.state / "sync.lock", LOCK_WAIT):
        before = current_name(paths.current) or ""
        target = find_snapshot(paths, name) if name else _previous(paths, find_snapshot(paths, None))
        if target is None:
            raise UsageError("there is no snapshot before the current one", fix="`toolkit snapshots list` shows them")
        held = target.id != list_snapshots(paths.snapshots)[0].id
        # First the hold, which counts once its snapshot is the current one: both are switched by one rename.
        hold_snapshot(paths.hold, target.id) if held else end_hold(paths.hold)
        make_current(paths.snapshots, paths.current, target.id)
        _mend_tree(paths, target)
    if as_json:
        render.print_json(Switched(shape=render.SHAPE, snapshot=target.id, before=before, held=held))
        return
    click.echo(f"current is now {target.id}, built {_when(target.receipt.built)}; it was {before or 'none'}")
    click.echo(f"sync leaves it there: {UNHOLD}" if held else "it is the newest one: sync goes on from here")


@command.command("unhold")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def unhold_command(as_json: bool) -> None:
    """Let sync go on from the snapshot that a rollback holds."""
    paths = own_paths()
    with hold_lock(paths.state / "sync.lock", LOCK_WAIT):
        held = find_held(paths.hold, paths.current)
        end_hold(paths.hold)
    if as_json:
        now = current_name(paths.current) or ""
        render.print_json(Switched(shape=render.SHAPE, snapshot=now, before=now, held=False))
    else:
        click.echo(f"{held} is not held any more: the next sync goes on" if held else "no snapshot was held")


@command.command("gc")
@click.option("--keep", type=Number(1), help="Keep so many, and the current one (settings: keep).")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def gc_command(keep: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove old snapshots, and what a crash left. One that a tool is running from stays until the next time."""
    paths = own_paths()
    keep = keep or load_settings(paths.settings).keep
    removed, in_use = find_garbage(paths.snapshots, paths.current, keep), tuple[str, ...]()
    if not dry_run:
        with hold_lock(paths.state / "sync.lock", LOCK_WAIT):
            removed = collect_garbage(paths.snapshots, paths.current, keep)
            in_use = find_garbage(paths.snapshots, paths.current, keep)
    if as_json:
        render.print_json(Garbage(shape=render.SHAPE, removed=removed, in_use=in_use, dry_run=dry_run))
        return
    lines = [f"{'would remove' if dry_run else 'removed'} {name}" for name in removed]
    lines += [f"kept {name}: a tool is running from it" for name in in_use]
    render.print_lines(lines or ("nothing to remove",))


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
    """The lines of a difference: on a terminal a paragraph a word, in a pipe a line a tool."""
    if difference.empty:
        yield "  nothing changed"
        return
    width = render.terminal_width()
    kinds = (("new", difference.new), ("changed", difference.changed), ("gone", difference.gone))
    if width is None:
        yield from (f"  without  {_describe_origin(one)}" for one in difference.origins_gone)
        yield from (f"  with     {_describe_origin(one)}" for one in difference.origins_new)
        yield from (f"  {word:<7}  {name}" for word, names in kinds for name in names)
        return
    yield from _format_origins(difference)
    if not any(names for _, names in kinds):
        yield "  no tool changed"
    for word, names in kinds:
        if names:
            yield f"  {len(names)} {word}:"
            yield from render.wrap("  ".join(names), 4, width)


def _format_origins(difference: Difference) -> Iterator[str]:
    """What came and went of each source, in one line."""
    every = (*difference.origins_gone, *difference.origins_new)
    for source in dict.fromkeys(sorted(one.source for one in every)):
        gone = ", ".join(one.revision for one in difference.origins_gone if one.source == source)
        new = ", ".join(one.revision for one in difference.origins_new if one.source == source)
        yield f"  {source}: {f'{gone} -> {new}' if gone and new else f'with {new}' if new else f'without {gone}'}"


def _describe_origin(origin: Origin) -> str:
    return f"{origin.source} {origin.revision} ({origin.commit[:12]})"


def _previous(paths: Paths, snapshot: Snapshot) -> Snapshot | None:
    older = (one for one in list_snapshots(paths.snapshots) if one.order < snapshot.order)
    return next(older, None)


def _mend_tree(paths: Paths, snapshot: Snapshot) -> None:
    """Its tree may be of another toolkit, or none; that is no reason not to go back."""
    from toolkit.catalog.load import load_curated
    from toolkit.cli.tree import make_rules
    from toolkit.snapshot.tree import mend_tree

    try:
        mend_tree(snapshot, make_rules(load_curated(data_folder()), paths))
    except StateError as error:
        click.echo(f"toolkit: {error.what}; the next sync tries again", err=True)


def _tools(snapshot: Snapshot) -> tuple[Entry, ...]:
    return tuple(entry for entry in snapshot.manifest.entries if entry.role is Role.TOOL)


def _make_row(paths: Paths, snapshot: Snapshot) -> Row:
    return Row(
        id=snapshot.id,
        serial=snapshot.receipt.serial,
        built=snapshot.receipt.built,
        current=snapshot.id == current_name(paths.current),
        held=snapshot.id == find_held(paths.hold, paths.current),
        tools=len({(one.source, one.stem) for one in _tools(snapshot)}),
        origins=snapshot.manifest.origins,
    )


def _format_list(rows: tuple[Row, ...]) -> Iterator[str]:
    width = render.terminal_width()
    for row in rows:
        mark = "held" if row.held else "current" if row.current else ""
        head = f"{row.id}  {_when(row.built)}  {mark:<7}  {row.tools:>4} tools"
        origins = _join_origins(row.origins)
        if width is None or len(head) + 2 + len(origins) <= width:
            yield f"{head}  {origins}"
        else:
            yield from (head, *render.wrap(origins, INDENT, width))
    if any(row.held for row in rows):
        yield from render.wrap(f"A rollback holds the current one: {UNHOLD}.", 0, width)


def _join_origins(origins: Iterable[Origin]) -> str:
    """bcc v0.26.0 v0.37.0, book 09f8a3a101fd."""
    revisions: dict[str, list[str]] = {}
    for one in origins:
        revisions.setdefault(one.source, []).append(one.revision)
    return ", ".join(" ".join((source, *names)) for source, names in revisions.items())


def _format_snapshot(paths: Paths, snapshot: Snapshot) -> Iterator[str]:
    width = render.terminal_width()
    receipt = snapshot.receipt
    yield from render.wrap(f"{_name(paths, snapshot)} by toolkit {receipt.toolkit} on {receipt.host}", 0, width)
    for note in receipt.notes:
        yield from render.wrap(f"note: {note}", 2, width)
    for origin in snapshot.manifest.origins:
        tools = tuple(one for one in _tools(snapshot) if (one.source, one.revision) == (origin.source, origin.revision))
        count = "1 tool" if len(tools) == 1 else f"{len(tools)} tools"
        yield f"  {origin.source} {origin.revision} ({origin.commit}), {count}"
        if width:
            yield from render.wrap("  ".join(sorted(one.stem for one in tools)), 4, width)
        else:
            yield from (f"    {one.source}/{one.stem}@{one.revision}  {one.path}" for one in tools)


def _name(paths: Paths, snapshot: Snapshot) -> str:
    mark = "current, " if snapshot.id == current_name(paths.current) else ""
    return f"{snapshot.id} ({mark}built {_when(snapshot.receipt.built)})"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
