"""Types, members and features out of BTF, also when it was made to deceive."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.btf import CONST, ENUM, ENUM64, INT, STRUCT, TYPEDEF, UNION, Strings, kind, make_btf
from toolkit.host import btf_types
from toolkit.host.btf import Btf, BtfError, read_kernel_btf, read_module_btfs
from toolkit.host.btf_types import list_types, read_types
from toolkit.host.tree import Tree
from toolkit.model import Fact

Write = Callable[..., Path]


def make_kernel() -> tuple[bytes, bytes]:
    """A sock with a member, an anonymous union of two, and an anonymous member behind typedef and const; enums."""
    name = Strings()
    types = (
        (name("int"), kind(INT), 4, 32),  # 1
        (0, kind(UNION, 2), 4, name("sk_hash"), 1, 0, name("sk_err"), 1, 0),  # 2
        (name("inner_t"), kind(TYPEDEF), 4),  # 3: of the one that follows
        (0, kind(CONST), 2),  # 4
        (name("sock"), kind(STRUCT, 3), 8, name("sk_prot"), 1, 0, 0, 2, 0, 0, 3, 0),  # 5
        (name("bpf_func_id"), kind(ENUM, 2), 4, name("BPF_FUNC_unspec_not"), 0, name("BPF_FUNC_get_func_ip"), 1),
        (
            name("bpf_map_type"),
            kind(ENUM64, 2),
            8,
            name("BPF_MAP_TYPE_UNSPEC"),
            0,
            0,
            name("BPF_MAP_TYPE_RINGBUF"),
            1,
            0,
        ),
        (name("bpf_attach_type"), kind(ENUM, 1), 4, name("BPF_TRACE_ITER"), 28),
    )
    return make_btf(types, name.data), name.data


KERNEL, KERNEL_STRINGS = make_kernel()


def read_both(tree: Tree) -> tuple[Fact[AbstractSet[str]], Fact[AbstractSet[str]]]:
    kernel = read_kernel_btf(tree)
    return list_types(kernel, read_module_btfs(tree, kernel))


def test_members_of_anonymous_members_are_the_structures_own() -> None:
    fields = read_types(Btf(KERNEL)).fields
    assert {"sock", "sock.sk_prot", "sock.sk_hash", "sock.sk_err", "inner_t", "int"} >= fields - {
        "bpf_func_id",
        "bpf_map_type",
        "bpf_attach_type",
        "int",
    }
    assert {"sock.sk_hash", "sock.sk_err", "inner_t"} <= fields
    assert "sock." not in fields


def test_enumerations_are_features() -> None:
    assert read_types(Btf(KERNEL)).features == {
        "helper:bpf_unspec_not",
        "helper:bpf_get_func_ip",
        "map_type:ringbuf",
        "attach_type:trace_iter",
    }


def test_a_modules_types_stand_on_the_kernels() -> None:
    name = Strings(KERNEL_STRINGS)
    # Its own structure, with a member of its own name, one named by the kernel's string, and the kernel's union inside.
    module = make_btf(((name("xfs_inode"), kind(STRUCT, 3), 8, name("i_ino"), 1, 0, 1, 1, 0, 0, 2, 0),), name.data)
    kernel = Btf(KERNEL)
    assert read_types(Btf(module, kernel)).fields == {
        "xfs_inode",
        "xfs_inode.i_ino",
        "xfs_inode.int",
        "xfs_inode.sk_hash",
        "xfs_inode.sk_err",
    }
    other = Strings(KERNEL_STRINGS)
    second = make_btf(((other("nfs_inode"), kind(STRUCT, 1), 8, other("ino"), 1, 0),), other.data)
    assert read_types(Btf(second, kernel)).fields == {"nfs_inode", "nfs_inode.ino"}


def test_modules_that_cannot_be_read_are_left_out(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/btf/vmlinux").write_bytes(KERNEL)
    write(tmp_path, "/sys/kernel/btf/broken").write_bytes(b"?")
    name = Strings(KERNEL_STRINGS)
    module = make_btf(((name("xfs_inode"), kind(STRUCT), 8),), name.data)
    write(tmp_path, "/sys/kernel/btf/xfs").write_bytes(module)
    fields, features = read_both(Tree(tmp_path))
    assert fields.value is not None
    assert "xfs_inode" in fields.value
    assert features.origin == "/sys/kernel/btf/vmlinux"


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "cut off"), (b"\x7fELF" + bytes(60), "no BTF"), (KERNEL[:70], "cut off")]
)
def test_what_is_no_btf_is_unknown_with_the_reason(data: bytes, words: str, tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/btf/vmlinux").write_bytes(data)
    for fact in read_both(Tree(tmp_path)):
        assert words in fact.unknown


def test_structures_that_hold_themselves_end() -> None:
    name = Strings()
    # A thousand anonymous members, each the structure itself.
    loops = make_btf(((name("loop"), kind(STRUCT, 1000), 8, *((0, 1, 0) * 1000)),), name.data)
    assert read_types(Btf(loops)).fields == {"loop"}


def test_structures_that_share_a_large_one_without_end_are_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(btf_types, "MOST_MEMBERS", 100_000)
    name = Strings()
    members = [word for at in range(3_000) for word in (name(f"m{at}"), 0, 0)]
    large = (0, kind(STRUCT, 3_000), 8, *members)
    sharing = tuple((name(f"s{at}"), kind(STRUCT, 1), 8, 0, 1, 0) for at in range(3_000))
    with pytest.raises(BtfError, match="more members than any kernel"):
        read_types(Btf(make_btf((large, *sharing), name.data)))


def test_a_name_of_a_megabyte_is_none() -> None:
    strings = b"\0" + b"a" * (1 << 20) + b"\0"
    endless = make_btf(tuple((1 + at, kind(STRUCT), 0) for at in range(1000)), strings)
    with pytest.raises(BtfError, match="does not end"):
        read_types(Btf(endless))


@given(place=st.integers(0, len(KERNEL) - 1), change=st.binary(min_size=1, max_size=8), cut=st.integers(0, len(KERNEL)))
@settings(max_examples=300, deadline=None)
def test_damage_anywhere_gives_an_answer_or_a_clear_error(place: int, change: bytes, cut: int) -> None:
    damaged = KERNEL[:place] + change + KERNEL[place + len(change) :]
    for data in (damaged, damaged[:cut]):
        with suppress(BtfError):
            read_types(Btf(data))
    with suppress(BtfError):
        read_types(Btf(damaged, Btf(KERNEL)))


def test_this_kernels_types_are_those_that_its_programs_use() -> None:
    fields, features = read_both(Tree())
    if fields.value is None:
        pytest.skip(fields.unknown)
    assert {"task_struct", "task_struct.pid", "sock.__sk_common"} <= set(fields.value)
    assert {"map_type:hash", "helper:bpf_map_lookup_elem", "program_type:tracepoint"} <= set(features.value or ())
