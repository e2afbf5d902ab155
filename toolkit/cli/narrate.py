"""Sentences on stderr, above all those of a run: what runs and why, what is doubtful, how it ended, what it cost."""

from __future__ import annotations

import functools
import shlex
import signal
import sys
import textwrap
from collections.abc import Iterator

import click

from toolkit.cli.render import cut_middle, format_bytes, format_duration, format_percent, printable, terminal_width
from toolkit.launch.plan import outlives_limit
from toolkit.launch.policy import RISK_WORDS
from toolkit.model import Risk, Status
from toolkit.runs import NOBODY_READS, Cost, Enforcement, Form, Limits, Outcome, Plan, Result

LOOKED_TWICE = 1.2  # seconds: by then the meter has looked often enough to have seen an attachment
MOST_LINES = 60
INDENT = " " * 9  # below "toolkit: "
PLAN_INDENT = 11  # columns of the words of `describe_plan`


def say(text: str, fix: str = "") -> None:
    """A sentence of ours on stderr and what to do about it, wrapped on a terminal; that nobody reads is no failure.

    Names and arguments that it tells may be of any length and hold anything.
    """
    lines = [*_bound(f"toolkit: {text}"), *(_bound(f"{INDENT}{fix}") if fix else ())]
    width = terminal_width(sys.stderr)
    if width:
        fill = functools.partial(
            textwrap.fill,
            width=max(width, 40),
            subsequent_indent=INDENT,
            break_on_hyphens=False,
            break_long_words=False,  # a path is copied whole
        )
        lines = [fill(line) for line in lines]
    try:
        click.echo("\n".join(lines), err=True)
    except OSError:
        return


def _bound(text: str) -> list[str]:
    """The lines of a text as a terminal can show them: not too many, not too long, without control characters."""
    lines = text.split("\n", MOST_LINES)
    if len(lines) > MOST_LINES:
        lines[-1] = f"{INDENT}… {lines[-1].count(chr(10)) + 1:,} more lines"
    return [cut_middle(printable(line)) for line in lines]


def warn(text: str) -> None:
    """Like `say`, for what the person should not miss."""
    say(f"warning: {text}")


def describe_start(plan: Plan) -> str:
    """Which variant runs, for how long at most, and why this one."""
    found = plan.choice.variant.found
    revision = f" {found.revision}" if found.revision else ""
    until = f"for {plan.deadline:g} s" if plan.asked else f"{plan.deadline:g} s at most"
    return f"{plan.choice.variant.id}{revision}, {until}: {plan.choice.why}"


def describe_doubts(plan: Plan) -> Iterator[str]:
    """What should be known before the output is believed."""
    if plan.choice.verdict.status is not Status.RUNS:
        for reason in plan.choice.verdict.reasons:
            yield f"{plan.choice.verdict.status}: {reason.text}{f' -> {reason.fix}' if reason.fix else ''}"
    if outlives_limit(plan):
        asked = plan.choice.duration or 0
        yield f"the arguments ask for {asked:g} s, the limit is {plan.deadline:g} s: add `--duration {asked + 5:g}`"
    unmetered = describe_unmetered(plan)
    if unmetered:
        yield unmetered


def describe_unmetered(plan: Plan) -> str:
    """That nothing holds the limit of what its BPF programs cost, and why; empty where it is held, or there is none."""
    why, most = plan.enforcement.unmetered, plan.limits.bpf_cost
    return f"nothing stops it when its BPF programs burn more than {most:g} % of one CPU: {why}" if why and most else ""


def describe_caps(plan: Plan, usual: Limits, wanted: Limits, capped: dict[str, str]) -> Iterator[str]:
    """The caps of the policy that this run feels: on limits that were asked for, and on its time."""
    for name, cap in capped.items():
        felt = plan.deadline >= plan.limits.duration if name == "duration" else False
        if felt or getattr(wanted, name) != getattr(usual, name):
            yield f"the policy of this host caps this run at {cap}"


def must_be_said(result: Result) -> bool:
    """Whether how it ended is worth a sentence even where silence was asked for: its output is less than was wanted."""
    if result.outcome is Outcome.OUTPUT_CLOSED:
        return result.detail != NOBODY_READS
    return result.outcome is Outcome.LIMIT


def describe_end(result: Result) -> str:
    """How it ended, what it printed and what it cost."""
    parts = [
        describe_outcome(result),
        describe_cost(result.cost, result.seconds),
    ]
    if result.cost.cpu and result.seconds:
        parts.append(f"user space {format_percent(result.cost.cpu / result.seconds * 100)}")
    if result.peak_memory:
        parts.append(f"{format_bytes(result.peak_memory)} of memory")
    return "; ".join(parts)


def describe_outcome(result: Result) -> str:
    """How it ended, and after what time."""
    return f"{_outcome(result)} after {format_duration(result.seconds)}"


