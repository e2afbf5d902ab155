"""The kernel's symbol table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.host.symbols import data_symbols, parse_symbols, read_symbols
from toolkit.host.tree import Tree
from toolkit.model import Fact


def test_letters_tell_code_from_data() -> None:
    symbols = parse_symbols(
        "ffffffff81000000 T _stext\n"
        "ffffffff81000010 t vfs_read\n"
        "ffffffff81000020 W arch_weak\n"
        "ffffffff82000000 D jiffies\n"
        "ffffffff82000010 B avenrun\n"
        "ffffffffc0000000 r xfs_file_operations\t[xfs]\n"
    )
    assert symbols.code == {"_stext", "vfs_read", "arch_weak"}
    assert symbols.data == {"jiffies", "avenrun", "xfs_file_operations"}


def test_programs_and_trampolines_are_no_symbols_of_the_kernel() -> None:
    symbols = parse_symbols(
        "ffffffffc0000000 t bpf_prog_6deef7357e7b4530\t[bpf]\n"
        "ffffffffc0000000 t bpf_trampoline_1\t[bpf]\n"
        "ffffffffc0000000 t ftrace_trampoline\t[__builtin__ftrace]\n"
    )
    assert symbols.code == frozenset()


def test_names_are_known_even_without_addresses(host_of: Callable[[str], Path]) -> None:
    fact = read_symbols(Tree(host_of("debian-6.1")))
    assert fact.value is not None
    assert "blk_account_io_done" in fact.value.code  # still there, though inlined where it matters
    assert "ovl_fh_to_dentry" in fact.value.code
    assert len(fact.value.code) > 90_000


def test_this_kernels_symbols_can_be_read_by_anybody() -> None:
    fact = read_symbols(Tree())
    assert fact.value is not None
    assert "vfs_read" in fact.value.code


def test_data_symbols_keep_the_reason(tmp_path: Path) -> None:
    fact = data_symbols(read_symbols(Tree(tmp_path)))
    assert fact.unknown == "/proc/kallsyms does not exist"
    assert data_symbols(Fact(parse_symbols("0 T a\n0 D b\n"), origin="x")).value == {"b"}
