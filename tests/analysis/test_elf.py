"""What native tools need: the sections of the BPF object inside are the attach points."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.analysis.reading import essential, optional, probes
from tests.support.elf import ASKS_FIELD, PROGBITS, SECTION_HEADER, Field, bpf_object, native_tool
from toolkit.analysis import analyze
from toolkit.analysis.elf import analyze as analyze_elf
from toolkit.analysis.elf_object import embedded_objects
from toolkit.model import Analysis, Arguments, Engine


def read(*programs: tuple[str, str], texts: tuple[str, ...] = (), name: str = "") -> Analysis:
    return analyze_elf(native_tool(bpf_object(programs), *texts), name)


# --- Attach points ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "need"),
    [
        ("kprobe/vfs_read", "kprobe:vfs_read"),
        ("kretprobe/vfs_read", "kprobe:vfs_read"),
        ("kprobe/vfs_read+0x4", "kprobe:vfs_read"),
        ("kprobe.multi/vfs_*", "kprobe:vfs_*"),
        ("fentry/vfs_read", "fentry:vfs_read"),
        ("fexit.s/vfs_read", "fentry:vfs_read"),
        ("fmod_ret/security_file_open", "fentry:security_file_open"),
        ("tp/sched/sched_switch", "tracepoint:sched:sched_switch"),
        ("tracepoint/sched/sched_switch", "tracepoint:sched:sched_switch"),
        ("tp_btf/sched_switch", "tp_btf:sched_switch"),
        ("raw_tp/sched_switch", "raw_tracepoint:sched_switch"),
        ("raw_tracepoint/sched_switch", "raw_tracepoint:sched_switch"),
        ("uprobe//bin/bash:readline", "uprobe:/bin/bash:readline"),
        ("uretprobe/readline", "uprobe"),
        ("usdt", "usdt"),
        ("perf_event", "perf_event:software:cpu-clock"),
        ("iter/task", "iter:task"),
        ("iter.s/bpf_map", "iter:bpf_map"),
        ("lsm/file_open", "lsm:file_open"),
        ("struct_ops/init", "struct_ops:init"),
        ("xdp", "network:xdp"),
        ("tc", "network:tc"),
        ("cgroup_skb/egress", "network:cgroup_skb"),
        ("syscall", "attach:syscall"),
    ],
)
def test_a_section_is_an_attach_point(section: str, need: str) -> None:
    found = read((section, "handler"))
    assert probes(found) == [need]
    assert need in essential(found)


def test_a_system_call_has_a_function_per_architecture() -> None:
    assert essential(read(("ksyscall/execve", "f")))[-1].startswith("kprobe:__x64_sys_execve | ")


@pytest.mark.parametrize(
    "programs",
    [
        (("fentry/vfs_read", "a"), ("kprobe/vfs_read", "b")),
        (("fexit/vfs_read", "a"), ("kretprobe/vfs_read", "b"), ("kprobe/vfs_read", "c")),
        (("tp_btf/sched_switch", "a"), ("raw_tp/sched_switch", "b")),
        (("kprobe/blk_account_io_done", "a"), ("kprobe/__blk_account_io_done", "b"), ("tp_btf/block_io_done", "c")),
        (("fentry/migrate_misplaced_page", "a"), ("fentry/migrate_misplaced_folio", "b")),
        (("tp/kmem/kmalloc", "a"), ("tp/kmem/kmalloc_node", "b")),
        (("tp/syscalls/sys_enter_open", "a"), ("tp/syscalls/sys_enter_openat", "b")),
    ],
)
def test_programs_for_the_same_event_are_alternatives(programs: tuple[tuple[str, str], ...]) -> None:
    attached = [one for one in essential(read(*programs)) if one != "btf"]
    assert len(attached) == 1
    assert " | " in attached[0] or len({section.partition("/")[2] for section, _ in programs}) == 1


def test_programs_for_different_events_are_all_needed() -> None:
    found = read(("kprobe/tcp_v4_connect", "a"), ("kprobe/tcp_v6_connect", "b"))
    assert essential(found) == ["kprobe:tcp_v4_connect", "kprobe:tcp_v6_connect"]
    assert optional(found) == []


def test_programs_that_are_not_loaded_by_themselves_are_not_needed() -> None:
    assert essential(read(("kprobe/vfs_read", "a"), ("?kprobe/vfs_write", "b"))) == ["kprobe:vfs_read"]


def test_subprograms_are_no_attach_points() -> None:
    assert probes(read((".text", "helper"), ("kprobe/vfs_read", "a"))) == ["kprobe:vfs_read"]


def test_several_programs_may_share_a_section() -> None:
    found = read(("perf_event", "on_cache_miss"), ("perf_event", "on_cache_ref"))
    assert probes(found) == ["perf_event:hardware:cache-misses", "perf_event:hardware:cache-references"]


# --- Targets that are set at run time -----------------------------------------------------------------------------


def test_a_placeholder_stands_for_any_function() -> None:
    found = read(("kprobe/dummy_file_read", "a"), ("fentry/dummy_file_read", "b"))
    assert essential(found) == ["btf", "kprobe | fentry"]


def test_a_tool_that_acts_on_its_name_attaches_to_the_functions_of_that_name() -> None:
    programs = (
        ("kprobe/dummy_file_read", "a"),
        ("fentry/dummy_file_read", "b"),
        ("kprobe/dummy_file_open", "c"),
        ("fentry/dummy_file_open", "d"),
    )
    texts = ("xfs_file_read_iter", "xfs_file_open", "ext4_file_read_iter", "ext4_file_open", "xfs_unrelated")
    found = read(*programs, texts=texts, name="xfsslower")
    assert essential(found) == [
        "btf",
        "kprobe:xfs_file_read_iter | fentry:xfs_file_read_iter",
        "kprobe:xfs_file_open | fentry:xfs_file_open",
    ]
    assert essential(read(*programs, texts=texts, name="fsslower")) == ["btf", "kprobe | fentry"]


def test_a_file_system_may_abbreviate_itself_in_its_functions() -> None:
    programs = (("kprobe/dummy_file_read", "a"), ("kprobe/dummy_file_open", "b"))
    texts = ("bch2_read_iter", "bch2_open", "btrfs_file_read_iter", "btrfs_file_open", "bcachefs")
    found = read(*programs, texts=texts, name="bcachefsslower")
    assert essential(found) == ["kprobe:bch2_read_iter", "kprobe:bch2_open"]


def test_a_file_system_may_have_another_name_in_its_functions() -> None:
    programs = (("kprobe/dummy_file_read", "a"), ("kprobe/dummy_file_open", "b"))
    texts = ("zpl_iter_read", "zpl_open", "btrfs_file_read_iter", "btrfs_file_open", "zero")
    assert essential(read(*programs, texts=texts, name="zfsslower")) == ["kprobe:zpl_iter_read", "kprobe:zpl_open"]
    two = (*texts, "zonefs_file_read", "zonefs_file_open")
    assert essential(read(*programs, texts=two, name="zfsslower")) == ["kprobe"]


def test_a_section_without_a_target_is_attached_to_the_programs_namesake() -> None:
    found = read(("kprobe", "blk_account_io_start"), texts=("__blk_account_io_start", "other"))
    assert essential(found) == ["kprobe:blk_account_io_start | kprobe:__blk_account_io_start"]


def test_a_handler_may_be_attached_to_user_space_functions() -> None:
    assert essential(read(("kprobe/handle_entry", "handle_entry"))) == ["kprobe | uprobe"]


# --- Types --------------------------------------------------------------------------------------------------------


def read_fields(*fields: Field) -> list[str]:
    blob = bpf_object((("tp_btf/sched_switch", "a"), ("kprobe/vfs_read", "b")), fields)
    return [one for one in essential(analyze_elf(native_tool(blob))) if one.startswith(("btf", "struct_field"))]


def test_relocated_programs_need_btf_and_their_fields() -> None:
    assert read_fields(Field("kprobe/vfs_read", "cfs_rq", "nr_running")) == ["btf", "struct_field:cfs_rq.nr_running"]


def test_a_program_that_asks_first_has_another_way() -> None:
    wanted = Field("kprobe/vfs_read", "task_struct", "__state")
    asked = Field("kprobe/vfs_read", "task_struct", "__state", kind=ASKS_FIELD)
    other = Field("tp_btf/sched_switch", "task_struct", "pid")
    assert read_fields(wanted, asked, other) == ["btf", "struct_field:task_struct.pid"]


def test_a_question_about_one_type_says_nothing_of_another() -> None:
    asked = Field("kprobe/vfs_read", "bpf_ringbuf___old", "x", kind=ASKS_FIELD)
    fields = (Field("kprobe/vfs_read", "bpf_ringbuf", "y"), Field("kprobe/vfs_read", "task_struct", "pid"))
    assert read_fields(asked, *fields) == ["btf", "struct_field:task_struct.pid"]


@pytest.mark.parametrize("struct_name", ["task_struct___old", "pt_regs"])
def test_flavoured_types_and_registers_are_not_looked_up(struct_name: str) -> None:
    assert read_fields(Field("kprobe/vfs_read", struct_name, "x")) == ["btf"]


def test_helpers_that_not_every_kernel_has() -> None:
    old, late = 14, 173  # bpf_get_current_pid_tgid, bpf_get_func_ip

    def helpers(number: int, externs: Sequence[str] = ()) -> list[str]:
        blob = bpf_object((("kprobe/vfs_read", "a"),), calls={"kprobe/vfs_read": number}, externs=externs)
        return [one for one in essential(analyze_elf(native_tool(blob))) if one.startswith("helper")]

    assert helpers(late) == ["helper:bpf_get_func_ip"]
    assert helpers(old) == []
    assert helpers(late, externs=("LINUX_HAS_BPF_COOKIE",)) == []  # it asks the kernel's configuration first


def test_programs_that_are_not_relocated_do_without_btf() -> None:
    assert essential(read(("kprobe/vfs_read", "a"))) == ["kprobe:vfs_read"]


# --- Usage and summary --------------------------------------------------------------------------------------------

DOCUMENTATION = """Show things that take time, as a histogram.

