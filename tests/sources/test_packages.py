"""What the distribution installed: found where it lies, named as people name it, on Debian and on Fedora."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.trees import make_debian, make_fedora, put
from toolkit.model import Engine, Found
from toolkit.sources import packages


def discover(root: Path) -> dict[str, Found]:
    return {f"{one.upstream}/{one.stem}": one for one in packages.discover(root)}


def test_debians_names_lose_their_suffixes(tmp_path: Path) -> None:
    found = discover(make_debian(tmp_path))
    assert {name: one.engine for name, one in found.items()} == {
        "bcc/javagc": Engine.SHELL,
        "bcc/runqlat": Engine.BCC,
        "bpftrace/runqlat": Engine.BPFTRACE,
        "libbpf-tools/biotop": Engine.NATIVE,
        "libbpf-tools/runqlat": Engine.NATIVE,
    }


def test_they_come_with_version_example_and_man_page(tmp_path: Path) -> None:
    one = discover(make_debian(tmp_path))["bcc/runqlat"]
    assert one.revision == "1.0-2"
    assert one.example == str(tmp_path / "usr/share/doc/bpfcc-tools/examples/doc/runqlat_example.txt")
    assert one.man == str(tmp_path / "usr/share/man/man8/runqlat-bpfcc.8.gz")
    assert discover(tmp_path)["libbpf-tools/runqlat"].example == ""


def test_what_no_package_owns_is_not_taken(tmp_path: Path) -> None:
    assert "bcc/runqlen" not in discover(make_debian(tmp_path))


def test_fedora_has_its_own_places(tmp_path: Path) -> None:
    found = discover(make_fedora(tmp_path))
    assert sorted(found) == ["bcc/javagc", "bcc/runqlat", "bpftrace/runqlat", "libbpf-tools/runqlat"]
    assert found["libbpf-tools/runqlat"].path.endswith("/usr/sbin/bpf-runqlat")
    assert found["bcc/runqlat"].example.endswith("doc/runqlat_example.txt")
    assert found["bcc/runqlat"].man.endswith("bcc-runqlat.8.gz")


def test_a_bare_host_has_nothing_and_that_is_no_error(tmp_path: Path) -> None:
    assert packages.discover(tmp_path) == ()


def test_odd_files_are_passed_over(tmp_path: Path) -> None:
    root = make_fedora(tmp_path)
    tools = root / "usr/share/bcc/tools"
    os.mkfifo(tools / "fifo")
    (tools / "loop").symlink_to("loop")
    (tools / "folder").mkdir()
    put(root, "usr/share/bcc/tools/-rf", b"#!/usr/bin/perl\n")
    put(root, "usr/share/bcc/tools/new\nline", b"#!/usr/bin/python3\n")
    put(root, "usr/share/bcc/tools/empty")
    assert sorted(discover(root)) == ["bcc/javagc", "bcc/runqlat", "bpftrace/runqlat", "libbpf-tools/runqlat"]


def test_what_is_watched_changes_when_a_package_is_installed(tmp_path: Path) -> None:
    root = make_debian(tmp_path)
    assert root / "var/lib/dpkg/info/bpftrace.list" in packages.watched(root)
    make_fedora(tmp_path / "fedora")
    assert tmp_path / "fedora/usr/share/bcc/tools" in packages.watched(tmp_path / "fedora")


@pytest.mark.packages
def test_this_hosts_packages_are_found_with_all_four_engines() -> None:
    found = discover(Path("/"))
    assert {one.engine for one in found.values()} == set(Engine)
    assert {"bcc/runqlat", "bpftrace/runqlat", "libbpf-tools/runqlat", "libbpf-tools/ext4dist"} <= found.keys()
    assert all(one.revision for one in found.values())
