"""`toolkit run [options] TOOL [ARGUMENTS]`: choose, plan, guard, supervise, record."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import click
from msgspec.structs import replace

from toolkit.catalog.query import Asked, resolve_name
from toolkit.choose import choose
from toolkit.cli import narrate, render
from toolkit.cli.gaps import describe_gaps, read_map_keys
from toolkit.cli.names import complete_tool
from toolkit.cli.refuse import refuse
from toolkit.cli.session import Session, open_session
from toolkit.cli.sinks import Outlet, Tap, open_outlet
from toolkit.cli.status import Status, open_status
from toolkit.config import LEAST_MEMORY
from toolkit.errors import StateError, UsageError
from toolkit.host.means import find_enforcement
from toolkit.launch.guard import check_file, check_programs, check_risk
from toolkit.launch.plan import make_plan
from toolkit.launch.supervise import supervise
from toolkit.model import Choice, Facts, Risk, Variant
from toolkit.recordings.layout import SHAPE, RunRecord
from toolkit.recordings.write import Recorder, new_id
from toolkit.remarks import Remarks
from toolkit.runs import Cost, Limits, Plan, Result
from toolkit.snapshot.use import use_snapshot
from toolkit.trials import Points, count_points

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
@click.option(
    "--output-limit", type=click.IntRange(1, 1 << 20), metavar="MIB", help="Stop it after so much output (64)."
)
@click.option("--output-rate", type=click.IntRange(0, 1 << 30), metavar="KIB", help="… or so much a second over 3 s.")
@click.option(
    "--memory-limit",
    type=click.IntRange(LEAST_MEMORY, 1 << 24),
    metavar="MIB",
    help="Memory that its processes may use (1024).",
)
@click.option(
    "--cpu-limit",
    type=click.FloatRange(0, 100_000),
    metavar="PERCENT",
    help="Share of one CPU that they may use over 3 s (0, no limit: BCC's compiler takes all of one).",
)
@click.option("--processes", type=click.IntRange(1, 1 << 22), metavar="N", help="Most processes and threads (128).")
@click.option(
    "--bpf-cost",
    type=click.FloatRange(0, 100_000),
    metavar="PERCENT",
    help="Stop it when its BPF programs burn more of one CPU for 3 s (5); 0: no bound.",
)
@click.option(
    "--allow", "-a", multiple=True, type=click.Choice([risk.value for risk in Risk]), help="Accept a risk class."
)
@click.option("--force", is_flag=True, help="Start it although the verdict says that it cannot work here.")
@click.option(
    "--record/--no-record", default=None, help="Keep what it prints; the default, except for sensitive tools."
)
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
    allow: tuple[str, ...],
    force: bool,
    record: bool | None,
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

    \b
    Exit status: the tool's own; 0 when the time asked for is over; 124 a limit ended it; 125 toolkit failed; 126 it
    cannot run here; 127 no such tool; 130 interrupted.
    """
    check_text((tool, *arguments))
    check_outlet(chart=chart, as_json=as_json)
    session = open_session()
    asked = resolve_name(session.index, tool)
    check_risk(asked.tool, (*session.settings.allow, *map(Risk, allow)))
    choice = _choose(session, asked, arguments, force=force)
    limits = _override(
        session.settings.limits,
        duration=duration,
        grace=grace,
        output_bytes=None if output_limit is None else output_limit << 20,
        output_rate=None if output_rate is None else output_rate << 10,
        memory_bytes=None if memory_limit is None else memory_limit << 20,
        cpu=cpu_limit,
        processes=processes,
        bpf_cost=bpf_cost,
    )
    plan = make_plan(
        asked.tool,
        choice,
        limits,
        session.facts,
        dict(os.environ),
        duration=duration,
        stdbuf=shutil.which("stdbuf", path="/usr/bin:/bin") or "",
        as_data=as_json,
        enforcement=find_enforcement(),
    )
    if dry_run:
        render.print_json(plan) if as_json else render.print_lines(narrate.describe_plan(plan))
        for line in narrate.describe_doubts(plan):
            narrate.warn(line)
        return 0
    with use_snapshot(session.paths.snapshots, Path(choice.variant.found.path)):
        check_file(choice.variant)
        check_programs(plan)
        wanted = record if record is not None else Risk.SENSITIVE not in asked.tool.risk
        recorder = _open_recorder(session, plan, arguments) if wanted else None
        return _run(session, plan, recorder, quiet=quiet, chart=chart, as_json=as_json)


