"""Trials of many variants, one at a time: which, in what order, and what is left out; each result is kept at once."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from toolkit.catalog.arguments import load_arguments
from toolkit.catalog.query import resolve_name
from toolkit.choose import Misfit, fit_arguments, is_for_newer
from toolkit.cli.attempts import open_attempt
from toolkit.cli.session import Session
from toolkit.compat import find_missing_rights, judge
from toolkit.errors import CannotRun, StateError, ToolkitError
from toolkit.launch.guard import find_pressure
from toolkit.launch.policy import GATED
from toolkit.launch.trial import try_variant
from toolkit.launch.workload import workload
from toolkit.lock import hold_lock
from toolkit.model import Choice, Engine, Facts, Judged, Risk, Tool, Value, Variant, Verdict
from toolkit.paths import Paths, data_folder, make_folder
from toolkit.runs import Observed, Seen, Trial
from toolkit.snapshot.use import use_snapshot
from toolkit.trials import differs, name_result, still_holds
from toolkit.verified import forget_trials, keep_trial, name_kernel

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CALM_POLL = 0.5  # seconds between two looks at a busy host
CALM_PATIENCE = 60.0


class Candidate(Value, frozen=True):
    """A variant to be tried, with what is predicted of it; `named`: a person asked for just this tool."""

    tool: Tool
    variant: Variant
    predicted: Verdict
    arguments: tuple[str, ...] = ()  # curated ones, for a variant that starts nothing without any
    named: bool = False


class Rules(Value, frozen=True):
    """How trials are made: the longest time for one and, in seconds, for all; without a person, more is left out."""

    seconds: float
    total: float = float("inf")
    allowed: tuple[Risk, ...] = ()
    unattended: bool = False
    wait: float = 0.0  # for another who makes trials


class Tried(Value, frozen=True):
    """A candidate with its trial; one that was left out has a trial of 0 s, `untested`."""

    candidate: Candidate
    trial: Trial


class Course(Value, frozen=True):
    """What came of all trials; `cut_short` says why not all were made, `status` is 0 or that of a signal."""

    tried: tuple[Tried, ...]
    seconds: float
    cut_short: str = ""
    status: int = 0

    @property
    def differing(self) -> tuple[Tried, ...]:
        """Those that show a prediction to be wrong."""
        return tuple(one for one in self.tried if differs(one.trial))


def list_candidates(session: Session, names: tuple[str, ...]) -> tuple[Candidate, ...]:
    """The variants of these tools, or of all that could be run, each content once. Raises NoSuchTool.

    What came with a newer release than the engine here is tried only when its tool is named: `run` never takes it.
    """
    tools = {tool.name: tool for tool in session.index.tools}
    asked = tuple(variant for name in names for variant in resolve_name(session.index, name).variants)
    variants = asked or (() if names else session.index.variants)
    unique = {name_result(one.id, one.sha256): one for one in reversed(variants)}
    ordered = sorted(unique.values(), key=lambda one: (one.tool, one.id, one.found.revision))
    arguments = load_arguments(data_folder())
    judged = (Judged(variant=one, verdict=judge(one, session.facts)) for one in ordered)
    return tuple(
        Candidate(
            tool=tools[one.variant.tool],
            variant=one.variant,
            predicted=one.verdict,
            arguments=arguments.get(one.variant.id, ()),
            named=bool(names),
        )
        for one in judged
        if names or not is_for_newer(one)
    )


def keep_changed(session: Session, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Those without a result that still holds."""
    return tuple(one for one in candidates if find_result(session, one) is None)


def find_result(session: Session, one: Candidate) -> Trial | None:
    """The kept result of a candidate, if it still holds."""
    trial = session.trials.get(name_result(one.variant.id, one.variant.sha256, one.arguments))
    holds = trial is not None and still_holds(trial, one.variant, session.facts, one.predicted)
    return trial if holds else None


def try_all(
    session: Session,
    candidates: tuple[Candidate, ...],
    rules: Rules,
    begin: Callable[[Candidate, int], None],
    report: Callable[[Tried], None],
) -> Course:
    """Try one after another and keep each result at once; a signal stops the one that goes on, and ends the course.

    Raises Busy when another makes trials, CannotRun without the rights, StateError.
    """
    check_rights(session.facts)
    started = time.monotonic()
    tried: list[Tried] = []
    cut_short = ""
    with (
        hold_lock(session.paths.state / "verify.lock", rules.wait, "is trying tools"),
        note_signals() as caught,
        workload(make_place(session.paths)) as pid,
    ):
        for at, one in enumerate(candidates):
            cut_short = _find_obstacle(rules, started, caught)
            if cut_short:
                break
            begin(one, at)
            found = _try_one(session, one, rules, pid, caught)
            if found is not None:
                tried.append(found)
                report(found)
    if caught.number:
        cut_short = "interrupted"
    status = 128 + caught.number if caught.number else 0
    return Course(tried=tuple(tried), seconds=time.monotonic() - started, cut_short=cut_short, status=status)


