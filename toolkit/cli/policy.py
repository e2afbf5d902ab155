"""`toolkit policy check [USER TOOL ARGUMENTS]`: what the policy of this host lets somebody run, and why."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

import click
from msgspec.structs import replace

from toolkit.catalog.query import resolve_name
from toolkit.choose import choose
from toolkit.cli import narrate, render
from toolkit.cli.group import Group
from toolkit.cli.session import Session, open_session
from toolkit.errors import UsageError
from toolkit.launch.audit import list_groups
from toolkit.launch.policy import Decision, Policy, Request, Rule, decide
from toolkit.model import Index, Risk, Value
from toolkit.policies import load_policy

REFUSED = 126
WILD = frozenset("*?[")


class PolicyReport(Value, frozen=True, omit_defaults=False):
    """The document of `policy check --json`."""

    shape: int
    policy: Policy
    doubts: tuple[str, ...]  # what in it fits nothing on this host
    decision: Decision | None  # null: no run was asked about
    user: str
    tool: str
    variant: str


@click.group("policy", cls=Group)
def command() -> None:
    """What this host's policy lets people run, and why."""


@command.command("check", context_settings={"allow_interspersed_args": False})
@click.option("--allow", "-a", multiple=True, type=click.Choice([risk.value for risk in Risk]), help="As for run.")
@click.option("--force", is_flag=True, help="As for run.")
@click.option("--record/--no-record", default=None, help="As for run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@click.argument("user", default="")
@click.argument("tool", default="")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def check_command(
    allow: tuple[str, ...],
    force: bool,
    record: bool | None,
    as_json: bool,
    user: str,
    tool: str,
    arguments: tuple[str, ...],
) -> int:
    """Whether the policy can be read and trusted; and whether USER may run TOOL with ARGUMENTS.

    Exit status: 0 it may; 126 it may not, or the policy cannot be read or trusted.
    """
    session = open_session()
    policy = load_policy(session.paths.policy)
    doubts = tuple(find_doubts(policy, session.index))
    if user and not tool:
        raise UsageError("which tool?", fix="toolkit policy check USER TOOL [ARGUMENTS]")
    accepted = (*session.settings.allow, *map(Risk, allow))
    request = (
        _make_request(session, policy, user, tool, arguments, accepted, force=force, record=record) if tool else None
    )
    decision = decide(policy, request, lambda: list_groups(request.uid)) if request else None
    if as_json:
        variant = request.variant if request else ""
        report = PolicyReport(
            shape=render.SHAPE,
            policy=policy,
            doubts=doubts,
            decision=decision,
            user=user,
            tool=tool,
            variant=variant,
        )
        render.print_json(report)
    else:
        render.print_lines(_format_decision(request, decision) if request and decision else _format_policy(policy))
        for doubt in doubts:
            narrate.warn(doubt)
    return REFUSED if decision and not decision.allowed else 0


def _make_request(
    session: Session,
    policy: Policy,
    user: str,
    tool: str,
    arguments: tuple[str, ...],
    accepted: tuple[Risk, ...],
    *,
    force: bool,
    record: bool | None,
) -> Request:
    asked = resolve_name(session.index, tool)
    request = Request(
        user=user,
        uid=_find_uid(user),
        tool=asked.tool,
        arguments=arguments,
        accepted=accepted,
        force=force,
        record=record,
    )
    # As `run` does: of the variants that may run, the one that fits best.
    groups = cache(lambda: list_groups(request.uid))
    each = {one.id: decide(policy, replace(request, variant=one.id), groups) for one in asked.variants}
    permitted = tuple(one for one in asked.variants if each[one.id].allowed)
    chosen = choose(permitted, session.facts, arguments, pinned=asked.pinned, force=force, trials=session.trials).choice
    first = (permitted or asked.variants)[:1]
    return replace(request, variant=chosen.variant.id if chosen else first[0].id if first else "")


def _find_uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        if user.isascii() and user.isdigit():
            return int(user)
        raise UsageError(f"there is no user {user!r} on this host") from None


def find_doubts(policy: Policy, index: Index) -> Iterator[str]:
    """Names in the rules that fit nothing here: a rule with a typing mistake forbids nothing."""
    tools = {one.name for one in index.tools}
    variants = {one.id for one in index.variants}
    categories = {one.name for one in index.categories}
    for rule in policy.rules:
        for pattern in rule.tools or ():
            if not any(fnmatchcase(name, pattern) for name in (variants if "/" in pattern else tools)):
                yield f"rule {rule.name}: no tool of this host's catalog fits {pattern!r}"
        for pattern in rule.categories or ():
            if not any(fnmatchcase(name, pattern) for name in categories):
                yield f"rule {rule.name}: there is no category {pattern!r}; there are {', '.join(sorted(categories))}"
        for name in rule.users or ():
            if WILD.isdisjoint(name) and not name.isdigit() and not _is_known(name):
                yield f"rule {rule.name}: there is no user {name!r} on this host"
        for name in rule.groups or ():
            if WILD.isdisjoint(name) and not _is_group(name):
                yield f"rule {rule.name}: there is no group {name!r} on this host"


def _is_known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _format_decision(request: Request, decision: Decision) -> Iterator[str]:
    yield f"{'allowed' if decision.allowed else 'refused'}    {request.user}: {request.variant or request.tool.name}"
    yield f"why        {decision.why}"
    if not decision.allowed:
        yield f"           {decision.fix}"
        return
    yield f"recorded   {'yes' if decision.record else 'no'}"
    yield f"--force    {'may be used' if decision.force else 'may not be used'}"
    yield f"caps       {_format_caps(decision)}"


def _format_caps(decision: Decision) -> str:
    caps = decision.caps
    given = (f"{name} {value:g}" for name in caps.__struct_fields__ if (value := getattr(caps, name)) is not None)
    return ", ".join(given) or "none"


def _format_policy(policy: Policy) -> Iterator[str]:
    if not policy.path:
        yield "There is no policy on this host: everybody may run everything that their rights let them."
        return
    count = f"{len(policy.rules)} rule{'s' * (len(policy.rules) != 1)}"
    yield f"{policy.path} is good: {count}, the first that fits decides; else {policy.default}."
    width = max((len(rule.name) for rule in policy.rules), default=0)
    for rule in policy.rules:
        yield f"  {rule.name:<{width}}  {_format_rule(rule)}"


def _format_rule(rule: Rule) -> str:
    who = [*(rule.users or ()), *(f"group {name}" for name in rule.groups or ())]
    what = [
        f"{word} {' '.join(given)}"
        for word, given in (
            ("tools", rule.tools),
            ("categories", rule.categories),
            ("risks", rule.risks),
            ("arguments", tuple(one or "none" for one in rule.arguments or ())),
        )
        if given
    ]
    word = "allow" if rule.deny is False else "deny"
    return f"{word} {', '.join(who) or 'everybody'}: {'; '.join(what) or 'everything'}"
