"""The matrix: kernels times engines, what runs if something is there, and what fails a check."""

from __future__ import annotations

from tests.support.samples import make_facts, make_variant, requirement
from toolkit.matrix import Column, FailOn, Subject, judge_cell, judge_rows, list_failures, make_columns, set_engines
from toolkit.model import Engine, Fact, Status, Variant

GOOD = make_facts()
NO_KPROBES = make_facts(release="6.18", kprobes=Fact(value=False, origin="no PMU"))
TRACEPOINT = make_variant("inhouse/x", requirement("tracepoint:sched:sched_switch"), engine=Engine.BPFTRACE)
KPROBE = make_variant("bcc/x", requirement("kprobe:vfs_read"), engine=Engine.BCC)
SILENT = make_variant("bpftrace/x", requirement("kprobe:gone", essential=False), engine=Engine.BPFTRACE)
SHORT = make_variant(
    "bpftrace/x", requirement("tracepoint:sched:sched_switch"), requirement("kprobe:gone", essential=False)
)
MYSQL = make_variant(
    "book/mysql", requirement("uprobe:mysqld:query", "uprobe:mariadbd:query"), requirement("program:mysqld")
)


def columns(*facts: object) -> tuple[Column, ...]:
    return make_columns(tuple((f"k{number}", one) for number, one in enumerate(facts)), ())  # type: ignore[misc]


def subject(*variants: Variant) -> tuple[Subject, ...]:
    return (Subject(name="x", variants=variants),)


def test_each_kernel_is_combined_with_each_set_of_engines() -> None:
    engines = ((Engine.BPFTRACE, "0.17.0"), (Engine.BPFTRACE, "0.23.2"), (Engine.BCC, "0.31.0"))
    made = make_columns((("a", GOOD), ("b", NO_KPROBES)), engines)
    assert [(one.name, one.engines) for one in made] == [
        ("a", ("bpftrace 0.17.0", "bcc 0.31.0")),
        ("a", ("bpftrace 0.23.2", "bcc 0.31.0")),
        ("b", ("bpftrace 0.17.0", "bcc 0.31.0")),
        ("b", ("bpftrace 0.23.2", "bcc 0.31.0")),
    ]
    assert make_columns((("a", GOOD),), ()) == (Column(name="a", facts=GOOD),)


def test_an_engine_that_a_host_lacks_can_be_supposed() -> None:
    bare = make_facts(engines=(), missing_engines={"bpftrace": "there is none"})
    script = make_variant("a/b", requirement("engine:bpftrace>=0.20"), engine=Engine.BPFTRACE)
    assert judge_cell(script, bare).verdict.status is Status.BLOCKED
    assert judge_cell(script, set_engines(bare, ((Engine.BPFTRACE, "0.23.2"),))).verdict.status is Status.RUNS
    assert judge_cell(script, set_engines(bare, ((Engine.BPFTRACE, "0.17"),))).verdict.status is Status.BLOCKED


def test_a_tool_runs_where_any_of_its_variants_does() -> None:
    rows = judge_rows(subject(KPROBE, TRACEPOINT), columns(GOOD, NO_KPROBES), variants=True)
    assert [row.variant.id if row.variant else "" for row in rows] == ["", "bcc/x", "inhouse/x"]
    assert [cell.verdict.status for cell in rows[1].cells] == [Status.RUNS, Status.BLOCKED]
    assert [cell.variant.id for cell in rows[0].cells] == ["inhouse/x", "inhouse/x"]
    assert list_failures(rows, FailOn.UNKNOWN) == ()


def test_the_rows_of_variants_are_only_shown_when_asked_for() -> None:
    assert len(judge_rows(subject(KPROBE, TRACEPOINT), columns(GOOD), variants=False)) == 1
    assert len(judge_rows(subject(KPROBE), columns(GOOD), variants=True)) == 1


def test_one_kernel_that_blocks_fails_the_check() -> None:
    rows = judge_rows(subject(KPROBE), columns(GOOD, NO_KPROBES), variants=False)
    assert [row.subject.name for row in list_failures(rows, FailOn.BLOCKED)] == ["x"]


def test_what_would_attach_to_nothing_is_as_good_as_blocked() -> None:
    assert list_failures(judge_rows(subject(SILENT), columns(GOOD), variants=False), FailOn.BLOCKED)
    rows = judge_rows(subject(SHORT), columns(GOOD), variants=False)
    assert not list_failures(rows, FailOn.BLOCKED)
    assert list_failures(rows, FailOn.PARTIAL)


def test_what_the_facts_do_not_tell_of_is_named() -> None:
    cell = judge_cell(MYSQL, GOOD)
    assert cell.verdict.status is Status.UNKNOWN
    assert cell.runs_if
    assert cell.assuming == ("mysqld:query or mariadbd:query", "mysqld")
    rows = judge_rows(subject(MYSQL), columns(GOOD), variants=False)
    assert not list_failures(rows, FailOn.PARTIAL)
    assert list_failures(rows, FailOn.UNKNOWN)


def test_what_the_facts_do_tell_of_is_not_supposed() -> None:
    told = make_facts(looked={"program:mysqld": False})
    assert judge_cell(MYSQL, told).verdict.status is Status.BLOCKED
    there = make_facts(looked={"program:mysqld": True, "uprobe:mysqld:query": True})
    assert judge_cell(MYSQL, there).verdict.status is Status.RUNS
    only = judge_cell(MYSQL, make_facts(looked={"program:mysqld": True}))
    assert only.assuming == ("mysqld:query or mariadbd:query",)


def test_another_unknown_stays_unknown() -> None:
    variant = make_variant("a/b", requirement("tracepoint:sched:x"), requirement("program:mysqld"))
    cell = judge_cell(variant, make_facts(tracepoints=Fact(unknown="tracefs is not mounted")))
    assert (cell.verdict.status, cell.assumed, cell.assuming) == (Status.UNKNOWN, None, ())


def test_what_is_for_newer_engines_than_all_has_no_row() -> None:
    import msgspec

    newer = msgspec.structs.replace(KPROBE, found=msgspec.structs.replace(KPROBE.found, made_for="bcc>=0.31"))
    assert len(judge_rows(subject(TRACEPOINT, newer), columns(GOOD), variants=True)) == 2
    new = make_columns((("a", GOOD),), ((Engine.BCC, "0.26"), (Engine.BCC, "0.31")))
    assert len(judge_rows(subject(TRACEPOINT, newer), new, variants=True)) == 3