def _outcome(result: Result) -> str:
    status = result.tool_status
    match result.outcome:
        case Outcome.ENDED if status == 0:
            return "it ended by itself"
        case Outcome.ENDED if status is not None and status < 0:
            return f"it was ended by {_signal_name(-status)}"
        case Outcome.ENDED:
            return f"it failed with status {status}"
        case Outcome.DURATION:
            return "its time was over"
        case Outcome.LIMIT:
            return f"stopped, {result.detail},"
        case Outcome.INTERRUPTED:
            return f"interrupted ({result.detail})"
        case Outcome.OUTPUT_CLOSED:
            return f"stopped, {result.detail},"
        case Outcome.FAILED:
            return f"it could not be run to its end: {result.detail},"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe_cost(cost: Cost, seconds: float) -> str:
    """Programs and probes, and the CPU time of its BPF programs as the kernel counted it."""
    if not cost.programs:
        return cost.unknown or "no BPF program was seen"
    programs = f"{cost.programs} BPF program{'s' * (cost.programs > 1)}, {len(cost.attached)} attached"
    if cost.unknown:
        return f"{programs}; {cost.unknown}"
    seconds = seconds or 1.0
    events = f"{cost.run_count:,} events ({cost.run_count / seconds:,.0f} a second)"
    return f"{programs}, {events}, {format_percent(cost.run_ns / 1e7 / seconds)} of one CPU"


def attached_nothing(plan: Plan, result: Result) -> bool:
    """Whether a tool that should attach to events attached to none, as far as the kernel let us see."""
    if result.outcome is Outcome.FAILED or result.cost.unknown or result.cost.attached or result.seconds < LOOKED_TWICE:
        return False
    failed_loudly = result.outcome is Outcome.ENDED and result.tool_status != 0
    return bool(plan.choice.variant.analysis.probes) and not failed_loudly


def describe_trouble(plan: Plan, result: Result, recording_problem: str) -> Iterator[str]:
    """What went wrong and would otherwise be missed in the output."""
    if recording_problem:
        yield recording_problem
    if result.unheld:
        yield f"its limits were only watched, not held by the kernel: {result.unheld}"
    if result.left:
        yield describe_left(result.left)
    if result.dropped_bytes:
        yield f"{format_bytes(result.dropped_bytes)} of its output over the cap were dropped"
    if attached_nothing(plan, result):
        yield "it attached to nothing: that it printed nothing does not mean that nothing happened"
    if result.outcome is Outcome.FAILED and not result.left:
        yield result.detail


def describe_left(left: tuple[int, ...]) -> str:
    """Which processes are still there, why, and what to do."""
    one = len(left) == 1
    which = f"process {left[0]} sleeps" if one else f"processes {', '.join(map(str, left))} sleep"
    return (
        f"{which} in the kernel and cannot be killed; {'it ends' if one else 'they end'} on waking up. "
        f"`cat /proc/{left[0]}/stack` tells what for; `toolkit doctor` tells whether anything is left"
    )


def describe_plan(plan: Plan, risks: tuple[Risk, ...]) -> Iterator[str]:
    """The whole decision, for --dry-run; `risks` are those of the tool."""
    from toolkit.cli.gaps import describe_engine  # here, because every run would wait for it

    yield f"tool       {plan.category}/{plan.tool}"
    yield f"variant    {plan.choice.variant.id} ({plan.choice.variant.engine})"
    yield f"why        {plan.choice.why}"
    yield f"verdict    {plan.choice.verdict.status} ({plan.choice.verdict.basis})"
    for reason in plan.choice.verdict.reasons:
        yield f"           {reason.text}"
    for risk in risks:
        yield f"risk       {risk}: it {RISK_WORDS[risk]}"
    yield f"file       {plan.choice.variant.found.path}"
    yield f"sha256     {plan.choice.variant.sha256}"
    yield f"command    {shlex.join(plan.argv)}"
    yield f"environ    {' '.join(f'{name}={shlex.quote(value)}' for name, value in sorted(plan.env.items()))}"
    if plan.form is not Form.TEXT:
        yield f"output     {plan.form}, which is read as data"
    reached = "reaching it is success" if plan.asked else "reaching it is status 124"
    yield f"duration   {plan.deadline:g} s {'as asked' if plan.asked else 'as the limit'}: {reached}"
    engine = describe_engine(plan)
    if engine:
        yield f"engine     {engine}"
    yield f"limits     {'; '.join(describe_limits(plan.limits))}"
    yield f"held by    {describe_means(plan.enforcement)}"


def describe_means(enforcement: Enforcement) -> str:
    """What holds the limits, why nothing better does, and which of them nothing holds."""
    why = f" ({enforcement.why})" if enforcement.why else ""
    unmetered = f"; not that of its BPF programs: {enforcement.unmetered}" if enforcement.unmetered else ""
    return f"{enforcement.means}{why}{unmetered}"


def describe_limits(limits: Limits) -> Iterator[str]:
    """What a run may use at most, in the order of Limits; what is not limited is left out."""
    yield f"{format_bytes(limits.output_bytes)} of output"
    if limits.output_rate:
        yield f"{format_bytes(limits.output_rate)} of it a second"
    yield f"{format_bytes(limits.memory_bytes)} of memory"
    if limits.cpu:
        yield f"{limits.cpu:g} % of a CPU"
    yield f"{limits.processes} processes"
    yield f"{limits.bpf_cost:g} % of a CPU for its BPF programs" if limits.bpf_cost else "no bound on its BPF programs"
    yield f"{limits.grace:g} s of grace, nice {limits.nice}"
