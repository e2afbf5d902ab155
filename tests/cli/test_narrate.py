"""The sentences around a run: what should not be missed is said, and nothing is said in vain."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.plans import plan_for
from tests.support.samples import need
from tests.support.terminal import open_terminal
from toolkit.cli.narrate import INDENT, MOST_LINES, describe_cost, describe_end, describe_trouble, say
from toolkit.cli.render import wrap_facts
from toolkit.errors import CannotRun
from toolkit.launch.guard import check_programs
from toolkit.model import Analysis
from toolkit.runs import Cost, Outcome, Plan, Result

RESULT = Result(
    outcome=Outcome.DURATION,
    status=0,
    tool_status=0,
    seconds=3.0,
    stdout_bytes=0,
    stderr_bytes=0,
    dropped_bytes=0,
    cost=Cost(programs=0),
    peak_memory=None,
)


def tracing_plan() -> Plan:
    plan = plan_for("/bin/true")
    variant = msgspec.structs.replace(plan.choice.variant, analysis=Analysis(probes=(need("kprobe:vfs_read"),)))
    return msgspec.structs.replace(plan, choice=msgspec.structs.replace(plan.choice, variant=variant))


def trouble(**changes: object) -> str:
    result = msgspec.structs.replace(RESULT, **changes)
    return " | ".join(describe_trouble(tracing_plan(), result, ""))


def test_a_tool_that_attached_to_nothing_is_never_passed_over_in_silence() -> None:
    assert "it attached to nothing" in trouble()
    assert "it attached to nothing" in trouble(cost=Cost(programs=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": Cost(programs=1, attached=("tracepoint sched_switch",))},
        {"cost": Cost(unknown="BPF statistics cannot be enabled")},
        {"seconds": 0.2},
        {"outcome": Outcome.ENDED, "tool_status": 1},
    ],
)
def test_where_that_is_not_known_or_said_already_there_is_no_warning(changes: dict[str, object]) -> None:
    assert trouble(**changes) == ""


def test_a_tool_without_probes_need_not_attach() -> None:
    assert list(describe_trouble(plan_for("/bin/true"), RESULT, "")) == []


def test_the_end_is_told_in_one_sentence() -> None:
    result = msgspec.structs.replace(
        RESULT,
        cost=Cost(programs=2, attached=("a", "b"), run_ns=30_000_000, run_count=1234, cpu=0.1),
        peak_memory=13 << 20,
    )
    assert describe_end(result) == (
        "its time was over after 3.0 s; 2 BPF programs, 2 attached, 1,234 events (411 a second), 1.00 % of one CPU; "
        "user space 3.33 %; 13.0 MiB of memory"
    )
    assert describe_cost(Cost(programs=1, run_ns=1), 3.0).endswith("under 0.01 % of one CPU")


def test_a_sentence_is_bounded_whatever_it_tells_of(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"there is no tool named {'a' * 100_000!r}", "\n".join("x" * 1000))
    name, *fix = capsys.readouterr().err.splitlines()
    assert name.startswith("toolkit: there is no tool named 'aaa")
    assert name.endswith("aaa'")
    assert "characters …" in name
    assert len(name) < 1100
    assert len(fix) == MOST_LINES + 1
    assert fix[-1] == f"{INDENT}… 940 more lines"


def test_what_is_told_of_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a \x1b[31mred\r tool", "\x07")
    assert capsys.readouterr().err == f"toolkit: a ?[31mred? tool\n{INDENT}?\n"


@pytest.mark.root
def test_an_engine_that_others_can_write_is_not_started(tmp_path: os.PathLike[str]) -> None:
    engine = os.path.join(tmp_path, "engine")
    with open(engine, "w") as file:
        file.write("")
    os.chmod(engine, 0o775)
    plan = msgspec.structs.replace(plan_for("/usr/bin/true"), argv=(engine, "/usr/bin/true"))
    with pytest.raises(CannotRun, match="is not safe to run"):
        check_programs(plan)
    check_programs(msgspec.structs.replace(plan, argv=("/usr/bin/env", "/usr/bin/true")))


def test_facts_are_wrapped_below_each_other_but_for_what_may_be_copied() -> None:
    facts = (
        "held by    one two three four five six seven eight nine ten",
        "command    /usr/bin/one " + "x" * 60,
        "why        x",
    )
    assert list(wrap_facts(facts, 11, 41)) == [
        "held by    one two three four five six",
        "           seven eight nine ten",
        facts[1],
        "why        x",
    ]
    assert list(wrap_facts(facts, 11, None)) == list(facts)


def test_a_refusal_is_wrapped_on_a_terminal_and_a_path_in_it_stays_whole(own_home: Path) -> None:
    path = "/" + "x" * 90
    command = (sys.executable, "-m", "toolkit", "recordings", "show", f"{'word ' * 20}{path}")
    with open_terminal(command, os.environ, columns=60) as terminal:
        assert terminal.finish() == 125
    told = terminal.raw.decode().replace("\r\n", "\n")
    assert told.startswith("toolkit: there is no recording 'word word word")
    first, second, *rest = told.splitlines()
    assert len(first) <= 60
    assert second.startswith("         word word")
    assert any(line.startswith(f"         {path}'") for line in rest)