def _choose(session: Session, asked: Asked, arguments: tuple[str, ...], *, force: bool) -> Choice:
    chosen = choose(asked.variants, session.facts, arguments, pinned=asked.pinned, force=force, trials=session.trials)
    if chosen.choice is not None:
        return chosen.choice
    if chosen.misfits and len(chosen.misfits) == len(chosen.judged):
        lines = tuple(f"{variant.id}: {why}" for variant, why in chosen.misfits)
        raise UsageError(f"cannot call {asked.tool.name} like this", fix="\n         ".join(lines))
    raise refuse(asked, chosen, session, arguments)


def _override(limits: Limits, **asked: float | None) -> Limits:
    """The limits with what the options ask for in place of the settings; policy caps the outcome."""
    return replace(limits, **{name: value for name, value in asked.items() if value is not None})


def _open_recorder(session: Session, plan: Plan, arguments: tuple[str, ...]) -> Recorder | None:
    """A recording, or None with a warning: an incident is often a full disk, and the tool must run all the same."""
    try:
        free = session.settings.recordings.min_free_mib << 20
        return Recorder(session.paths.recordings, _describe_run(session, plan, arguments), free)
    except StateError as error:
        narrate.warn(f"this run is not recorded: {error.what}")
        return None


def _open_outlet(tap: Tap, plan: Plan, status: Status | None, *, chart: bool, as_json: bool) -> Outlet:
    if not chart:
        return open_outlet(tap, status, as_json=as_json)
    from toolkit.cli.chart import ChartOutlet

    return ChartOutlet(tap, plan.form)


def _describe_run(session: Session, plan: Plan, arguments: tuple[str, ...]) -> RunRecord:
    found = plan.choice.variant.found
    now = time.time()
    return RunRecord(
        shape=SHAPE,
        id=new_id(plan.tool, now),
        started=round(now, 3),
        host=os.uname().nodename,
        user=_user_name(),
        kernel=session.facts.release,
        tool=plan.tool,
        category=plan.category,
        variant=plan.choice.variant.id,
        engine=found.engine,
        revision=found.revision,
        path=found.path,
        sha256=plan.choice.variant.sha256,
        argv=plan.argv,
        arguments=arguments,
        why=plan.choice.why,
        verdict=plan.choice.verdict,
        deadline=plan.deadline,
        asked=plan.asked,
        output_bytes=plan.limits.output_bytes,
        grace=plan.limits.grace,
        nice=plan.limits.nice,
        form=plan.form,
        limits=plan.limits,
        enforcement=plan.enforcement,
    )


def _user_name() -> str:
    """Who runs this: the person behind sudo, if there is one. A note, not a proof: only the uid is enforced."""
    import pwd

    uid = os.environ.get("SUDO_UID", "") if os.getuid() == 0 else ""
    number = int(uid) if uid.isdigit() else os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


def _run(session: Session, plan: Plan, recorder: Recorder | None, *, quiet: bool, chart: bool, as_json: bool) -> int:
    quiet = quiet or as_json
    points = count_attached(session.facts, plan.choice.variant)
    remarks = Remarks(read_map_keys(plan))
    status = None if quiet or chart else open_status(plan.deadline, points)  # a heat map stands where the line would
    outlet = _open_outlet(Tap(recorder, plan.form, remarks), plan, status, chart=chart, as_json=as_json)
    outlet.start(plan)
    if not quiet:
        narrate.say(narrate.describe_start(plan))
    for line in narrate.describe_doubts(plan):
        narrate.warn(line)
    result: Result = supervise(plan, outlet.sinks())
    outlet.finish(result)
    for line in narrate.describe_trouble(plan, result, recorder.problem if recorder else ""):
        narrate.warn(line)
    for line in describe_gaps(plan, result, remarks, points(result.cost)):
        narrate.warn(line)
    if not quiet:
        narrate.say(narrate.describe_end(result))
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
