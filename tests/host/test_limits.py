"""Capabilities, lockdown and locked memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.host.limits import CAPABILITIES, name_capabilities, read_capabilities, read_lockdown, read_memlock
from toolkit.host.tree import Tree

Write = Callable[..., Path]


def test_there_are_41_capabilities_in_the_kernels_order() -> None:
    assert len(CAPABILITIES) == 41
    assert CAPABILITIES.index("sys_admin") == 21
    assert CAPABILITIES.index("perfmon") == 38
    assert CAPABILITIES.index("bpf") == 39


def test_a_mask_becomes_names() -> None:
    assert name_capabilities(1 << 39 | 1 << 38) == {"bpf", "perfmon"}
    assert name_capabilities(0) == frozenset()
    assert name_capabilities(1 << 50) == {"50"}


def test_a_machine_without_sys_resource_shows(host_of: Callable[[str], Path]) -> None:
    held = read_capabilities(Tree(host_of("minimal-6.18")))
    assert "sys_resource" not in held
    assert len(held) == 40


@pytest.mark.root
def test_root_here_holds_what_the_kernel_says() -> None:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    assert len(read_capabilities(Tree())) == int(line.split()[1], 16).bit_count()


def test_lockdown_is_the_level_in_brackets(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert read_lockdown(Tree(tmp_path)).value == "integrity"


def test_a_security_file_system_without_lockdown_means_none(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/security/lsm", "capability")
    assert read_lockdown(Tree(tmp_path)).value == "none"


def test_an_empty_mount_point_tells_nothing(host_of: Callable[[str], Path]) -> None:
    fact = read_lockdown(Tree(host_of("minimal-6.18")))
    assert fact.value is None
    assert fact.unknown == "securityfs is not mounted at /sys/kernel/security"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Max locked memory         8388608              8388608              bytes", 8388608),
        ("Max locked memory         unlimited            unlimited            bytes", -1),
    ],
)
def test_memlock_is_bytes_or_unlimited(line: str, value: int, tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/proc/self/limits", f"Limit    Soft Limit\n{line}\n")
    assert read_memlock(Tree(tmp_path)).value == value


def test_memlock_here_is_what_the_kernel_enforces() -> None:
    import resource

    assert read_memlock(Tree()).value == resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
