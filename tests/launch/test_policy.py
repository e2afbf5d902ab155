"""What a policy decides: the first rule that fits, what it leaves open, and caps that hold whatever is asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from toolkit.launch.policy import (
    Caps,
    Decision,
    Default,
    Forced,
    Policy,
    Recorded,
    Request,
    Rule,
    cap_limits,
    decide,
)
from toolkit.model import Risk, Tool
from toolkit.runs import Limits

RUNQLAT = Tool(name="runqlat", category="cpu", also=("kernel",), risk=(Risk.HEAVY,))
SSLSNIFF = Tool(name="sslsniff", category="net", risk=(Risk.SENSITIVE,))
INJECT = Tool(name="inject", category="kernel", risk=(Risk.DESTRUCTIVE,))


def ask(
    tool: Tool = RUNQLAT,
    *arguments: str,
    user: str = "ada",
    uid: int = 1000,
    accepted: tuple[Risk, ...] = (),
    force: bool = False,
    record: bool | None = None,
) -> Request:
    return Request(
        user=user,
        uid=uid,
        tool=tool,
        variant=f"bcc/{tool.name}",
        arguments=arguments,
        accepted=accepted,
        force=force,
        record=record,
    )


def judge(policy: Policy, request: Request, *groups: str) -> Decision:
    return decide(policy, request, lambda: frozenset(groups))


def test_without_a_policy_everything_runs_that_was_accepted() -> None:
    assert judge(Policy(), ask()).allowed
    refused = judge(Policy(), ask(SSLSNIFF))
    assert not refused.allowed
    assert "sslsniff is sensitive" in refused.why
    assert "--allow sensitive" in refused.fix
    assert judge(Policy(), ask(SSLSNIFF, accepted=(Risk.SENSITIVE,))).allowed
    assert not judge(Policy(), ask(INJECT, accepted=(Risk.SENSITIVE,))).allowed


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(), True),
        (Rule(users=("ada",)), True),
        (Rule(users=("1000",)), True),
        (Rule(users=("bob",)), False),
        (Rule(groups=("sre",)), True),
        (Rule(groups=("dev",)), False),
        (Rule(users=("bob",), groups=("sre",)), True),  # who: any of them
        (Rule(tools=("runq*",)), True),
        (Rule(tools=("bcc/*",)), True),
        (Rule(tools=("bpftrace/*",)), False),
        (Rule(categories=("kernel",)), True),  # also its other categories
        (Rule(categories=("net",)), False),
        (Rule(tools=("runqlat",), categories=("net",)), False),  # what: all of it
        (Rule(risks=(Risk.HEAVY, Risk.SENSITIVE)), True),
        (Rule(risks=(Risk.SENSITIVE,)), False),
        (Rule(arguments=("-p *",)), True),
        (Rule(arguments=("-p 1",)), False),
        (Rule(arguments=("*'a b'*",)), True),  # as a shell would quote it: one argument, not two
    ],
)
def test_a_rule_is_about_those_that_it_names(rule: Rule, fits: bool) -> None:
    policy = Policy(rules=(replace(rule, name="no", deny=True),), path="/p")
    assert judge(policy, ask(RUNQLAT, "-p", "7", "a b"), "sre").allowed is not fits


def test_the_first_rule_that_fits_decides_alone() -> None:
    rules = (
        Rule(name="sre", groups=("sre",)),
        Rule(name="none", deny="ask the on-call lead"),
    )
    policy = Policy(rules=rules, path="/etc/toolkit/policy.yaml")
    assert judge(policy, ask(), "sre").rule == "sre"
    refused = judge(policy, ask(), "dev")
    assert refused.rule == "none"
    assert refused.why.endswith("(rule none): ask the on-call lead")


def test_what_no_rule_is_about_is_decided_by_default() -> None:
    policy = Policy(default=Default.DENY, rules=(Rule(name="sre", groups=("sre",)),), path="/p")
    assert judge(policy, ask(), "sre").allowed
    assert "no rule of /p is about ada running runqlat" in judge(policy, ask(), "dev").why


def test_groups_are_asked_for_only_where_a_rule_names_one() -> None:
    asked: list[int] = []

    def groups() -> frozenset[str]:
        asked.append(1)
        return frozenset({"dev"})

    decide(Policy(rules=(Rule(users=("bob",)), Rule(tools=("x",)))), ask(), groups)
    assert asked == []
    decide(Policy(rules=(Rule(groups=("a",)), Rule(groups=("b",)))), ask(), groups)
    assert asked == [1, 1]


def test_a_risk_class_may_need_no_allow_and_a_rule_may_take_that_back() -> None:
    policy = Policy(allow=(Risk.SENSITIVE,), rules=(Rule(name="dev", groups=("dev",), allow=()),), path="/p")
    assert judge(policy, ask(SSLSNIFF), "sre").allowed
    assert not judge(policy, ask(SSLSNIFF), "dev").allowed


@pytest.mark.parametrize(
    ("policy", "tool", "record", "expected"),
    [
        (Recorded.ALLOWED, RUNQLAT, None, True),
        (Recorded.ALLOWED, RUNQLAT, False, False),
        (Recorded.ALLOWED, SSLSNIFF, None, False),
        (Recorded.ALLOWED, SSLSNIFF, True, True),
        (Recorded.ALWAYS, RUNQLAT, None, True),
        (Recorded.ALWAYS, RUNQLAT, False, None),
        (Recorded.ALWAYS, SSLSNIFF, None, False),
        (Recorded.NEVER, RUNQLAT, None, False),
        (Recorded.NEVER, SSLSNIFF, True, None),
    ],
)
def test_what_is_recorded(policy: Recorded, tool: Tool, record: bool | None, expected: bool | None) -> None:
    decision = judge(Policy(record=policy), ask(tool, accepted=(Risk.SENSITIVE,), record=record))
    assert (decision.record if decision.allowed else None) is expected


def test_force_can_be_forbidden_and_given_back() -> None:
    policy = Policy(force=Forced.NEVER, rules=(Rule(name="sre", groups=("sre",), force=Forced.ALLOWED),), path="/p")
    assert "does not let ada use --force" in judge(policy, ask(force=True)).why
    assert judge(policy, ask(force=True), "sre").allowed
    assert judge(policy, ask()).allowed


def test_a_rule_overrides_the_caps_of_the_policy_one_by_one() -> None:
    policy = Policy(caps=Caps(duration=60, bpf_cost=5), rules=(Rule(name="a", caps=Caps(bpf_cost=20)),))
    assert judge(policy, ask()).caps == Caps(duration=60, bpf_cost=20)


def test_limits_stay_within_their_caps() -> None:
    caps = Caps(duration=30, bpf_cost=5, memory_mib=512, cpu=50, least_nice=10, least_free_mib=1024, runs=8)
    limits, told = cap_limits(Limits(duration=600, bpf_cost=0, cpu=0), caps)
    assert limits.duration == 30
    assert limits.bpf_cost == 5  # 0 is no bound, which is more than any
    assert limits.cpu == 50
    assert limits.memory_bytes == 512 << 20
    assert limits.nice == 10
    assert limits.free_bytes == 1024 << 20
    assert limits.runs == 4
    assert told["duration"] == "30 s"
    assert "runs" not in told
    assert cap_limits(Limits(), Caps()) == (Limits(), {})


def test_every_cap_has_a_limit() -> None:
    everything = Caps(**dict.fromkeys(Caps.__struct_fields__, 1))
    limits, told = cap_limits(Limits(nice=0, free_bytes=0), everything)
    assert set(told) <= set(Limits.__struct_fields__)
    assert limits.nice == 1
