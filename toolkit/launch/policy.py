"""What an administrator lets people run: rules by user, tool and arguments, decided without touching anything.

Rules are read from the top; the first that matches decides alone. What it leaves open, the policy's own `allow`,
`record`, `force` and `caps` decide; where no rule matches, its `default`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Set
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from toolkit.model import Risk, Tool, Value
from toolkit.runs import Limits

# `heavy` is a warning, not a gate: the caps of a run bound its cost.
GATED = (Risk.SENSITIVE, Risk.DESTRUCTIVE)
RISK_WORDS = {
    Risk.SENSITIVE: "shows payloads, keystrokes or statements of other people",
    Risk.DESTRUCTIVE: "changes what the programs that it traces do",
    Risk.HEAVY: "traces very frequent events and can slow the host down",
}
ASK = "ask who administers this host; `toolkit policy check` shows the rules"

# An empty list would match nobody, or everybody: it is refused.
Patterns = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1)], ...], msgspec.Meta(min_length=1)]
Lines = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]  # "" fits a run without arguments
Percent = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
Share = Annotated[float, msgspec.Meta(gt=0, le=100)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class Recorded(StrEnum):
    """Whether runs are recorded: `allowed` leaves it to the person."""

    ALWAYS = "always"
    ALLOWED = "allowed"
    NEVER = "never"


class Forced(StrEnum):
    """Whether --force may be used."""

    ALLOWED = "allowed"
    NEVER = "never"


class Default(StrEnum):
    """What becomes of a run that no rule matches."""

    ALLOW = "allow"
    DENY = "deny"


class Audited(StrEnum):
    """What becomes of a run whose decision cannot be written to the audit log."""

    REQUIRED = "required"  # it is refused
    WANTED = "wanted"  # it goes on, with a warning


class Caps(Value, frozen=True):
    """The most that limits may be, in the units of the settings; None caps nothing. Those of `least_` are the least."""

    duration: Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)] | None = None  # seconds
    grace: Annotated[float, msgspec.Meta(ge=0, le=600)] | None = None
    output_mib: Count | None = None
    output_rate_kib: Count | None = None
    memory_mib: Count | None = None
    cpu: Percent | None = None
    processes: Count | None = None
    bpf_cost: Percent | None = None
    runs: Count | None = None
    runs_of_tool: Count | None = None
    least_nice: Annotated[int, msgspec.Meta(ge=0, le=19)] | None = None
    least_free_mib: Count | None = None


class Rule(Value, frozen=True):
    """One rule. It is about a person of `users` or of `groups`, and a run that fits all else that it names."""

    users: Patterns | None = None
    groups: Patterns | None = None
    tools: Patterns | None = None  # names, or ids of variants where a pattern has a slash
    categories: Patterns | None = None
    risks: Annotated[tuple[Risk, ...], msgspec.Meta(min_length=1)] | None = None  # any of them
    arguments: Lines | None = None  # of the whole line, as a shell would quote it
    deny: bool | str = False  # or the sentence that is shown
    allow: tuple[Risk, ...] | None = None  # these need no --allow
    record: Recorded | None = None
    force: Forced | None = None
    caps: Caps = Caps()
    name: str = ""


class Policy(Value, frozen=True):
    """The whole policy; that of a host that has none."""

    default: Default = Default.ALLOW
    allow: tuple[Risk, ...] = ()
    record: Recorded = Recorded.ALLOWED
    force: Forced = Forced.ALLOWED
    caps: Caps = Caps()
    audit: Audited = Audited.WANTED
    pressure: Share = 80.0  # percent of 10 s in which some process waited
    rules: tuple[Rule, ...] = ()
    path: str = ""  # the file; empty: there is none


class Request(Value, frozen=True):
    """What somebody wants to run."""

    user: str
    uid: int
    tool: Tool
    variant: str = ""  # its id; empty: not chosen
    arguments: tuple[str, ...] = ()
    accepted: tuple[Risk, ...] = ()  # by --allow or the settings
    force: bool = False
    record: bool | None = None  # as asked for; None: not said


class Decision(Value, frozen=True):
    """Whether it may run and why, and what holds for it."""

    allowed: bool
    why: str
    fix: str = ""
    rule: str = ""  # the one that decided; empty: none matched
    record: bool = True
    caps: Caps = Caps()
    force: bool = True  # --force may be used


def decide(policy: Policy, request: Request, groups: Callable[[], Set[str]]) -> Decision:
    """Decide one request; `groups` tells those of the person, and is asked only when a rule names one."""
    rule = next((one for one in policy.rules if matches(one, request, groups)), None)
    if rule is None and policy.default is Default.DENY:
        return _refuse(Rule(), f"no rule of {policy.path} is about {request.user} running {request.tool.name}", ASK)
    rule = rule or Rule()
    if rule.deny is not False:
        said = f": {rule.deny}" if isinstance(rule.deny, str) else ""
        return _refuse(
            rule, f"{policy.path} forbids {request.user} to run {request.tool.name} (rule {rule.name}){said}"
        )
    return _decide_open(policy, rule, request)


def _decide_open(policy: Policy, rule: Rule, request: Request) -> Decision:
    """Of a run that no rule forbids: its risk, --force and its recording."""
    where = f"{policy.path}{f' (rule {rule.name})' if rule.name else ''}"
    ready = policy.allow if rule.allow is None else rule.allow
    for risk in request.tool.risk:
        if risk in GATED and risk not in (*ready, *request.accepted):
            name = request.tool.name
            fix = f"if that is what you want: toolkit run --allow {risk} {name} …"
            return _refuse(rule, f"{name} is {risk}: it {RISK_WORDS[risk]}", fix)
    forced, record = rule.force or policy.force, rule.record or policy.record
    if request.force and forced is Forced.NEVER:
        return _refuse(rule, f"{where} does not let {request.user} use --force", "leave it out")
    if request.record is False and record is Recorded.ALWAYS:
        return _refuse(rule, f"{where} wants every run recorded", "leave --no-record out")
    if request.record and record is Recorded.NEVER:
        return _refuse(rule, f"{where} lets no run of {request.tool.name} be recorded", "leave --record out")
    # `always` does not reach what is sensitive: that payloads lie on a disk is what somebody has to ask for.
    wanted = Risk.SENSITIVE not in request.tool.risk if request.record is None else request.record
    return Decision(
        allowed=True,
        why=f"rule {rule.name} of {policy.path}" if rule.name else _say_default(policy),
        rule=rule.name,
        record=wanted and record is not Recorded.NEVER,
        caps=replace(policy.caps, **_given(rule.caps)),
        force=forced is Forced.ALLOWED,
    )


def _refuse(rule: Rule, why: str, fix: str = ASK) -> Decision:
    return Decision(allowed=False, why=why, fix=fix, rule=rule.name, record=False, force=False)


def _say_default(policy: Policy) -> str:
    return f"no rule of {policy.path} is about it" if policy.path else "there is no policy on this host"


def _given(caps: Caps) -> dict[str, Any]:  # whole numbers and others, each of its field's type
    return {name: value for name in caps.__struct_fields__ if (value := getattr(caps, name)) is not None}


def matches(rule: Rule, request: Request, groups: Callable[[], Set[str]]) -> bool:
    """Whether a rule is about this request."""
    tool = request.tool
    return (
        _is_about(rule, request, groups)
        and (rule.tools is None or any(_names(one, tool.name, request.variant) for one in rule.tools))
        and (rule.categories is None or _any(rule.categories, (tool.category, *tool.also)))
        and (rule.risks is None or not set(rule.risks).isdisjoint(tool.risk))
        and (rule.arguments is None or _any(rule.arguments, (shlex.join(request.arguments),)))
    )


def _is_about(rule: Rule, request: Request, groups: Callable[[], Set[str]]) -> bool:
    if rule.users is None and rule.groups is None:
        return True
    if rule.users is not None and _any(rule.users, (request.user, str(request.uid))):
        return True
    return rule.groups is not None and _any(rule.groups, tuple(groups()))


def _names(pattern: str, tool: str, variant: str) -> bool:
    return fnmatchcase(variant, pattern) if "/" in pattern else fnmatchcase(tool, pattern)


def _any(patterns: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns for text in texts)


# --- Caps ---------------------------------------------------------------------------------------------------------

# Of each cap: the limit that it bounds, how many of the limit's units are one of its own, and the words for that.
_MOST = {
    "duration": ("duration", 1, "{:g} s"),
    "grace": ("grace", 1, "{:g} s of grace"),
    "output_mib": ("output_bytes", 1 << 20, "{:g} MiB of output"),
    "output_rate_kib": ("output_rate", 1 << 10, "{:g} KiB of output a second"),
    "memory_mib": ("memory_bytes", 1 << 20, "{:g} MiB of memory"),
    "cpu": ("cpu", 1, "{:g} % of one CPU"),
    "processes": ("processes", 1, "{:g} processes"),
    "bpf_cost": ("bpf_cost", 1, "{:g} % of one CPU for its BPF programs"),
    "runs": ("runs", 1, "{:g} runs at the same time"),
    "runs_of_tool": ("runs_of_tool", 1, "{:g} runs of a tool at the same time"),
}
_LEAST = {
    "least_nice": ("nice", 1, "a niceness of {:g}"),
    "least_free_mib": ("free_bytes", 1 << 20, "{:g} MiB left on the disk"),
}
_UNBOUND = frozenset({"output_rate", "memory_bytes", "cpu", "processes", "bpf_cost", "runs", "runs_of_tool"})


def cap_limits(limits: Limits, caps: Caps) -> tuple[Limits, dict[str, str]]:
    """The limits within the caps, and of each that was above its cap, the cap in words."""
    capped: dict[str, Any] = {}
    told: dict[str, str] = {}
    for name, value in _given(caps).items():
        field, unit, words = (_MOST | _LEAST)[name]
        now, bound = getattr(limits, field), value * unit
        over = now < bound if name in _LEAST else now > bound or (now == 0 and field in _UNBOUND)
        if over:
            capped[field], told[field] = bound, words.format(value)
    return replace(limits, **capped), told
