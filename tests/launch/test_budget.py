"""The sentence that ends a run which costs too much: it names the program that is to blame."""

from __future__ import annotations

from toolkit.launch.budget import Burn, describe_excess, name_program
from toolkit.runs import Account


def burn(name: str, percent: float, *attached: str, events: float = 1000.0) -> Burn:
    return Burn(account=Account(name=name, attached=attached), events=events, percent=percent)


def test_within_the_limit_nothing_is_said() -> None:
    assert describe_excess((), 5.0) == ""
    assert describe_excess((burn("a", 2.5), burn("b", 2.5)), 5.0) == ""


def test_a_limit_of_nothing_is_none() -> None:
    assert describe_excess((burn("a", 4000.0),), 0.0) == ""


def test_the_hot_program_is_named_with_its_place_and_its_events() -> None:
    hot = burn("handle_switch", 31.04, "raw_tracepoint sched_switch", events=412_000.4)
    assert describe_excess((burn("cold", 0.1), hot), 5.0) == (
        "handle_switch on raw_tracepoint sched_switch ran 412,000 times a second, 31 % of one CPU, the limit is 5 %"
    )


def test_where_many_share_the_cost_the_sum_is_told() -> None:
    many = tuple(burn(f"p{number}", 2.0 + number / 10, "tracepoint x") for number in range(3))
    assert describe_excess(many, 5.0) == (
        "p2 on tracepoint x ran 1,000 times a second, 2.2 % of one CPU of 6.3 % by all 3 programs, the limit is 5 %"
    )


def test_a_program_may_have_no_name_no_place_or_many() -> None:
    assert name_program(Account()) == "a BPF program without a name"
    assert name_program(Account(name="f", attached=("kprobe a", "kprobe a"))) == "f on kprobe a"
    assert name_program(Account(name="f", attached=("kprobe a", "kprobe b", "kprobe c"))) == (
        "f on kprobe a, kprobe b and 1 more"
    )
