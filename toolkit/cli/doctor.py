"""`toolkit doctor`: what this host lacks, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from toolkit.choose import judge_all
from toolkit.cli import render
from toolkit.cli.session import Session, open_session
from toolkit.diagnose import Finding, Level, find_problems
from toolkit.launch.leftovers import Leftover, find_leftovers, remove_leftover
from toolkit.model import Status, Value

WORDS = {Level.OK: ("ok", "green"), Level.NOTE: ("note", "yellow"), Level.PROBLEM: ("problem", "red")}


class Left(Value, frozen=True, omit_defaults=False):
    """What a dead run left, and what `--clean` did about it."""

    leftover: Leftover
    removed: bool
    problem: str  # why it could not be removed


class Diagnosis(Value, frozen=True, omit_defaults=False):
    """The document of `doctor --json`."""

    shape: int
    kernel: str
    distribution: str
    variants: int
    variants_running: int
    findings: tuple[Finding, ...]
    leftovers: tuple[Left, ...]


@click.command("doctor")
@click.option("--clean", is_flag=True, help="Remove what runs left behind whose launcher was killed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(clean: bool, as_json: bool) -> int:
    """What this host lacks for BPF tools, and the exact command that mends it.

    It also finds what runs left behind when toolkit itself was killed: processes, cgroups, and probe events in tracefs
    whose process is dead. `--clean` removes that, and nothing else. What somebody still uses stays.

    Exits with 1 when there is a problem that keeps most tools from running, or when something is left.
    """
    session = open_session()
    left = tuple(_clean(one) if clean else Left(one, removed=False, problem="") for one in find_leftovers())
    findings = (*find_problems(session.facts, session.index), *map(_describe_left, left))
    running = _count_running(session)
    if as_json:
        diagnosis = Diagnosis(
            shape=render.SHAPE,
            kernel=session.facts.release,
            distribution=session.facts.distribution,
            variants=len(session.index.variants),
            variants_running=running,
            findings=findings,
            leftovers=left,
        )
        render.print_json(diagnosis)
    else:
        render.print_lines(_format(session, findings, running))
    return 1 if any(finding.level is Level.PROBLEM for finding in findings) else 0


def _clean(leftover: Leftover) -> Left:
    problem = remove_leftover(leftover)
    return Left(leftover, removed=not problem, problem=problem)


def _describe_left(left: Left) -> Finding:
    what = f"a run that was killed left the {left.leftover.kind} {left.leftover.name}"
    if left.removed:
        return Finding("left behind", Level.OK, f"{what}: removed")
    if left.problem:
        return Finding("left behind", Level.PROBLEM, f"{what}, which cannot be removed: {left.problem}")
    return Finding("left behind", Level.PROBLEM, what, "toolkit doctor --clean")


def _count_running(session: Session) -> int:
    judged = judge_all(session.index.variants, session.facts, session.trials)
    return sum(one.verdict.status is Status.RUNS for one in judged)


def _format(session: Session, findings: tuple[Finding, ...], running: int) -> Iterator[str]:
    width = render.terminal_width()
    for finding in findings:
        word, colour = WORDS[finding.level]
        first, *rest = render.wrap(finding.text, 23, width)
        yield f"{render.paint(f'{word:<7}', colour)}  {finding.subject:<12}  {first.lstrip()}"
        yield from rest
        if finding.fix:
            yield from render.wrap(f"-> {finding.fix}", 23, width)
    yield ""
    text = f"{running} of {len(session.index.variants)} variants run on kernel {session.facts.release}."
    yield from render.wrap(f"{text} `toolkit list` shows the tools.", 0, width)
