"""`toolkit run [options] TOOL [ARGUMENTS]`: choose, plan, guard, supervise, record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext

import click
from msgspec.structs import replace

from toolkit.catalog.query import Asked, resolve_name
from toolkit.choose import choose
from toolkit.cli import narrate, render
from toolkit.cli.attempts import open_attempt
from toolkit.cli.names import complete_tool
from toolkit.cli.numbers import Amount, Number
from toolkit.cli.session import Session, open_session
from toolkit.cli.start import Start, start_detached, start_here
from toolkit.config import LEAST_MEMORY
from toolkit.errors import UsageError
from toolkit.host.means import find_enforcement
from toolkit.launch.plan import make_plan
from toolkit.launch.policy import cap_limits
from toolkit.model import Choice, Risk
from toolkit.runs import Limits, Plan

STDBUF = ("/usr/bin/stdbuf", "/bin/stdbuf")
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 7 * 86400.0
LONGEST_GRACE = 600.0


def parse_duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds, or a number with s, m or h."""
    if value is None:
        return None
    unit = value[-1:] if value[-1:] in UNITS else ""
    try:
        seconds = float(value.removesuffix(unit)) * UNITS[unit]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time such as 10, 90s, 5m or 1h", ctx, param) from None
    if not 0 < seconds <= LONGEST:
        raise click.BadParameter(f"{value!r} is not between 0 and 7 days", ctx, param)
    return seconds


def parse_grace(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Like parse_duration, but at most ten minutes: it is how long a tool that ignores us may go on."""
    seconds = parse_duration(ctx, param, value)
    if seconds is not None and seconds > LONGEST_GRACE:
        raise click.BadParameter(f"{value!r} is more than 10 minutes", ctx, param)
    return seconds


def check_text(arguments: tuple[str, ...]) -> None:
    """Raises UsageError for arguments that are no UTF-8: a recording could not say what was run."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="surrogateescape").decode(errors="backslashreplace")
            raise UsageError(f"the argument {shown!r} is not valid UTF-8") from None


def check_outlet(*, chart: bool, as_json: bool) -> None:
    """Raises UsageError where output is asked for in two ways."""
    if chart and as_json:
        raise UsageError("--chart draws for people, --json prints for programs", fix="ask for one of them")


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "--duration",
    "-d",
    callback=parse_duration,
    metavar="TIME",
    help="Stop it after this time (10, 90s, 5m); that is then success.",
)
@click.option(
    "--grace",
    callback=parse_grace,
    metavar="TIME",
    help="Time that it gets after SIGINT to print what it counted (10 s).",
)
@click.option("--output-limit", type=Number(1, 1 << 20), metavar="MIB", help="Stop it after so much output (64).")
@click.option("--output-rate", type=Number(0, 1 << 30), metavar="KIB", help="… or so much a second over 3 s.")
@click.option(
    "--memory-limit",
    type=Number(LEAST_MEMORY, 1 << 24),
    metavar="MIB",
    help="Memory that its processes may use (1024).",
)
@click.option(
    "--cpu-limit",
    type=Amount(0, 100_000),
    metavar="PERCENT",
    help="Share of one CPU that they may use over 3 s (0, no limit: BCC's compiler takes all of one).",
)
@click.option("--processes", type=Number(1, 1 << 22), metavar="N", help="Most processes and threads (128).")
@click.option(
    "--bpf-cost",
    type=Amount(0, 100_000),
    metavar="PERCENT",
    help="Stop it when its BPF programs burn more of one CPU for 3 s (5); 0: no bound.",
)
@click.option("--nice", type=Number(0, 19), metavar="N", help="Run it with this niceness (5).")
@click.option("--runs", type=Number(0, 1000), metavar="N", help="Start it while fewer runs are on (4); 0: any.")
@click.option("--runs-of-tool", type=Number(0, 1000), metavar="N", help="… or fewer runs of this tool (2).")
@click.option(
    "--min-free",
    type=Number(0, 1 << 30),
    metavar="MIB",
    help="Stop recording when its disk has less left (256).",
)
@click.option(
    "--allow", "-a", multiple=True, type=click.Choice([risk.value for risk in Risk]), help="Accept a risk class."
)
@click.option("--force", is_flag=True, help="Start it although it cannot work here, or the host is too busy.")
@click.option(
    "--record/--no-record", default=None, help="Keep what it prints; the default, except for sensitive tools."
)
@click.option("--detach", is_flag=True, help="Say the run's name once it is at work, and let it go on alone.")
@click.option("--dry-run", "-n", is_flag=True, help="Print the whole decision and start nothing.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing of our own unless something is wrong.")
@click.option("--chart", is_flag=True, help="Draw its histograms with percentiles, and a heat map of all intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: start, output, frames, result (docs/json.md).")
@click.argument("tool", shell_complete=complete_tool)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    duration: float | None,
    grace: float | None,
    output_limit: int | None,
    output_rate: int | None,
    memory_limit: int | None,
    cpu_limit: float | None,
    processes: int | None,
    bpf_cost: float | None,
    nice: int | None,
    runs: int | None,
    runs_of_tool: int | None,
    min_free: int | None,
    allow: tuple[str, ...],
    force: bool,
    record: bool | None,
    detach: bool,
    dry_run: bool,
    quiet: bool,
    chart: bool,
    as_json: bool,
    tool: str,
    arguments: tuple[str, ...],
) -> int:
    """Run the best variant of TOOL here, within limits, and keep what it prints.

    Options before the tool's name are toolkit's; all after it goes to the tool untouched. INTERVAL COUNT means the
    same for every variant: `toolkit run runqlat 10 1` is one summary of 10 seconds.

    Exit status: the tool's own; 0 when the time asked for is over; 124 a limit ended it; 125 toolkit failed; 126 it
    cannot run here, or is not allowed; 127 no such tool; 130 interrupted; 141 nobody reads its output any more.
    """
    check_text((tool, *arguments))
    check_outlet(chart=chart, as_json=as_json)
    session = open_session(tool)
    asked = resolve_name(session.index, tool)
    accepted = (*session.settings.allow, *map(Risk, allow))
    attempt = open_attempt(session, asked.tool, arguments, accepted, force=force, record=record)
    with nullcontext() if dry_run else attempt.watch():
        permitted = attempt.permit(one.id for one in asked.variants)
        asked = replace(asked, variants=tuple(one for one in asked.variants if one.id in permitted))
        choice = _choose(session, asked, arguments, force=force)
        decision = attempt.decide(choice.variant.id)
        wanted = _override(
            session.settings.limits,
            duration=duration,
            grace=grace,
            output_bytes=_shift(output_limit, 20),
            output_rate=_shift(output_rate, 10),
            memory_bytes=_shift(memory_limit, 20),
            cpu=cpu_limit,
            processes=processes,
            bpf_cost=bpf_cost,
            nice=nice,
            runs=runs,
            runs_of_tool=runs_of_tool,
            free_bytes=_shift(min_free, 20),
        )
        limits, capped = cap_limits(wanted, decision.caps)
        duration = None if "duration" in capped else duration
        attempt.plan = plan = _plan(session, asked, choice, limits, duration, as_data=as_json)
    if dry_run:
        render.print_json(plan) if as_json else render.print_lines(_describe_plan(plan, asked))
    for line in (*narrate.describe_caps(plan, session.settings.limits, wanted, capped), *narrate.describe_doubts(plan)):
        narrate.warn(line)
    if dry_run:
        return 0
    start = Start(session, attempt, plan, record=decision.record, quiet=quiet or as_json, as_json=as_json, chart=chart)
    return start_detached(start) if detach else start_here(start)