USAGE: thing [--help] [-T] [-p PID] [interval] [count]
             [-c CG]

EXAMPLES:
    thing 1 10   # ten times
"""


def test_usage_and_summary_stand_in_the_binary() -> None:
    found = read(("tp/a/b", "f"), texts=("noise", DOCUMENTATION, "usage_count"))
    assert found.summary == "Show things that take time, as a histogram"
    assert found.signature.style is Arguments.INTERVAL
    assert found.signature.options == ("--help", "-T", "-p", "-c")
    assert found.signature.required is False


@pytest.mark.parametrize(
    ("usage", "style", "required"),
    [
        ("USAGE: t [-h] [-p PID]\n", Arguments.OPTIONS, False),
        ("USAGE: t [-h] [-m|-u] [ -i INTERVAL ] FUNCTION\n", Arguments.POSITIONAL, True),
        ("USAGE: t [--help] [duration]\n", Arguments.POSITIONAL, False),
        ("USAGE: t [-hv] [interval [count]]\n", Arguments.INTERVAL, False),
        ("Usage: %s [OPTIONS] [COMMAND | help] FUNC\n", Arguments.POSITIONAL, True),
        ("USAGE: t\n", Arguments.NONE, False),
        ("\nEXAMPLES:\n    t 5 10   # ten times 5 s\n    t -p 181\n", Arguments.INTERVAL, False),
        ("\nEXAMPLES:\n    t          # all\n    t -p 181\n", Arguments.OPTIONS, False),
        ("nothing", Arguments.UNKNOWN, False),
    ],
)
def test_the_style_of_arguments(usage: str, style: Arguments, required: bool) -> None:
    found = read(("tp/a/b", "f"), texts=(usage,)).signature
    assert (found.style, found.required) == (style, required)


def test_a_tool_of_usdt_probes_must_be_told_the_process() -> None:
    assert read(("usdt", "f"), texts=("USAGE: t [-p PID]\n",)).signature.required is True


def test_a_runtime_that_it_looks_for_in_the_process_is_what_it_traces() -> None:
    assert essential(read(("usdt", "f"), texts=("libjvm.so",))) == ["usdt:java"]
    assert essential(read(("usdt", "f"), texts=("libjvm.so.old",))) == ["usdt"]


def test_files_of_devices_are_read_those_of_libbpf_need_not_be_asked_for() -> None:
    path = "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq"
    texts = (path, "/sys/devices/system/cpu/possible", "/sys/devices/%s/x", "failed to open '/sys/devices/x'")
    wanted = "file:/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
    assert essential(read(("perf_event", "f"), texts=texts)) == ["perf_event:software:cpu-clock", wanted]


# --- Trouble ------------------------------------------------------------------------------------------------------


def test_a_binary_without_a_bpf_object_is_a_problem() -> None:
    assert "no BPF object" in analyze_elf(Path("/bin/true").read_bytes()).problem
    assert "not an ELF" in analyze_elf(b"#!/bin/sh\n").problem


def test_a_damaged_object_is_a_problem_wherever_it_is_cut() -> None:
    tool = native_tool(bpf_object((("kprobe/vfs_read", "a"),), (Field("kprobe/vfs_read", "sock", "sk_err"),)))
    for length in range(64, len(tool), 7):
        found = analyze_elf(tool[:length])
        assert found.problem or found.probes


def test_every_flipped_byte_is_survived() -> None:
    tool = native_tool(bpf_object((("kprobe/vfs_read", "a"),), (Field("kprobe/vfs_read", "sock", "sk_err"),)))
    for place in range(len(tool)):
        analyze_elf(tool[:place] + bytes([tool[place] ^ 0xFF]) + tool[place + 1 :])


def test_names_without_an_end_cost_no_time() -> None:
    """A name is looked for in the bytes that a name may have, and not to the end of the section."""
    blob = bytearray(bpf_object((("kprobe/vfs_read", "a"),)))
    table = struct.unpack_from("<Q", blob, 40)[0]
    long = bytes(blob[:table]) + b"x" * (8 << 20) + bytes(blob[table:])
    header = bytearray(long)
    struct.pack_into("<Q", header, 40, table + (8 << 20))
    names = table + (8 << 20) + 64 * (struct.unpack_from("<H", blob, 62)[0])
    struct.pack_into("<QQ", header, names + 24, table, 8 << 20)
    assert "names" in analyze_elf(native_tool(bytes(header))).problem


def test_an_object_of_many_large_sections_is_not_copied_for_each() -> None:
    """A thousand sections may all claim the same 16 MiB."""
    blob = bytearray(bpf_object((("kprobe/vfs_read", "a"),)))
    table, count = struct.unpack_from("<Q", blob, 40)[0], struct.unpack_from("<H", blob, 60)[0]
    end = table + (8 << 20)
    claims = SECTION_HEADER.pack(1, PROGBITS, 0, 0, 0, end, 0, 0, 1, 0) * (1000 - count)
    struct.pack_into("<Q", blob, 40, end)
    struct.pack_into("<H", blob, 60, 1000)
    tool = native_tool(bytes(blob[:table]) + b"x" * (8 << 20) + bytes(blob[table:]) + claims)
    tracemalloc.start()
    try:
        found = analyze_elf(tool)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert probes(found) == ["kprobe:vfs_read"]
    assert peak < 4 * len(tool)


# --- The real ones ------------------------------------------------------------------------------------------------


@pytest.mark.packages
@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("runqlat", "tp_btf:sched_switch | raw_tracepoint:sched_switch"),
        ("tcpconnect", "kprobe:tcp_v4_connect"),
        ("vfsstat", "kprobe:vfs_read | fentry:vfs_read"),
        ("capable", "kprobe:cap_capable"),
        ("execsnoop", "tracepoint:syscalls:sys_enter_execve"),
        ("opensnoop", "tracepoint:syscalls:sys_enter_open | tracepoint:syscalls:sys_enter_openat"),
        ("xfsslower", "kprobe:xfs_file_open | fentry:xfs_file_open"),
    ],
)
def test_the_tools_of_libbpf_tools(tool: str, expected: str) -> None:
    path = next((one for one in (Path("/usr/sbin", tool), Path("/usr/sbin", tool + "-libbpf")) if one.exists()), None)
    if path is None:
        pytest.skip("libbpf-tools is not installed")
    found = analyze(Engine.NATIVE, path.read_bytes(), tool)
    assert found.problem == ""
    assert found.summary != ""
    assert expected in essential(found)


@pytest.mark.packages
def test_another_reader_finds_the_same_programs() -> None:
    """pyelftools, on every program of libbpf-tools."""
    listed = Path("/var/lib/dpkg/info/libbpf-tools.list")
    if not listed.exists():
        pytest.skip("libbpf-tools is not installed")
    names = [line for line in listed.read_text().splitlines() if "bin/" in line]
    assert len(names) > 20
    for name in names:
        data = Path(name).read_bytes()
        position = data.find(b"\x7fELF\x02\x01\x01", 4)
        sections = list(ELFFile(BytesIO(data[position:])).iter_sections())
        expected = {one.name for one in sections if one["sh_flags"] & 4 and one["sh_size"] and one.name != ".text"}
        (found,) = embedded_objects(data)
        assert {program.section for program in found.programs} == expected
        tables = (one for one in sections if isinstance(one, SymbolTableSection))
        functions = {symbol.name for table in tables for symbol in table.iter_symbols()}
        assert {program.function for program in found.programs} <= functions - {""}


def test_an_option_of_the_kernel_that_libbpf_must_find() -> None:
    blob = bpf_object((("kprobe/f", "f"),), externs=("CONFIG_NUMA", "LINUX_KERNEL_VERSION", "bpf_other"))
    found = essential(analyze_elf(native_tool(blob)))
    assert [one for one in found if one.startswith("config")] == ["config:CONFIG_NUMA"]
