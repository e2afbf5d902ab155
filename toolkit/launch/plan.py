"""The whole decision of one run, made before anything starts. Pure: `--dry-run` prints what this returns."""

from __future__ import annotations

import posixpath
import re

from toolkit.errors import CannotRun
from toolkit.model import Choice, Engine, Facts, Risk, Tool, Variant
from toolkit.runs import Enforcement, Form, Limits, Plan

# Seconds that a tool which ends itself gets to start and to end, beyond the time that its arguments ask for: BCC's
# clang takes some, and `30 2` under a limit of 60 s must not be cut short of its last summary.
START_MARGIN = 10.0

# Where a root shell finds programs; never the caller's PATH, which may name folders that others can write.
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What else a tool may see of the caller's environment: how to show times, and sizes and switches of bpftrace. Not its
# variables that name files which it would read, compile or run as root: BPFTRACE_BTF, _KERNEL_BUILD, _KERNEL_SOURCE,
# _OBJCOPY, _VMLINUX, and those of its tests.
PASSED_ON = ("TZ", "TERM", "COLUMNS", "LINES")
NOTHING = Enforcement()
PASSED_TO_BPFTRACE = frozenset(
    (
        *("STRLEN", "MAX_STRLEN", "MAP_KEYS_MAX", "MAX_MAP_KEYS", "MAX_PROBES", "MAX_BPF_PROGS", "LOG_SIZE"),
        *("PERF_RB_PAGES", "CAT_BYTES_MAX", "MAX_CAT_BYTES", "NODE_MAX", "MAX_AST_NODES", "MAX_TYPE_RES_ITERATIONS"),
        *("NO_CPP_DEMANGLE", "CPP_DEMANGLE", "NO_USER_SYMBOLS", "SHOW_DEBUG_INFO", "CACHE_USER_SYMBOLS"),
        *("LAZY_SYMBOLICATION", "USE_BLAZESYM", "STACK_MODE", "STR_TRUNC_TRAILER", "ON_STACK_LIMIT"),
        *("MISSING_PROBES", "PRINT_MAPS_ON_EXIT", "COLOR"),
    )
)
# A value that cannot be a path, nor command a terminal.
PLAIN = re.compile(r"[\w.:+-]{1,40}", re.ASCII)
# TZ may name a file, also by a colon before it: only one of the system's zones.
ZONE = re.compile(r"(?!.*\.\.)[A-Za-z][\w+/,.:-]{0,60}", re.ASCII)


def make_plan(
    tool: Tool,
    choice: Choice,
    limits: Limits,
    facts: Facts,
    environ: dict[str, str],
    *,
    duration: float | None = None,
    stdbuf: str = "",
    as_data: bool = False,
    enforcement: Enforcement = NOTHING,
) -> Plan:
    """Decide argv, environment and deadline.

    `duration` is what `--duration` asked for, in seconds; `stdbuf` the path of coreutils' stdbuf, or empty; `as_data`
    whether the output is for a program to read, so that an engine which prints data as such is asked for it;
    `enforcement` what holds the limits on this host.
    Raises CannotRun when the variant's engine is not there.
    """
    deadline, asked = decide_deadline(choice, limits, duration)
    form = decide_form(choice, as_data=as_data)
    return Plan(
        tool=tool.name,
        category=tool.category,
        choice=choice,
        argv=build_argv(choice, facts, stdbuf, unsafe=Risk.DESTRUCTIVE in tool.risk, form=form),
        env=build_environment(environ),
        limits=limits,
        deadline=deadline,
        asked=asked,
        enforcement=enforcement,
        form=form,
        folder=decide_folder(choice.variant),
    )


def decide_folder(variant: Variant) -> str:
    """Where a variant is started: its own folder, if it opens C text there by bare names; else where the caller is.

    BCC's deadlock and netqtop look in the working directory, where somebody else may have put a file of that name.
    """
    bare = any("/" not in name for name in variant.analysis.parts)
    return posixpath.dirname(variant.found.path) if bare else ""


def decide_form(choice: Choice, *, as_data: bool) -> Form:
    """What the variant prints on stdout. Of all engines, bpftrace alone prints data, and every version that we know."""
    return Form.BPFTRACE_JSON if as_data and choice.variant.found.engine is Engine.BPFTRACE else Form.TEXT


def decide_deadline(choice: Choice, limits: Limits, duration: float | None) -> tuple[float, bool]:
    """Seconds until the run is stopped, and whether reaching them is what was asked for.

    INTERVAL COUNT for a variant that takes neither becomes the duration, so that `toolkit run runqlat 10 1` means the
    same everywhere; for one that takes them, the tool ends itself and the limit only stands behind it.
    """
    if duration is not None:
        return duration, True
    if choice.duration is None or choice.duration > limits.duration:
        return limits.duration, False
    if choice.ends_itself:
        return choice.duration + START_MARGIN, False
    return choice.duration, True


def outlives_limit(plan: Plan) -> bool:
    """Whether the arguments ask for more time than the limit gives: worth saying before it starts."""
    return not plan.asked and plan.choice.duration is not None and plan.choice.duration > plan.deadline


def build_argv(
    choice: Choice, facts: Facts, stdbuf: str = "", *, unsafe: bool = False, form: Form = Form.TEXT
) -> tuple[str, ...]:
    """The argument list that starts a variant; no shell ever reads it.

    `unsafe` tells that the tool is of the class destructive, so that whoever runs it had to allow that; without it
    bpftrace itself refuses a script that starts programs or sends signals.
    """
    found = choice.variant.found
    match found.engine:
        case Engine.BPFTRACE:
            options = ("-f", "json") if form is Form.BPFTRACE_JSON else ()
            if unsafe and choice.variant.analysis.signature.unsafe:
                options = (*options, "--unsafe")
            return (*_engine_argv(found.engine, facts), *options, found.path, *choice.arguments)
        case Engine.BCC:
            return (*_engine_argv(found.engine, facts), found.path, *choice.arguments)
        case Engine.NATIVE:
            # A C program's stdout is fully buffered in a pipe: libbpf's `runqlat 1 3` would show nothing for 3 s.
            prefix = (stdbuf, "-oL") if stdbuf else ()
            return (*prefix, found.path, *choice.arguments)
        case Engine.SHELL:
            return (found.path, *choice.arguments)


def _engine_argv(engine: Engine, facts: Facts) -> tuple[str, ...]:
    for one in facts.engines:
        if one.name is engine:
            return one.argv
    raise CannotRun(f"there is no {engine} here", fix="`toolkit doctor` says how to install it")


def build_environment(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a tool: built, not inherited, so that a caller's variables cannot change what root runs."""
    passed = {name: value for name, value in environ.items() if _is_passed(name, value)}
    # 83 of BCC's 105 Python tools never flush; unbuffered, each interval shows when it is printed.
    fixed = {
        "PATH": SAFE_PATH,
        "HOME": "/",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {"TERM": "dumb", **passed, **fixed}


def _is_passed(name: str, value: str) -> bool:
    if name == "TZ":
        return ZONE.fullmatch(value) is not None
    known = name in PASSED_ON or (name.removeprefix("BPFTRACE_") in PASSED_TO_BPFTRACE and name.startswith("BPFTRACE_"))
    return known and PLAIN.fullmatch(value) is not None
