"""What to use instead of what cannot run, and through what it would see."""

from __future__ import annotations

from tests.support.samples import make_facts, make_index, make_variant, requirement
from toolkit.alternatives import describe_attachment, find_alternative
from toolkit.model import Fact, Tool

NO_KPROBES = make_facts(
    kprobes=Fact(value=False, origin="no PMU"),
    fentry=Fact(value=False, origin="EPERM"),
    tracepoints=Fact(value=frozenset({"sock:inet_sock_set_state", "sched:sched_switch", "sched:a", "sched:b"})),
)
KPROBE = make_variant("bcc/tcplife", requirement("kprobe:tcp_set_state"))
TRACEPOINT = make_variant("inhouse/tcplife", requirement("tracepoint:sock:inet_sock_set_state"))
STATES = make_variant("bpftrace/tcpstates", requirement("tracepoint:sock:inet_sock_set_state"))
LIFE = Tool(name="tcplife", category="cpu", instead=("tcptracer", "tcpstates"))


def test_another_variant_of_the_same_tool_is_nearest() -> None:
    index = make_index(KPROBE, TRACEPOINT, STATES, tools=(LIFE,))
    found = find_alternative(LIFE, (KPROBE,), index, NO_KPROBES)
    assert str(found) == "`inhouse/tcplife` answers the same through the tracepoint sock:inet_sock_set_state"


def test_else_a_tool_of_its_like_that_runs() -> None:
    index = make_index(KPROBE, STATES, tools=(LIFE,))
    found = find_alternative(LIFE, (KPROBE,), index, NO_KPROBES)
    assert found is not None
    assert (found.tool, found.variant, found.same) == ("tcpstates", "bpftrace/tcpstates", False)
    assert str(found).startswith("`tcpstates` answers a similar question: bpftrace/tcpstates runs through")


def test_nothing_is_better_than_something_else() -> None:
    assert find_alternative(LIFE, (KPROBE,), make_index(KPROBE, tools=(LIFE,)), NO_KPROBES) is None
    blocked = make_variant("bpftrace/tcpstates", requirement("kprobe:tcp_set_state"))
    assert find_alternative(LIFE, (KPROBE,), make_index(KPROBE, blocked, tools=(LIFE,)), NO_KPROBES) is None


def test_only_what_is_attached_here_is_named() -> None:
    either = make_variant("a/b", requirement("fentry:vfs_read", "kprobe:vfs_read"), requirement("btf"))
    assert describe_attachment(either, make_facts()) == "fentry on vfs_read"
    assert describe_attachment(either, make_facts(fentry=Fact(value=False))) == "a kprobe on vfs_read"
    many = make_variant("a/b", *(requirement(f"tracepoint:sched:{one}") for one in ("a", "b", "sched_switch")))
    assert describe_attachment(many, NO_KPROBES) == "the tracepoints sched:a, sched:b and 1 more"
    two = make_variant("a/b", *(requirement(f"tracepoint:sched:{one}") for one in ("a", "gone", "b")))
    assert describe_attachment(two, NO_KPROBES) == "the tracepoints sched:a and sched:b"
    assert describe_attachment(make_variant(), make_facts()) == ""
