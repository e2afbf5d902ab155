"""Reading the kernel's BTF, also when it is not one."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.btf import FUNC, FUNC_PROTO, INT, PTR, STRUCT, TYPEDEF, kind, make_btf
from toolkit.host.btf import Btf, BtfError, list_functions, read_kernel_btf, read_module_btfs
from toolkit.host.btf_types import read_types
from toolkit.host.tree import Tree

# int, a structure with one member, a function type with one parameter, and two functions of that type.
STRINGS = b"\0int\0point\0x\0open_it\0close_it\0"
TYPES = (
    (1, kind(INT), 4, 32),
    (5, kind(STRUCT, 1), 4, 11, 1, 0),
    (0, kind(FUNC_PROTO, 1), 1, 11, 1),
    (13, kind(FUNC), 3),
    (21, kind(FUNC, 1), 3),  # linkage global, which is not a member
)
SMALL = make_btf(TYPES, STRINGS)


def test_functions_have_their_type_ids() -> None:
    btf = Btf(SMALL)
    assert btf.functions == {"open_it": 4, "close_it": 5}
    assert btf.end == 6


def test_a_modules_btf_goes_on_where_the_kernels_ends() -> None:
    own = b"\0mod_init\0"
    module = make_btf(((len(STRINGS) + 1, kind(FUNC), 3), (13, kind(FUNC), 3)), own)
    assert Btf(module, Btf(SMALL)).functions == {"mod_init": 6, "open_it": 7}


def test_functions_of_modules_count_too(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/sys/kernel/btf/vmlinux").write_bytes(SMALL)
    write(tmp_path, "/sys/kernel/btf/xfs").write_bytes(make_btf(((len(STRINGS) + 1, kind(FUNC), 3),), b"\0xfs_go\0"))
    write(tmp_path, "/sys/kernel/btf/broken").write_bytes(b"?")
    tree = Tree(tmp_path)
    kernel = read_kernel_btf(tree)
    assert list_functions(kernel, read_module_btfs(tree, kernel)).value == {"open_it", "close_it", "xfs_go"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off: 0 bytes"),
        (b"\x7fELF" + bytes(60), "begins with 7f45"),
        (SMALL[:60], "less than its header promises"),
        (SMALL[:2] + b"\2" + SMALL[3:], "has version 2"),
        (make_btf((*TYPES, (0, kind(31), 0)), STRINGS), "kind 31"),
        (make_btf(((0, kind(STRUCT, 1000), 0),), STRINGS), "ends outside"),
        (make_btf(((9999, kind(FUNC), 0),), STRINGS), "does not end in its"),
        (make_btf(TYPES, STRINGS[:-1]), "damaged"),
    ],
)
def test_what_is_no_btf_is_said_to_be_none(data: bytes, words: str) -> None:
    with pytest.raises(BtfError, match=words):
        Btf(data)


def test_damage_anywhere_gives_an_answer_or_a_clear_error() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        damaged = bytearray(SMALL)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with suppress(BtfError):
            Btf(bytes(damaged[: chance.randint(0, len(damaged))]))


@pytest.mark.parametrize(("kernel", "functions"), [("debian-6.1", 44_000), ("minimal-6.18", 55_000)])
def test_captured_kernels(kernel: str, functions: int, host_of: Callable[[str], Path]) -> None:
    fact = read_kernel_btf(Tree(host_of(kernel)))
    assert fact.value is not None
    assert len(fact.value.functions) > functions
    assert {"vfs_read", "tcp_sendmsg", "bpf_fentry_test1"} <= fact.value.functions.keys()


def test_no_btf_is_said_with_its_place(tmp_path: Path) -> None:
    fact = read_kernel_btf(Tree(tmp_path))
    assert fact.unknown == "the kernel has no BTF: /sys/kernel/btf/vmlinux does not exist"
    assert list_functions(fact, read_module_btfs(Tree(tmp_path), fact)).unknown == fact.unknown


def test_type_ids_are_those_of_bpftool() -> None:
    btf = this_kernels_btf()
    bpftool = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin")
    if not bpftool:
        pytest.skip("bpftool is not installed")
    which = btf.functions["vfs_read"]
    dumped = subprocess.run(
        [bpftool, "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw"], capture_output=True, text=True
    )
    assert f"\n[{which}] FUNC 'vfs_read' " in dumped.stdout


def this_kernels_btf() -> Btf:
    fact = read_kernel_btf(Tree())
    if fact.value is None:
        pytest.skip(fact.unknown)
    return fact.value


def test_a_raw_tracepoint_has_as_many_arguments_as_its_function_takes_after_the_first() -> None:
    types = (
        (0, kind(FUNC_PROTO, 3), 0, 0, 0, 0, 0, 0, 0),
        (0, kind(PTR), 1),
        (1, kind(TYPEDEF), 2),
        (17, kind(TYPEDEF), 1),  # of a function itself, which is no tracepoint
    )
    found = read_types(Btf(make_btf(types, b"\0btf_trace_begin\0btf_trace_odd\0")))
    assert found.fields == {"btf_trace_begin", "btf_trace_begin.arg0", "btf_trace_begin.arg1", "btf_trace_odd"}
