"""From the decision to the end of a run: the guard, its slot, the audit log, its recording; here, or detached."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import click

from toolkit.cli import narrate, render
from toolkit.cli.gaps import describe_gaps, read_map_keys
from toolkit.cli.session import Session
from toolkit.cli.sinks import Outlet, Tap, open_outlet
from toolkit.cli.status import Status, open_status
from toolkit.errors import StateError, ToolkitError, UsageError
from toolkit.launch.attempt import Attempt
from toolkit.launch.detach import Tell, Told, detach
from toolkit.launch.guard import check_file, check_pressure, check_programs, check_rights
from toolkit.launch.register import LONGEST, Entry, register
from toolkit.launch.supervise import supervise
from toolkit.model import Facts, Value, Variant
from toolkit.recordings.layout import SHAPE, RunRecord
from toolkit.recordings.write import Recorder, new_id
from toolkit.remarks import Remarks
from toolkit.runs import Cost, Plan, Result
from toolkit.snapshot.use import use_snapshot
from toolkit.trials import Points, count_points


class Detached(Value, frozen=True, omit_defaults=False):
    """The document of `run --detach --json`."""

    shape: int
    run: str
    recording: str


@dataclass(frozen=True)
class Start:
    """All that is needed to start a run that the policy lets start."""

    session: Session
    attempt: Attempt
    plan: Plan
    record: bool
    quiet: bool
    as_json: bool
    chart: bool = False
    detached: bool = False
    tell: Tell = lambda _: None
    warnings: list[str] = field(default_factory=list)  # of a detached run, until it is told


def start_here(start: Start) -> int:
    """Run it to its end; gives the exit status."""
    with _admit(start) as name:
        recorder = _open_recorder(start, name) if start.record else None
        return _run(start, name, recorder)


def start_detached(start: Start) -> int:
    """Have it run in a process of its own, and say its name."""
    if not start.record:
        raise UsageError(
            "a detached run prints into its recording, and this one has none",
            fix="leave --no-record out; a sensitive tool needs --record; the policy may forbid both",
        )
    told = detach(
        lambda tell: start_here(replace(start, detached=True, as_json=False, chart=False, quiet=True, tell=tell))
    )
    for line in told.warnings:
        narrate.warn(line)
    if not told.run:
        error = ToolkitError(told.what, fix=told.fix)
        error.status = told.status
        raise error
    if start.as_json:
        folder = str(start.session.paths.recordings / told.run)
        render.print_json(Detached(shape=render.SHAPE, run=told.run, recording=folder))
    else:
        click.echo(told.run)
    if not start.quiet:
        narrate.say(f"it is on: toolkit attach {told.run}, toolkit stop {told.run}, toolkit ps")
    return 0


@contextmanager
def _admit(start: Start) -> Iterator[str]:
    """All that can still refuse it; gives the name of the run, which has its slot as long as the block runs."""
    attempt, plan, paths = start.attempt, start.plan, start.session.paths
    name = new_id(plan.tool, time.time())
    with ExitStack() as held:
        with attempt.watch():
            held.enter_context(use_snapshot(paths.snapshots, Path(plan.choice.variant.found.path)))
            check_file(plan.choice.variant)
            check_programs(plan)
            if not attempt.request.force:
                check_rights(plan.choice.variant, start.session.facts)
                check_pressure(attempt.policy.pressure)
            missing = held.enter_context(register(paths.runs, _describe_entry(start, name), plan.limits))
            if missing and start.detached:  # nobody could find it
                raise StateError(missing, fix="start it without --detach")
            attempt.allow(name if start.record else "")
        for problem in filter(None, (missing, attempt.problem)):
            _warn(start, problem)
        yield name


def _describe_entry(start: Start, name: str) -> Entry:
    plan, now = start.plan, time.time()
    return Entry(
        shape=render.SHAPE,
        id=name,
        pid=os.getpid(),
        tool=plan.tool,
        variant=plan.choice.variant.id,
        arguments=shlex.join(start.attempt.request.arguments)[:LONGEST],
        user=start.attempt.person.user,
        started=round(now, 3),
        ends=round(now + plan.deadline, 3),
        grace=plan.limits.grace,
        recording=str(start.session.paths.recordings / name) if start.record else "",
        detached=start.detached,
    )


def _open_recorder(start: Start, name: str) -> Recorder | None:
    """A recording, or None with a warning: an incident is often a full disk, and the tool must run all the same."""
    try:
        return Recorder(start.session.paths.recordings, _describe_run(start, name), start.plan.limits.free_bytes)
    except StateError as error:
        if start.detached:  # nobody would ever see what it prints
            raise
        narrate.warn(f"this run is not recorded: {error.what}")
        return None


def _describe_run(start: Start, name: str) -> RunRecord:
    plan = start.plan
    found = plan.choice.variant.found
    return RunRecord(
        shape=SHAPE,
        id=name,
        started=round(time.time(), 3),
        host=os.uname().nodename,
        user=start.attempt.person.user,
        kernel=start.session.facts.release,
        tool=plan.tool,
        category=plan.category,
        variant=plan.choice.variant.id,
        engine=found.engine,
        revision=found.revision,
        path=found.path,
        sha256=plan.choice.variant.sha256,
        argv=plan.argv,
        arguments=start.attempt.request.arguments,
        why=plan.choice.why,
        verdict=plan.choice.verdict,
        deadline=plan.deadline,
        asked=plan.asked,
        output_bytes=plan.limits.output_bytes,
        grace=plan.limits.grace,
        nice=plan.limits.nice,
        limits=plan.limits,
        enforcement=plan.enforcement,
        form=plan.form,
    )


def _warn(start: Start, text: str) -> None:
    """A warning where somebody sees it; that of a detached run goes along with its name."""
    if start.detached:
        start.warnings.append(text)
    else:
        narrate.warn(text)


def _open_outlet(tap: Tap, start: Start, status: Status | None) -> Outlet:
    if not start.chart:
        return open_outlet(tap, status, as_json=start.as_json)
    from toolkit.cli.chart import ChartOutlet

    return ChartOutlet(tap, start.plan.form)


def _run(start: Start, name: str, recorder: Recorder | None) -> int:
    plan = start.plan
    points = count_attached(start.session.facts, plan.choice.variant)
    remarks = Remarks(read_map_keys(plan))
    # Where a heat map is drawn there is no room for a line.
    status = None if start.quiet or start.chart else open_status(plan.deadline, points)
    outlet = _open_outlet(Tap(recorder, plan.form, remarks), start, status)
    outlet.start(plan)
    if not start.quiet:
        narrate.say(narrate.describe_start(plan))
    sinks = replace(outlet.sinks(), started=lambda: start.tell(Told(run=name, warnings=tuple(start.warnings))))
    result: Result = supervise(plan, sinks)
    outlet.finish(result)
    if start.detached:
        start.tell(Told(what=f"it could not be run: {result.detail}", status=result.status))
        return result.status
    for line in narrate.describe_trouble(plan, result, recorder.problem if recorder else ""):
        narrate.warn(line)
    for line in describe_gaps(plan, result, remarks, points(result.cost)):
        narrate.warn(line)
    if not start.quiet or (not start.as_json and narrate.must_be_said(result)):
        narrate.say(narrate.describe_end(result))
    if not start.quiet:
        if outlet.folded:
            narrate.say(
                f"{outlet.folded} lines of compiler warnings are folded (toolkit recordings show --stderr last)"
            )
        if recorder:
            narrate.say(f"recorded as {recorder.path.name} (toolkit recordings show last)")
    return result.status


def count_attached(facts: Facts, variant: Variant) -> Callable[[Cost], Points]:
    """A function that tells what of a variant is attached; it counts anew only when something came or went."""

    @cache
    def count(attached: tuple[str, ...]) -> Points:
        return count_points(variant, facts, attached)

    return lambda cost: Points() if cost.unknown else count(cost.attached)
