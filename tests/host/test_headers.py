"""Where the kernel's headers are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.host.headers import find_headers
from toolkit.host.tree import Tree

Write = Callable[..., Path]


def test_installed_headers_are_found(host_of: Callable[[str], Path]) -> None:
    fact = find_headers(Tree(host_of("debian-6.1")), "6.1.0-56-amd64")
    assert fact.value == "/lib/modules/6.1.0-56-amd64/build"


def test_a_link_that_a_removed_package_left_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "lib/modules/6.1"
    folder.mkdir(parents=True)
    (folder / "build").symlink_to("/usr/src/no-such-headers")
    assert find_headers(Tree(tmp_path), "6.1").value is None


def test_a_folder_of_headers_needs_no_makefile(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/lib/modules/6.1/source/include/linux/types.h")
    assert find_headers(Tree(tmp_path), "6.1").value == "/lib/modules/6.1/source"


def test_the_kernel_may_carry_its_own(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/kheaders.tar.xz")
    assert find_headers(Tree(tmp_path), "6.1").value == "/sys/kernel/kheaders.tar.xz"


def test_none_is_said_with_every_place(host_of: Callable[[str], Path]) -> None:
    why = find_headers(Tree(host_of("minimal-6.18")), "6.18").unknown
    assert why == (
        "no kernel headers: none in /lib/modules/6.18/build or /lib/modules/6.18/source, "
        "and no /sys/kernel/kheaders.tar.xz"
    )
