"""The last look before a start: is this still the file that was analysed, may it run, was its risk accepted."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

from toolkit.errors import CannotRun
from toolkit.model import Risk, Tool, Variant
from toolkit.runs import Plan
from toolkit.trust import find_distrust, read_trusted

# `heavy` is a warning, not a gate: the caps of a run bound its cost.
GATED = (Risk.SENSITIVE, Risk.DESTRUCTIVE)
MOST_STALLED = 50.0  # percent of the last 10 s in which some process waited for a CPU
MOST_LOAD = 3.0  # a CPU
RISK_WORDS = {
    Risk.SENSITIVE: "shows payloads, keystrokes or statements of other people",
    Risk.DESTRUCTIVE: "changes what the programs that it traces do",
    Risk.HEAVY: "traces very frequent events and can slow the host down",
}


def check_risk(tool: Tool, allowed: tuple[Risk, ...]) -> None:
    """Raises CannotRun when the tool's risk class was not accepted."""
    for risk in tool.risk:
        if risk in GATED and risk not in allowed:
            raise CannotRun(
                f"{tool.name} is {risk}: it {RISK_WORDS[risk]}",
                fix=f"if that is what you want: toolkit run --allow {risk} {tool.name} …",
            )


def find_pressure() -> str:
    """Why this host is too busy for work that nobody waits for; empty when it is not."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            stalled = float(file.readline().split()[1].partition("=")[2])
        if stalled > MOST_STALLED:
            return f"processes waited for a CPU in {stalled:.0f} % of the last 10 s"
    except (OSError, ValueError, IndexError):  # no CONFIG_PSI
        pass
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    return f"the load is {load:.1f} on {processors} CPUs" if load > MOST_LOAD * processors else ""


def check_programs(plan: Plan) -> None:
    """Raises CannotRun when root would execute an engine, or a helper, that somebody else can write."""
    if os.geteuid() != 0:
        return
    own = plan.choice.variant.found.path
    # The helper, the engine: every absolute path up to the variant's own file, which check_file has seen.
    for argument in itertools.takewhile(lambda one: one != own, plan.argv):
        if not argument.startswith("/"):
            continue
        try:
            distrust = find_distrust(Path(argument))
        except OSError as error:
            raise CannotRun(f"cannot look at {argument}: {error.strerror}") from error
        if distrust:
            raise CannotRun(f"{argument} is not safe to run: {distrust}", fix="reinstall its package")


def check_file(variant: Variant) -> None:
    """Raises CannotRun when a variant's file is not, byte for byte, the one that was analysed, or not only root's."""
    try:
        data, distrust = read_trusted(variant.found)
    except OSError as error:
        raise CannotRun(f"cannot read {variant.found.path}: {error.strerror}", fix="reinstall its package") from error
    if distrust:
        raise CannotRun(f"{variant.found.path} is not safe to run: {distrust}", fix="reinstall its package")
    if hashlib.sha256(data).hexdigest() != variant.sha256:
        raise CannotRun(
            f"{variant.found.path} changed since it was analysed a moment ago",
            fix="run the command again; if it says this again, somebody is changing the file",
        )
