"""From the decision to the start of a run: the guard, its slot, the audit log, its recording; here, or detached."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from msgspec.structs import replace

from toolkit.cli import narrate, render
from toolkit.cli.session import Session
from toolkit.errors import StateError, ToolkitError, UsageError
from toolkit.launch.attempt import Attempt
from toolkit.launch.detach import Tell, detach
from toolkit.launch.guard import check_file, check_pressure, check_programs, check_rights
from toolkit.launch.keeper import keep
from toolkit.launch.register import LONGEST, Entry, register
from toolkit.model import Value
from toolkit.recordings.layout import SHAPE, RunRecord
from toolkit.recordings.write import Recorder, new_id
from toolkit.runs import Plan
from toolkit.snapshot.use import use_snapshot


class Detached(Value, frozen=True, omit_defaults=False):
    """The document of `run --detach --json`."""

    shape: int
    run: str
    recording: str


class Start(Value, frozen=True):
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
    warnings: list[str] = []  # of a detached run, until it is told


def start_here(start: Start) -> int:
    """Run it to its end; gives the exit status."""
    with _admit(start) as name:
        recorder = _open_recorder(start, name) if start.record else None
        if not start.quiet:
            narrate.say(narrate.describe_start(start.plan))
        with keep(start.plan) as kept:
            from toolkit.cli.course import Course  # here: while it is loaded the tool starts

            course = Course(start, name, recorder)
            result = course.follow(kept)
    return course.finish(result)  # its slot is free by now, however long somebody reads


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
    if not start.quiet and told.over:
        narrate.say(f"it has ended already: toolkit recordings show {told.run}")
    elif not start.quiet:
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
        began=round(time.monotonic(), 3),
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
