"""The kernel's configuration, from wherever this host keeps it."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.host.kconfig import parse_config, read_config
from toolkit.host.tree import Tree

Write = Callable[..., Path]


def test_a_kernel_without_kprobes_says_so(host_of: Callable[[str], Path]) -> None:
    fact = read_config(Tree(host_of("minimal-6.18")), "6.18.44-fc-v669")
    assert fact.value is not None
    assert fact.origin == "/proc/config.gz"
    assert fact.value["CONFIG_KPROBES"] == "n"
    assert fact.value["CONFIG_BPF_SYSCALL"] == "y"
    assert fact.value["CONFIG_IKHEADERS"] == "n"
    assert "CONFIG_KPROBE_EVENTS" not in fact.value


def test_a_distribution_kernel_has_modules(host_of: Callable[[str], Path]) -> None:
    fact = read_config(Tree(host_of("debian-6.1")), "6.1.0-56-amd64")
    assert fact.value is not None
    assert fact.value["CONFIG_KPROBES"] == "y"
    assert fact.value["CONFIG_EXT4_FS"] == "m"
    assert fact.value["CONFIG_XFS_FS"] == "m"
    assert fact.value["CONFIG_KALLSYMS_ALL"] == "y"


def test_only_what_is_asked_for_is_kept() -> None:
    text = 'CONFIG_BPF=y\nCONFIG_SOUND=y\n# CONFIG_KPROBES is not set\nCONFIG_LSM="bpf,yama"\n# a comment\n'
    assert parse_config(text) == {"CONFIG_BPF": "y", "CONFIG_KPROBES": "n", "CONFIG_LSM": "bpf,yama"}


def test_the_first_place_that_has_it_wins(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/boot/config-6.1", "CONFIG_BPF=y\n")
    write(tmp_path, "/lib/modules/6.1/config", "CONFIG_BPF=n\n")
    fact = read_config(Tree(tmp_path), "6.1")
    assert fact.value == {"CONFIG_BPF": "y"}
    assert fact.origin == "/boot/config-6.1"


def test_no_config_is_unknown_with_every_place(tmp_path: Path) -> None:
    why = read_config(Tree(tmp_path), "6.1").unknown
    assert why.startswith("there is no kernel config: none of /proc/config.gz, /boot/config-6.1, ")


@pytest.mark.parametrize("data", [b"no gzip at all", gzip.compress(b"CONFIG_BPF=y\n")[:-9]], ids=["no gzip", "cut off"])
def test_a_damaged_config_is_unknown(data: bytes, tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/proc/config.gz").write_bytes(data)
    assert read_config(Tree(tmp_path), "6.1").unknown == "/proc/config.gz is damaged"


def test_this_kernels_config_agrees_with_its_bpf_syscall() -> None:
    fact = read_config(Tree(), os.uname().release)
    if fact.value is None:
        pytest.skip(fact.unknown)
    assert fact.value["CONFIG_BPF"] == "y"