def check_rights(facts: Facts) -> None:
    """Raises CannotRun for a user who may not load BPF programs, or not see what is attached."""
    missing = find_missing_rights(facts)
    if missing is not None:
        raise CannotRun(f"nothing can be tried: {missing.text}", fix=missing.fix)
    if "sys_admin" not in facts.capabilities:  # BPF_PROG_GET_FD_BY_ID and BPF_TASK_FD_QUERY ask for it
        raise CannotRun("what a tool attaches can only be seen with CAP_SYS_ADMIN", fix="run it as root, with sudo")


def make_place(paths: Paths) -> Path:
    """The folder in which the workload writes: on the disk of the state, not in memory."""
    make_folder(paths.state)
    return paths.state


@dataclass
class Caught:
    """The signal that asked us to end; 0 while none did."""

    number: int = 0


@contextlib.contextmanager
def note_signals() -> Iterator[Caught]:
    """Note ^C, SIGTERM and SIGHUP while the block runs; a trial that goes on has handlers of its own.

    A handler that raised would be heard only most of the time: Python ignores what is raised while it forks.
    """
    caught = Caught()

    def note(number: int, _: object) -> None:
        caught.number = number

    before = {one: signal.getsignal(one) for one in ENDING}
    for one in ENDING:
        if before[one] is not signal.SIG_IGN:  # nohup, and a job in the background
            signal.signal(one, note)
    try:
        yield caught
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _find_obstacle(rules: Rules, started: float, caught: Caught) -> str:
    """Why no more is to be tried now; waits a moment for a busy host to come to rest."""
    if caught.number:
        return "interrupted"
    if time.monotonic() - started > rules.total:
        return f"{rules.total:.0f} s are over"
    if not rules.unattended:
        return ""
    end = time.monotonic() + CALM_PATIENCE
    while pressure := find_pressure():
        if time.monotonic() >= end or caught.number:
            return pressure
        time.sleep(CALM_POLL)
    return ""


def _try_one(session: Session, one: Candidate, rules: Rules, pid: int, caught: Caught) -> Tried | None:
    """The trial of one candidate, kept; None when it was interrupted."""
    why = find_exclusion(one, rules)
    if why:
        return _leave_out(one, why)
    arguments = tuple(argument.replace("{pid}", str(pid)) for argument in one.arguments)
    choice = Choice(variant=one.variant, verdict=one.predicted, arguments=arguments, why="a trial")
    try:
        _ask_policy(session, one, arguments, rules)
        with use_snapshot(session.paths.snapshots, Path(one.variant.found.path)):
            trial = try_variant(
                one.tool, choice, session.facts, name_kernel(), rules.seconds, lambda: bool(caught.number)
            )
    except (CannotRun, StateError) as error:  # a sync may have removed its snapshot
        return _leave_out(one, error.what)
    if isinstance(trial, int):
        caught.number = trial - 128
        return None
    if caught.number:  # it was cut short before it could show anything
        return None
    trial = replace(trial, arguments=one.arguments)  # the PID is another one each time
    keep_trial(session.paths.verified, trial)
    return Tried(candidate=one, trial=trial)


def _ask_policy(session: Session, one: Candidate, arguments: tuple[str, ...], rules: Rules) -> None:
    """A trial starts a tool as a run does, so it is decided and written down as one. Raises CannotRun."""
    attempt = open_attempt(session, one.tool, arguments, rules.allowed)
    with attempt.watch():
        attempt.decide(one.variant.id)
    attempt.allow("")


def find_exclusion(one: Candidate, rules: Rules) -> str:
    """Why a candidate is not to be started; empty when it is."""
    for risk in one.tool.risk:
        if risk in GATED and risk not in rules.allowed:
            return f"it is {risk}: --allow {risk} tries it"
        if rules.unattended:
            return f"it is {risk}, and nobody watches"
    # Without --unsafe, a bpftrace program can only look; a Python or native program can do anything.
    if not one.tool.curated and one.variant.engine is not Engine.BPFTRACE and (rules.unattended or not one.named):
        return "it is not in the catalog, so nobody said that it is harmless: it is tried when it is named"
    fit = fit_arguments(one.variant, one.arguments)
    return fit.why if isinstance(fit, Misfit) else ""


def _leave_out(one: Candidate, why: str) -> Tried:
    trial = Trial(
        variant=one.variant.id,
        sha256=one.variant.sha256,
        seen=Seen(observed=Observed.UNTESTED, reason=why),
        arguments=one.arguments,
        predicted=one.predicted.status,
    )
    return Tried(candidate=one, trial=trial)


def forget_gone(session: Session) -> None:
    """Drop the results of files that the catalog has no more; where that fails, they are only left lying."""
    with contextlib.suppress(ToolkitError):
        forget_trials(session.paths.verified, (name_result(one.id, one.sha256) for one in session.index.variants))
