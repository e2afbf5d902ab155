"""The course of a run that has been started: what a person sees of it, and what is said of it at its end.

All of this is loaded while the tool starts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

from toolkit.cli import narrate
from toolkit.cli.gaps import describe_gaps, read_map_keys
from toolkit.cli.sinks import Outlet, Tap, open_outlet
from toolkit.cli.start import Start
from toolkit.cli.status import Status, open_status
from toolkit.launch.detach import Told
from toolkit.launch.keeper import Kept
from toolkit.launch.meter import Meter
from toolkit.launch.supervise import watch
from toolkit.model import Facts, Variant
from toolkit.recordings.write import Recorder
from toolkit.remarks import Remarks
from toolkit.runs import Cost
from toolkit.trials import Points, count_points


def follow(start: Start, name: str, recorder: Recorder | None, kept: Kept) -> int:
    """Show a run that has been started, to its end; gives the exit status."""
    meter, plan = Meter(), start.plan
    points = count_attached(start.session.facts, plan.choice.variant)
    remarks = Remarks(read_map_keys(plan), plan.form)
    # Where a heat map is drawn there is no room for a line.
    status = None if start.quiet or start.chart else open_status(plan.deadline, points)
    outlet = _open_outlet(Tap(recorder, plan.form, remarks), start, status)
    sinks = replace(outlet.sinks(), started=lambda: start.tell(Told(run=name, warnings=tuple(start.warnings))))
    with meter:
        result = watch(kept, sinks, meter)
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


def _open_outlet(tap: Tap, start: Start, status: Status | None) -> Outlet:
    if not start.chart:
        return open_outlet(tap, status, as_json=start.as_json)
    from toolkit.cli.chart import ChartOutlet

    return ChartOutlet(tap, start.plan.form)


def count_attached(facts: Facts, variant: Variant) -> Callable[[Cost], Points]:
    """A function that tells what of a variant is attached; it counts anew only when something came or went."""

    @cache
    def count(attached: tuple[str, ...]) -> Points:
        return count_points(variant, facts, attached)

    return lambda cost: Points() if cost.unknown else count(cost.attached)
