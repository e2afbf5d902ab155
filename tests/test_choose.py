"""Which variant is taken for which arguments, and how INTERVAL COUNT means the same everywhere."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_facts, make_variant, requirement
from toolkit.choose import Fit, Misfit, choose, fit_arguments, judge_all
from toolkit.model import Arguments, Choice, Engine, Fact, Variant

NATIVE = make_variant("libbpf-tools/runqlat", options=("-m", "--milliseconds", "-p", "--pid"))
SCRIPT = make_variant("bpftrace/runqlat", engine=Engine.BPFTRACE, style=Arguments.NONE)
OWN = make_variant("inhouse/runqlat", engine=Engine.BPFTRACE)
BCC = make_variant("bcc/runqlat", requirement("headers"), engine=Engine.BCC, options=("-m", "-j"))
ALL = (BCC, SCRIPT, OWN, NATIVE)
NO_HEADERS = make_facts(headers=Fact(unknown="no kernel headers"))


def chosen(variants: tuple[Variant, ...], *arguments: str, facts: object = None) -> Choice:
    choice = choose(variants, facts or make_facts(), arguments).choice  # type: ignore[arg-type]
    assert choice is not None
    return choice


def test_the_fastest_start_wins() -> None:
    assert chosen(ALL).variant is NATIVE
    assert chosen((BCC, SCRIPT, OWN)).variant is OWN
    assert chosen((BCC, SCRIPT)).variant is SCRIPT


def test_of_two_revisions_that_run_the_newer_is_taken() -> None:
    old, new = (
        msgspec.structs.replace(NATIVE, found=msgspec.structs.replace(NATIVE.found, revision=one))
        for one in ("v0.9.0", "v0.26.0")
    )
    assert chosen((old, new)).variant is new


def test_what_is_for_a_newer_engine_speaks_last() -> None:
    fitting = msgspec.structs.replace(BCC, found=msgspec.structs.replace(BCC.found, revision="v0.26.0"))
    newer = msgspec.structs.replace(
        BCC, found=msgspec.structs.replace(BCC.found, revision="v99.0.0", made_for="bcc>=99.0.0")
    )
    judged = judge_all((newer, fitting), NO_HEADERS)
    assert [one.variant for one in judged] == [fitting, newer]


def test_what_cannot_run_is_passed_over_and_counted() -> None:
    choice = chosen((BCC, OWN), facts=NO_HEADERS)
    assert choice.variant is OWN
    assert "the only one of 2 that runs here" in choice.why


def test_an_option_that_only_one_knows_decides() -> None:
    choice = chosen(ALL, "-j")
    assert choice.variant is BCC
    assert "libbpf-tools/runqlat passed over: it has no option -j" in choice.why


def test_interval_and_count_reach_a_variant_that_takes_them() -> None:
    choice = chosen((OWN,), "10", "3")
    assert (choice.arguments, choice.duration, choice.ends_itself) == (("10", "3"), 30.0, True)


def test_interval_and_count_become_the_duration_of_one_that_takes_none() -> None:
    choice = chosen((SCRIPT,), "10", "1")
    assert (choice.arguments, choice.duration, choice.ends_itself) == ((), 10.0, False)


def test_for_several_intervals_a_variant_that_prints_them_is_better() -> None:
    slow_but_right = make_variant("bcc/runqlat", engine=Engine.BCC)
    assert chosen((SCRIPT, slow_but_right), "1", "5").variant is slow_but_right
    assert chosen((SCRIPT, slow_but_right), "5", "1").variant is SCRIPT
    assert "takes no interval" in chosen((SCRIPT,), "1", "5").why


def test_an_interval_alone_leaves_the_end_open() -> None:
    assert fit_arguments(OWN, ("5",)) == Fit(("5",))
    assert fit_arguments(SCRIPT, ("5",)) == Fit((), awkward=True, note=fit_note())


def fit_note() -> str:
    return "it takes no interval, and prints a summary, if any, once at its end"


def test_a_count_of_zero_is_refused() -> None:
    assert isinstance(fit_arguments(OWN, ("5", "0")), Misfit)


def test_fractions_of_a_second_are_a_duration_or_nothing() -> None:
    assert isinstance(fit_arguments(OWN, ("0.5", "2")), Misfit)
    assert fit_arguments(SCRIPT, ("0.5", "1")) == Fit((), duration=0.5)


def test_a_number_that_a_tool_wants_by_position_is_left_alone() -> None:
    needs_pid = make_variant("bpftrace/pid", engine=Engine.BPFTRACE, style=Arguments.POSITIONAL)
    assert fit_arguments(needs_pid, ("1234",)) == Fit(("1234",))


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m",),
        ("-m", "1", "3"),
        ("--milli",),
        ("--pid=12",),
        ("-p12",),
        ("-h",),
        ("--help",),
        ("--", "-Z"),
        ("name",),
    ],
)
def test_known_options_pass_untouched(arguments: tuple[str, ...]) -> None:
    assert fit_arguments(NATIVE, arguments) == Fit(arguments)


@pytest.mark.parametrize("arguments", [("-Z",), ("--unknown",), ("-m", "-Z", "1")])
def test_unknown_options_do_not_fit(arguments: tuple[str, ...]) -> None:
    assert isinstance(fit_arguments(NATIVE, arguments), Misfit)


def test_options_that_are_not_known_to_us_are_the_tools_business() -> None:
    assert fit_arguments(make_variant("a/b", style=Arguments.UNKNOWN), ("-Z",)) == Fit(("-Z",))


def test_a_tool_that_wants_an_argument_is_not_started_without() -> None:
    outcome = choose((make_variant("a/b", required=True),), make_facts())
    assert outcome.choice is None
    assert "needs an argument" in outcome.misfits[0][1]


def test_a_variant_that_would_attach_nothing_is_not_started_unasked() -> None:
    blind = make_variant("bpftrace/x", requirement("kprobe:gone", essential=False), engine=Engine.BPFTRACE)
    assert choose((blind,), make_facts()).choice is None
    assert choose((blind,), make_facts(), force=True).choice is not None


def test_what_is_forced_is_not_said_to_run() -> None:
    other = msgspec.structs.replace(BCC, found=msgspec.structs.replace(BCC.found, revision="v0.26.0"))
    forced = choose((BCC, other), NO_HEADERS, force=True).choice
    assert forced is not None
    assert forced.why == "forced: none of 2 can run here"


def test_force_takes_even_a_blocked_one() -> None:
    assert choose((BCC,), NO_HEADERS).choice is None
    forced = choose((BCC,), NO_HEADERS, force=True).choice
    assert forced is not None
    assert forced.variant is BCC


def test_every_verdict_is_given_best_first() -> None:
    judged = choose(ALL, NO_HEADERS).judged
    assert [one.variant.id for one in judged] == [
        "libbpf-tools/runqlat",
        "inhouse/runqlat",
        "bpftrace/runqlat",
        "bcc/runqlat",
    ]
