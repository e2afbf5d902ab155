"""The decision before a start: argument list, environment, deadline."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_facts, make_variant
from toolkit.errors import CannotRun
from toolkit.launch.plan import build_argv, build_environment, decide_deadline, decide_folder, make_plan, outlives_limit
from toolkit.model import Analysis, Choice, Engine, Risk, Signature, Status, Tool, Variant, Verdict
from toolkit.runs import Form, Limits


def choice(variant: Variant, *arguments: str, duration: float | None = None, ends_itself: bool = False) -> Choice:
    verdict = Verdict(status=Status.RUNS)
    return Choice(
        variant=variant, verdict=verdict, arguments=arguments, why="", duration=duration, ends_itself=ends_itself
    )


NATIVE = make_variant("libbpf-tools/runqlat")


def test_a_native_tool_is_made_to_print_each_line_at_once() -> None:
    assert build_argv(choice(NATIVE, "1", "3"), make_facts(), "/usr/bin/stdbuf") == (
        "/usr/bin/stdbuf",
        "-oL",
        "/usr/sbin/runqlat",
        "1",
        "3",
    )
    assert build_argv(choice(NATIVE), make_facts()) == ("/usr/sbin/runqlat",)


def test_engines_are_started_by_the_path_that_was_probed() -> None:
    script = make_variant("bpftrace/runqlat", engine=Engine.BPFTRACE)
    assert build_argv(choice(script), make_facts()) == ("/usr/bin/bpftrace", "/usr/sbin/runqlat")
    program = make_variant("bcc/runqlat", engine=Engine.BCC)
    assert build_argv(choice(program, "-m"), make_facts()) == ("/usr/bin/python3", "/usr/sbin/runqlat", "-m")
    with pytest.raises(CannotRun):
        build_argv(choice(program), make_facts(engines=()))


def test_what_compiles_a_file_beside_it_is_started_there() -> None:
    program = make_variant("bcc/netqtop", engine=Engine.BCC)
    for parts, folder in ({}, ""), ({"netqtop.c": "0"}, "/usr/sbin"), ({"/usr/share/x/netqtop.c": "0"}, ""):
        assert decide_folder(msgspec.structs.replace(program, analysis=Analysis(parts=parts))) == folder


def test_a_script_that_sends_signals_gets_unsafe_only_when_its_tool_is_of_the_class_that_must_be_allowed() -> None:
    plain = make_variant("bpftrace/kill", engine=Engine.BPFTRACE)
    script = msgspec.structs.replace(plain, analysis=Analysis(signature=Signature(unsafe=True)))
    limits = Limits()
    for risk, options in (((Risk.DESTRUCTIVE,), ("--unsafe",)), ((), ())):
        tool = Tool(name="kill", category="app", risk=risk)
        plan = make_plan(tool, choice(script, "9"), limits, make_facts(), {})
        assert plan.argv == ("/usr/bin/bpftrace", *options, "/usr/sbin/kill", "9")
    destructive = Tool(name="kill", category="app", risk=(Risk.DESTRUCTIVE,))
    assert "--unsafe" not in make_plan(destructive, choice(plain), limits, make_facts(), {}).argv


def test_bpftrace_is_asked_for_json_only_where_a_program_reads_the_output() -> None:
    script = make_variant("bpftrace/runqlat", engine=Engine.BPFTRACE)
    tool = Tool(name="runqlat", category="cpu")
    plan = make_plan(tool, choice(script, "1"), Limits(), make_facts(), {}, as_data=True)
    assert plan.argv == ("/usr/bin/bpftrace", "-f", "json", "/usr/sbin/runqlat", "1")
    assert plan.form is Form.BPFTRACE_JSON
    for variant, as_data in ((script, False), (NATIVE, True), (make_variant("bcc/runqlat", engine=Engine.BCC), True)):
        plan = make_plan(tool, choice(variant, "-f", "json"), Limits(), make_facts(), {}, as_data=as_data)
        assert plan.form is Form.TEXT
        assert plan.argv[-3:] == (variant.found.path, "-f", "json")


def test_the_environment_is_built_not_inherited() -> None:
    given = {
        "PATH": "/tmp/evil",
        "LD_PRELOAD": "/tmp/evil.so",
        "PYTHONPATH": "/tmp",
        "TZ": "UTC",
        "BPFTRACE_STRLEN": "99",
    }
    built = build_environment(given)
    assert built["PATH"].startswith("/usr/local/sbin:")
    assert built["TZ"] == "UTC"
    assert built["BPFTRACE_STRLEN"] == "99"
    assert built["PYTHONUNBUFFERED"] == "1"
    assert not {"LD_PRELOAD", "PYTHONPATH"} & built.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BPFTRACE_KERNEL_SOURCE", "/tmp/evil"),  # what it would compile
        ("BPFTRACE_KERNEL_BUILD", "/tmp/evil"),
        ("BPFTRACE_BTF", "/tmp/evil"),  # what it would read
        ("BPFTRACE_VMLINUX", "/tmp/evil"),
        ("BPFTRACE_OBJCOPY", "/tmp/evil"),  # what it would start
        ("BPFTRACE_AVAILABLE_FUNCTIONS_TEST", "1"),
        ("BPFTRACE_STRLEN", "64 /etc/shadow"),
        ("BPFTRACE_STR_TRUNC_TRAILER", "\x1b[2J"),
        ("TZ", "/etc/shadow"),
        ("TZ", ":/etc/shadow"),
        ("TZ", "Europe/../../../etc/shadow"),
        ("TERM", "../../tmp/evil"),
    ],
)
def test_what_names_a_file_is_not_passed_on(name: str, value: str) -> None:
    assert build_environment({name: value}).get(name) in (None, "dumb")


@pytest.mark.parametrize(("name", "value"), [("TZ", "Europe/Berlin"), ("TZ", "CET-1CEST,M3.5.0"), ("TERM", "xterm")])
def test_how_times_and_terminals_are_shown_is_passed_on(name: str, value: str) -> None:
    assert build_environment({name: value})[name] == value


@pytest.mark.parametrize(
    ("wanted", "asked_for", "ends_itself", "decided"),
    [
        (None, None, False, (60.0, False)),  # nothing asked: the limit
        (30.0, None, False, (30.0, True)),  # --duration 30
        (None, 10.0, False, (10.0, True)),  # `10 1` for a variant without arguments
        (None, 10.0, True, (20.0, False)),  # `10 1` for one that ends itself: with time to start and end
        (None, 60.0, True, (70.0, False)),  # all that the limit allows, and not a moment less
        (None, 300.0, False, (60.0, False)),  # more than the limit allows
        (300.0, 300.0, False, (300.0, True)),  # unless it is asked for by option
    ],
)
def test_the_deadline(
    wanted: float | None, asked_for: float | None, ends_itself: bool, decided: tuple[float, bool]
) -> None:
    one = choice(NATIVE, duration=asked_for, ends_itself=ends_itself)
    assert decide_deadline(one, Limits(), wanted) == decided


def test_a_run_that_the_limit_would_cut_short_is_noticed_beforehand() -> None:
    tool = Tool(name="runqlat", category="cpu")
    short = make_plan(tool, choice(NATIVE, "10", "1", duration=10.0, ends_itself=True), Limits(), make_facts(), {})
    long = make_plan(tool, choice(NATIVE, "300", "1", duration=300.0, ends_itself=True), Limits(), make_facts(), {})
    assert not outlives_limit(short)
    assert outlives_limit(long)
