"""The last look before a start: is this still the file that was analysed, may root run it, is the host calm enough."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

from msgspec.structs import replace

from toolkit.analysis.parts import locate_part
from toolkit.errors import CannotRun
from toolkit.launch.plan import SAFE_PATH
from toolkit.model import Engine, Facts, Found, Variant
from toolkit.runs import Plan
from toolkit.trust import find_distrust, open_regular, read_trusted
from toolkit.versions import engine_version

MOST_STALLED = 50.0  # percent of the last 10 s in which some process waited for a CPU, for work that nobody waits for
MOST_LOAD = 3.0  # a CPU
BPFTRACE_KNOWS_RIGHTS = (0, 25)
BPFTRACE_RIGHTS = ("dac_read_search", "dac_override")
LONGEST_FIRST_LINE = 256  # bytes that the kernel reads of a script to find its interpreter


def check_rights(variant: Variant, facts: Facts) -> None:
    """Raises CannotRun for what an engine itself asks of a user who is not root, beyond the kernel's rights.

    Those are judged by `compat`. Before 0.25, bpftrace looked at the user id and at no right.
    """
    if os.geteuid() == 0 or variant.engine is not Engine.BPFTRACE:
        return
    if engine_version(Engine.BPFTRACE, facts)[:2] < BPFTRACE_KNOWS_RIGHTS:
        raise CannotRun(
            f"cannot run {variant.id}: bpftrace before 0.25 runs for root alone, whatever rights another user has",
            fix="run it as root, with sudo",
        )
    missing = [f"CAP_{name.upper()}" for name in BPFTRACE_RIGHTS if name not in facts.capabilities]
    if missing:
        raise CannotRun(
            f"cannot run {variant.id}: bpftrace asks for {' and '.join(missing)}, which this user lacks",
            fix="run it as root, with sudo; or add them to the rights that setpriv(1) gives",
        )


def check_pressure(most: float) -> None:
    """Raises CannotRun when some process waited for a CPU for more than `most` percent of the last 10 s.

    Memory pressure does not count: the memory of a run has a cap of its own, and who looks for what eats the memory
    has to be able to look; more work for CPUs that are all busy delays every process of the host.
    """
    stalled = read_stall()
    if stalled is not None and stalled > most:
        raise CannotRun(
            f"this host is too busy: processes waited for a CPU in {stalled:.0f} % of the last 10 s (limit {most:g} %)",
            fix="wait until it is calmer (cat /proc/pressure/cpu), or start it all the same with --force",
        )


def read_stall() -> float | None:
    """Percent of the last 10 s in which some process waited for a CPU; None without CONFIG_PSI."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            return float(file.readline().split()[1].partition("=")[2])
    except (OSError, ValueError, IndexError):
        return None


def find_pressure() -> str:
    """Why this host is too busy for work that nobody waits for; empty when it is not."""
    stalled = read_stall()
    if stalled is not None and stalled > MOST_STALLED:
        return f"processes waited for a CPU in {stalled:.0f} % of the last 10 s"
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    return f"the load is {load:.1f} on {processors} CPUs" if load > MOST_LOAD * processors else ""


def check_programs(plan: Plan) -> None:
    """Raises CannotRun when root would execute an engine, or a helper, that somebody else can write."""
    if os.geteuid() != 0:
        return
    own = plan.choice.variant.found.path
    # The helper, the engine: every absolute path up to the variant's own file, which check_file has seen.
    for argument in itertools.takewhile(lambda one: one != own, plan.argv):
        if argument.startswith("/"):
            _check_program(argument)
    if plan.choice.variant.engine is Engine.SHELL:
        for program in _read_interpreter(own):
            _check_program(program)


def _check_program(path: str) -> None:
    try:
        distrust = find_distrust(Path(path))
    except OSError as error:
        raise CannotRun(f"cannot look at {path}: {error.strerror}") from error
    if distrust:
        raise CannotRun(f"{path} is not safe to run: {distrust}", fix="reinstall its package")


def _read_interpreter(path: str) -> tuple[str, ...]:
    """The programs that the kernel and env(1) start for a script: those that its first line names."""
    try:
        with open_regular(path) as file:
            line = file.readline(LONGEST_FIRST_LINE)
    except OSError:
        return ()  # check_file reads it too, and says so
    words = os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
    if words[:1] != ["/usr/bin/env"]:
        return tuple(words[:1])
    named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
    import shutil  # here: it loads every compressor, which a start would wait for

    found = shutil.which(named, path=SAFE_PATH) if named else None
    return (words[0], found) if found else (words[0],)


def check_file(variant: Variant) -> None:
    """Raises CannotRun when a file of a variant is not, byte for byte, what was analysed, or others can write it."""
    _check_bytes(variant.found, variant.sha256)
    for name, sha256 in variant.analysis.parts.items():
        _check_bytes(replace(variant.found, path=locate_part(variant.found.path, name)), sha256)


def _check_bytes(found: Found, sha256: str) -> None:
    try:
        data, distrust = read_trusted(found)
    except OSError as error:
        raise CannotRun(f"cannot read {found.path}: {error.strerror}", fix="reinstall its package") from error
    if distrust:
        raise CannotRun(f"{found.path} is not safe to run: {distrust}", fix="reinstall its package")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CannotRun(
            f"{found.path} changed since it was analysed a moment ago",
            fix="run the command again; if it says this again, somebody is changing the file",
        )
