"""`toolkit verify [TOOL…|--all]`: start each variant for a moment, and see whether its verdict is what happens."""

from __future__ import annotations

import contextlib
import sys

import click

from toolkit.catalog.query import describe_ways
from toolkit.cli import render
from toolkit.cli.names import complete_tool
from toolkit.cli.narrate import say
from toolkit.cli.numbers import Number
from toolkit.cli.progress import can_redraw
from toolkit.cli.session import Session, open_session
from toolkit.cli.trying import (
    Candidate,
    Course,
    Rules,
    Tried,
    find_result,
    forget_gone,
    keep_changed,
    list_candidates,
    try_all,
)
from toolkit.cli.verify_report import format_proposal, format_row, format_summary, make_document, measure_names
from toolkit.errors import CannotRun, UsageError
from toolkit.launch.policy import GATED
from toolkit.model import Risk
from toolkit.runs import Observed
from toolkit.trials import differs

ERASE = "\r\x1b[K"


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[TOOL]...", shell_complete=complete_tool)
@click.option("--all", "-a", "everything", is_flag=True, help="Every variant on this host.")
@click.option("--changed", is_flag=True, help="Only what has no result that still holds.")
@click.option(
    "--seconds",
    default=30,
    type=Number(2, 3600),
    show_default=True,
    metavar="SECONDS",
    help="The longest time for one variant.",
)
@click.option("--allow", multiple=True, type=click.Choice([str(risk) for risk in GATED]), help="Accept a risk class.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a trial differs from its prediction: for CI.")
@click.option("--propose", is_flag=True, help="Print what differs as entries for catalog/known.yaml.")
@click.option(
    "--wait",
    default=10,
    type=Number(0, 3600),
    show_default=True,
    metavar="SECONDS",
    help="How long another verify is waited for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(
    names: tuple[str, ...],
    everything: bool,
    changed: bool,
    seconds: int,
    allow: tuple[str, ...],
    strict: bool,
    propose: bool,
    wait: int,
    as_json: bool,
) -> int:
    """Start variants for a moment, one at a time, and see whether each verdict is what happens.

    While a small workload of its own goes on, each variant is started as `run` would, until all that it attaches has
    been seen; what counts is what the kernel says is attached, not what the tool says. What is seen goes before
    predictions in `list`, `info` and `run`, until the file, the kernel, an engine or the prediction changes.

    Tools that are sensitive or destructive need --allow; those that need an argument cannot be tried. What tools
    print is thrown away. --propose without a TOOL tries nothing: it prints what is known from earlier trials.

    Exits with 0 when trials were made, whatever came of them, or --changed left none to make; 126 when none could be
    made; 130 when interrupted.
    """
    if everything and names:
        raise UsageError("--all and a TOOL exclude each other")
    if not (names or everything or changed or propose):
        raise UsageError("name a tool, or ask for --all", fix="toolkit verify runqlat; toolkit verify --all")
    session = open_session()
    if propose and not (names or everything or changed):
        return _print_known(session, as_json=as_json)
    candidates = list_candidates(session, names)
    if names and not candidates:
        ways = describe_ways(session.index, session.facts.distribution)
        raise CannotRun(f"no variant of {', '.join(names)} is on this host", fix=ways)
    chosen = keep_changed(session, candidates) if changed else candidates
    rules = Rules(seconds=float(seconds), allowed=tuple(map(Risk, allow)), wait=float(wait))
    course = _try(session, chosen, rules, quiet=as_json)
    if everything:
        forget_gone(session)
    _print_end(course, len(chosen), session, propose=propose, as_json=as_json)
    return _choose_status(course, strict=strict, changed=changed)


def _try(session: Session, chosen: tuple[Candidate, ...], rules: Rules, *, quiet: bool) -> Course:
    redraw = can_redraw() and not quiet
    width = render.terminal_width(sys.stderr) or 80
    names = measure_names(chosen)

    def begin(one: Candidate, at: int) -> None:
        draw(render.cut(f"{at + 1} of {len(chosen)}: {one.variant.id}", width - 1))

    def report(one: Tried) -> None:
        draw("")
        if not quiet:
            render.print_lines(format_row(one, names, render.terminal_width()))

    def draw(text: str) -> None:
        if redraw:
            with contextlib.suppress(OSError):  # the terminal is gone: nobody looks
                click.echo(ERASE + text, nl=False, err=True)

    try:
        return try_all(session, chosen, rules, begin, report)
    finally:
        draw("")


def _print_end(course: Course, asked: int, session: Session, *, propose: bool, as_json: bool) -> None:
    if as_json:
        render.print_json(make_document(course, session))
        return
    render.print_lines(("", *format_summary(course, asked, render.terminal_width())))
    if propose and course.differing:
        render.print_lines(("", *(line for one in course.differing for line in format_proposal(one, session))))
    if course.cut_short:
        say(f"{course.cut_short}; what was seen is kept, and `toolkit verify --all --changed` goes on with the rest")


def _choose_status(course: Course, *, strict: bool, changed: bool) -> int:
    if course.status:
        return course.status
    untested = tuple(one for one in course.tried if one.trial.seen.observed is Observed.UNTESTED)
    if untested == course.tried and not changed:
        return CannotRun.status
    return 1 if strict and course.differing else 0


def _print_known(session: Session, *, as_json: bool) -> int:
    """What earlier trials, whose results still hold, showed to be other than predicted."""
    found = ((one, find_result(session, one)) for one in list_candidates(session, ()))
    known = tuple(Tried(candidate=one, trial=trial) for one, trial in found if trial is not None and differs(trial))
    if as_json:
        render.print_json(make_document(Course(tried=known, seconds=0.0), session))
        return 0
    if not known:
        say("no trial on this kernel showed anything else than predicted", "to try everything: toolkit verify --all")
        return 0
    render.print_lines(line for one in known for line in format_proposal(one, session))
    return 0