def _describe_plan(plan: Plan, asked: Asked) -> Iterator[str]:
    facts = narrate.describe_plan(plan, asked.tool.risk)
    return render.wrap_facts(facts, narrate.PLAN_INDENT, render.terminal_width())


def _shift(given: int | None, bits: int) -> int | None:
    """A size in bytes of what was given in KiB or MiB."""
    return None if given is None else given << bits


def _plan(
    session: Session, asked: Asked, choice: Choice, limits: Limits, duration: float | None, *, as_data: bool
) -> Plan:
    return make_plan(
        asked.tool,
        choice,
        limits,
        session.facts,
        dict(os.environ),
        duration=duration,
        stdbuf=next((path for path in STDBUF if os.access(path, os.X_OK)), ""),
        as_data=as_data,
        enforcement=find_enforcement(),
    )


def _choose(session: Session, asked: Asked, arguments: tuple[str, ...], *, force: bool) -> Choice:
    chosen = choose(asked.variants, session.facts, arguments, pinned=asked.pinned, force=force, trials=session.trials)
    if chosen.choice is not None:
        return chosen.choice
    from toolkit.cli.refuse import refuse  # here, because most runs are not refused, and it costs 6 ms

    raise refuse(asked, chosen, open_session(), arguments)  # what to use instead may be any tool


def _override(limits: Limits, **asked: float | None) -> Limits:
    """The limits with what the options ask for in place of the settings; policy caps the outcome."""
    return replace(limits, **{name: value for name, value in asked.items() if value is not None})
