"""Where tracefs is, which tracepoints it has, and which functions can be traced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.host.symbols import Symbols
from toolkit.host.tracefs import find_tracefs, parse_functions, read_functions, read_tracepoints
from toolkit.host.tree import Tree
from toolkit.model import Fact

Write = Callable[..., Path]
TRACING = "/sys/kernel/tracing"
NO_SYMBOLS: Fact[Symbols] = Fact(unknown="not read")
SYMBOLS = Fact(Symbols(frozenset({"vfs_read", "memcpy"}), frozenset()), origin="/proc/kallsyms")


def test_it_is_found_at_its_own_place(host_of: Callable[[str], Path]) -> None:
    assert find_tracefs(Tree(host_of("debian-6.1"))).value == TRACING


def test_it_is_found_where_it_was_before_linux_4_1(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/debug/tracing/events/enable")
    assert find_tracefs(Tree(tmp_path)).value == "/sys/kernel/debug/tracing"


def test_an_empty_mount_point_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    fact = find_tracefs(Tree(tmp_path))
    assert fact.value is None
    assert fact.unknown == f"tracefs is not mounted at {TRACING}"
    assert read_tracepoints(Tree(tmp_path), fact).unknown == fact.unknown
    assert read_functions(Tree(tmp_path), fact, Fact(True), SYMBOLS).unknown == fact.unknown


def test_no_mount_point_means_no_tracefs(tmp_path: Path) -> None:
    assert find_tracefs(Tree(tmp_path)).unknown == f"there is no tracefs: {TRACING} does not exist"


@pytest.mark.root
def test_unmounted_it_is_unknown_not_empty() -> None:
    code = (
        "from toolkit.host import probe_facts; f = probe_facts();"
        "print(f.tracefs.unknown, f.tracepoints.unknown, f.functions.unknown, f.tracepoints.known, sep='\\n')"
    )
    asked = f'umount {TRACING} || exit 9; umount -R /sys/kernel/debug 2>/dev/null; exec {sys.executable} -c "{code}"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", asked], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot unmount tracefs in a mount namespace of our own: {done.stderr.strip()[-100:]}")
    why = f"tracefs is not mounted at {TRACING}"
    assert done.stdout.splitlines() == [why, why, why, "False"]


def test_tracepoints_of_a_captured_kernel(host_of: Callable[[str], Path]) -> None:
    tree = Tree(host_of("debian-6.1"))
    fact = read_tracepoints(tree, find_tracefs(tree))
    assert fact.value is not None
    assert len(fact.value) == 1491
    assert {"sched:sched_switch", "syscalls:sys_enter_openat"} <= fact.value
    assert fact.origin == f"{TRACING}/available_events"


def test_without_a_list_the_folders_tell(tmp_path: Path, write: Write) -> None:
    write(tmp_path, f"{TRACING}/events/enable")
    write(tmp_path, f"{TRACING}/events/sched/enable")
    write(tmp_path, f"{TRACING}/events/sched/sched_switch/format")
    fact = read_tracepoints(Tree(tmp_path), find_tracefs(Tree(tmp_path)))
    assert fact.value == {"sched:sched_switch"}
    assert fact.origin == f"{TRACING}/events"


def test_functions_are_those_of_ftrace_less_what_kprobes_forbid(host_of: Callable[[str], Path]) -> None:
    tree = Tree(host_of("debian-6.1"))
    fact = read_functions(tree, find_tracefs(tree), Fact(True), NO_SYMBOLS)
    assert fact.value is not None
    assert len(fact.value) > 38_000
    assert {"vfs_read", "ovl_fh_to_dentry", "perf_iommu_stop.part.0"} <= fact.value
    assert "blk_account_io_done" not in fact.value  # in kallsyms, but inlined: the trap of bcc's biolatency
    assert "do_int3" not in fact.value  # traceable, but on the kprobe blacklist
    assert fact.origin.endswith("available_filter_functions without /sys/kernel/debug/kprobes/blacklist")


def test_place_holders_of_dropped_functions_are_no_functions() -> None:
    text = "vfs_read\n__ftrace_invalid_address___496\next4_sync_file [ext4]\n"
    assert parse_functions(text) == {"vfs_read", "ext4_sync_file"}


def test_symbols_stand_in_where_kprobes_work_without_ftrace(tmp_path: Path, write: Write) -> None:
    write(tmp_path, f"{TRACING}/events/enable")
    tree, tracefs = Tree(tmp_path), Fact(TRACING)
    fact = read_functions(tree, tracefs, Fact(True), SYMBOLS)
    assert fact.value == {"vfs_read", "memcpy"}
    assert "not all of these can be attached" in fact.origin
    why = f"{TRACING}/available_filter_functions does not exist"
    assert read_functions(tree, tracefs, Fact(False), SYMBOLS).unknown == why
    assert read_functions(tree, tracefs, Fact(unknown="?"), SYMBOLS).unknown == why
    assert read_functions(tree, tracefs, Fact(True), NO_SYMBOLS).unknown == why


@pytest.mark.root
def test_a_list_that_root_may_not_read_is_unknown_with_the_error() -> None:
    tree = Tree()
    listing = f"{TRACING}/available_filter_functions"
    try:
        Path(listing).read_bytes()
    except PermissionError:
        fact = read_functions(tree, find_tracefs(tree), Fact(True), SYMBOLS)
        assert fact.unknown == f"reading {listing} gives EPERM"
    except OSError as error:
        pytest.skip(f"{listing}: {error.strerror}")
    else:
        pytest.skip("this kernel lets root read it")


@pytest.mark.root
def test_tracepoints_here_are_all_there() -> None:
    tree = Tree()
    tracefs = find_tracefs(tree)
    if tracefs.value is None:
        pytest.skip(tracefs.unknown)
    fact = read_tracepoints(tree, tracefs)
    assert fact.value is not None
    assert "sched:sched_switch" in fact.value
    assert all(os.path.isdir(f"{tracefs.value}/events/{one.replace(':', '/')}") for one in list(fact.value)[:50])
