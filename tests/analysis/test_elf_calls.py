"""What the code of a native tool does with its programs: turned off, or directed to other functions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.reading import essential, optional
from tests.support.elf import Field, bpf_object, direct, switch, x86_tool
from toolkit.analysis.elf import analyze

# A skeleton: two pointers, no maps, then the programs.
FIRST, SECOND, THIRD = 16, 24, 32
ALWAYS = ("tp/sched/sched_switch", "always")
SWITCHED = ("kprobe/security_inode_create", "sometimes")


def read(programs: tuple[tuple[str, str], ...], *code: bytes, texts: tuple[str, ...] = ()) -> list[str]:
    found = analyze(x86_tool(bpf_object(programs), *code, texts=texts))
    assert found.problem == ""
    assert optional(found) == []
    return essential(found)


def test_what_is_loaded_where_the_kernel_has_it_is_not_missed() -> None:
    programs = (ALWAYS, ("fentry/may_be_there", "sometimes"))
    assert read(programs, switch(SECOND)) == ["btf", "tracepoint:sched:sched_switch"]
    assert read(programs) == ["btf", "tracepoint:sched:sched_switch", "fentry:may_be_there"]


def test_kprobes_are_tried_where_the_kernel_has_the_function() -> None:
    assert read((ALWAYS, SWITCHED), switch(SECOND, flag_first=True)) == ["tracepoint:sched:sched_switch", "kprobe"]


def test_of_several_that_are_switched_one_is_needed() -> None:
    programs = (ALWAYS, ("fexit/__page_cache_alloc", "old"), ("fexit/filemap_alloc_folio", "new"))
    both = "fentry:__page_cache_alloc | fentry:filemap_alloc_folio"
    assert read(programs, switch(SECOND, on=True), switch(THIRD)) == ["btf", "tracepoint:sched:sched_switch", both]


def test_one_is_needed_where_all_are_switched() -> None:
    assert read((SWITCHED,), switch(FIRST)) == ["kprobe:security_inode_create"]


def test_two_mechanisms_for_one_function_are_still_alternatives() -> None:
    programs = (ALWAYS, ("fentry/vfs_read", "a"), ("kprobe/vfs_read", "b"))
    wanted = "fentry:vfs_read | kprobe:vfs_read"
    assert read(programs, switch(SECOND), switch(THIRD)) == ["btf", "tracepoint:sched:sched_switch", wanted]


def test_maps_stand_before_the_programs() -> None:
    programs = (*(("kprobe/f" + str(number), "f" + str(number)) for number in range(20)), ALWAYS)
    last = switch(FIRST + 8 * 20)
    assert read(programs, last)[-2:] == ["kprobe:f18", "kprobe:f19"]


def test_a_program_may_be_directed_to_the_function_under_another_name() -> None:
    texts = ("__blk_account_io_start", "printed", "blk_account_io_start")
    code = (direct("__blk_account_io_start"), direct("blk_account_io_start"))
    programs = (("fentry/blk_account_io_start", "a"), ALWAYS)
    wanted = "fentry:blk_account_io_start | fentry:__blk_account_io_start"
    assert read(programs, *code, texts=texts) == ["btf", wanted, "tracepoint:sched:sched_switch"]


def test_names_that_are_tried_one_after_another_are_alternatives_to_the_one_that_is_known() -> None:
    texts = ("page_cache_ra_order", "do_page_cache_ra")
    code = (direct("page_cache_ra_order"), direct("do_page_cache_ra"))
    wanted = "fentry:do_page_cache_ra | fentry:page_cache_ra_order"
    assert read((("fentry/do_page_cache_ra", "a"),), *code, texts=texts) == ["btf", wanted]


def test_names_that_are_given_to_something_else_are_none() -> None:
    assert read((("fentry/vfs_read", "a"),), direct("format"), texts=("format",)) == ["btf", "fentry:vfs_read"]


def test_what_a_program_reads_that_is_only_taken_where_it_works_is_not_needed() -> None:
    fields = (Field("fentry/may_be_there", "folio", "page"), Field("tp/sched/sched_switch", "task_struct", "pid"))
    blob = bpf_object((ALWAYS, ("fentry/may_be_there", "sometimes")), fields)
    assert "struct_field:folio.page" not in essential(analyze(x86_tool(blob, switch(SECOND))))
    assert "struct_field:task_struct.pid" in essential(analyze(x86_tool(blob, switch(SECOND))))
    assert "struct_field:folio.page" in essential(analyze(x86_tool(blob)))


def test_what_all_mechanisms_for_an_event_read_is_needed() -> None:
    fields = (Field("fentry/vfs_read", "file", "f_op"), Field("kprobe/vfs_read", "file", "f_op"))
    programs = (("fentry/vfs_read", "a"), ("kprobe/vfs_read", "b"))
    code = (switch(FIRST), switch(SECOND))
    assert "struct_field:file.f_op" in essential(analyze(x86_tool(bpf_object(programs, fields), *code)))
    assert "struct_field:file.f_op" not in essential(analyze(x86_tool(bpf_object(programs, fields[:1]), *code)))


TOOL = x86_tool(bpf_object((ALWAYS, SWITCHED)), switch(SECOND), direct("vfs_read"), texts=("vfs_read",))


@given(place=st.integers(0, len(TOOL) - 1), change=st.binary(min_size=1, max_size=16))
@settings(max_examples=200, deadline=None)
def test_no_damaged_code_makes_the_reader_raise(place: int, change: bytes) -> None:
    problem = analyze(TOOL[:place] + change + TOOL[place + len(change) :]).problem
    assert "could not be read" not in problem


@pytest.mark.parametrize("hostile", [b"\x48\x8d\x15" * 100_000, b"\x48\x8b\x7b" * 100_000, b"\xe8" * 200_000])
def test_hostile_code_costs_no_time(hostile: bytes) -> None:
    analyze(x86_tool(bpf_object((ALWAYS,)), switch(FIRST), hostile))
