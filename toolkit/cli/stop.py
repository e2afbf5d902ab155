"""`toolkit stop RUN... | --all`: end runs from outside."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli import narrate, render
from toolkit.cli.places import own_paths
from toolkit.errors import NoSuchRecording, NoSuchRun, UsageError
from toolkit.launch.register import Entry, list_runs
from toolkit.launch.stop import Launcher, find_run
from toolkit.model import Value
from toolkit.paths import SYSTEM_RUNS
from toolkit.recordings.read import find_recording
from toolkit.runs import Result

STILL_ON = 1


class Stopped(Value, frozen=True, omit_defaults=False):
    """One run that was asked to end; `result` is null where it is not recorded."""

    run: str
    ended: bool
    result: Result | None
    problem: str = ""


class StopReport(Value, frozen=True, omit_defaults=False):
    """The document of `stop --json`."""

    shape: int
    runs: tuple[Stopped, ...]


@click.command("stop")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--all", "every", is_flag=True, help="All runs that `toolkit ps` shows.")
@click.option("--now", is_flag=True, help="Do not wait for it to print what it counted.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what could not be ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(runs: tuple[str, ...], every: bool, now: bool, quiet: bool, as_json: bool) -> int:
    """End runs, and say how each ended. RUN is its name, the beginning or the last letters of it, or its tool.

    The tool gets SIGINT and its grace, so that it prints what it counted. Exit status 1 when one goes on all the same.
    """
    if bool(runs) == every:
        what = "--all and a RUN exclude each other" if every else "name the runs to stop, or give --all"
        raise UsageError(what, fix="`toolkit ps` shows them")
    folder = own_paths().runs
    found = list_runs(folder) if every else tuple(find_run(folder, name, SYSTEM_RUNS) for name in dict.fromkeys(runs))
    reports = _stop_all(folder, tuple({one.id: one for one in found}.values()), now=now)
    if as_json:
        render.print_json(StopReport(shape=render.SHAPE, runs=reports))
    else:
        for one in reports:
            _tell(one, quiet=quiet)
        if not reports and not quiet:
            narrate.say("no run is on")
    return STILL_ON if any(not one.ended for one in reports) else 0


def _stop_all(folder: Path, entries: tuple[Entry, ...], *, now: bool) -> tuple[Stopped, ...]:
    """All are asked at once, so that their graces pass together."""
    reports: list[Stopped] = []
    asked: list[tuple[Entry, Launcher]] = []
    for entry in entries:
        try:
            launcher = Launcher(folder, entry)
        except NoSuchRun as error:
            reports.append(Stopped(run=entry.id, ended=True, result=_read_result(entry), problem=error.what))
            continue
        try:
            launcher.ask(now=now)
            asked.append((entry, launcher))
        except NoSuchRun as error:
            launcher.close()
            reports.append(Stopped(run=entry.id, ended=False, result=None, problem=error.what))
    for entry, launcher in asked:
        ended = launcher.wait_for_end()
        launcher.close()
        problem = "" if ended else f"it goes on: process {entry.pid} does not end its tool"
        reports.append(
            Stopped(run=entry.id, ended=ended, result=_read_result(entry) if ended else None, problem=problem)
        )
    return tuple(reports)


def _read_result(entry: Entry) -> Result | None:
    if not entry.recording:
        return None
    try:
        return find_recording(Path(entry.recording).parent, entry.id).result
    except NoSuchRecording:
        return None


def _tell(one: Stopped, *, quiet: bool) -> None:
    if not one.ended:
        narrate.warn(f"{one.run}: {one.problem}")
    elif not quiet:
        how = narrate.describe_end(one.result) if one.result else one.problem or "it ended; it was not recorded"
        narrate.say(f"{one.run}: {how}")
