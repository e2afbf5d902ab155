"""Reading a host or a captured one, and saying in words what could not be read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.host.tree import Tree, explain, name_error


def test_paths_lie_below_the_root(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/proc/sys/kernel/kptr_restrict", "1\n")
    fact = Tree(tmp_path).number("/proc/sys/kernel/kptr_restrict")
    assert fact.value == 1
    assert fact.origin == "/proc/sys/kernel/kptr_restrict"


def test_a_number_that_is_none_is_unknown(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/proc/x", "many")
    assert Tree(tmp_path).number("/proc/x").unknown == "/proc/x holds 'many', which is no number"
    assert Tree(tmp_path).number("/proc/y").unknown == "/proc/y does not exist"


def test_only_the_real_root_is_live(tmp_path: Path) -> None:
    assert Tree().live
    assert not Tree(tmp_path).live


@pytest.mark.parametrize(
    ("code", "uid", "words"),
    [
        (errno.ENOENT, 0, "/x does not exist"),
        (errno.EPERM, 0, "reading /x gives EPERM"),
        (errno.EACCES, 0, "reading /x gives EACCES"),
        (errno.EACCES, 1000, "reading /x needs root"),
    ],
)
def test_errors_are_put_into_words(code: int, uid: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert explain("/x", OSError(code, "")) == words


def test_the_kernels_own_error_has_a_name() -> None:
    assert name_error(OSError(524, "")) == "ENOTSUPP"


def test_links_in_a_tree_lead_to_what_they_mean_there(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/usr/lib/jvm/bin/java", "inside")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/java").symlink_to("/usr/lib/jvm/bin/java")  # as /etc/alternatives does
    (tmp_path / "bin").symlink_to("usr/lib/jvm/bin")
    (tmp_path / "etc/up").symlink_to("../../../../etc/java")
    tree = Tree(tmp_path)
    for path in ("/etc/java", "/bin/java", "/etc/up", "/../etc/java", "/etc/../etc/./up"):
        assert tree.text(path) == "inside"
    assert not tree.exists("/etc/passwd")
    (tmp_path / "etc/passwd").symlink_to("/../../../../../../../etc/passwd")
    assert not tree.exists("/etc/passwd")


def test_links_in_a_circle_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/a")
    tree = Tree(tmp_path)
    assert not tree.exists("/a")
    with pytest.raises(OSError, match="symbolic links"):
        tree.read("/a")


def test_what_is_no_regular_file_is_not_looked_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    tree = Tree(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        tree.stamp("/pipe")
    with pytest.raises(OSError, match="not a regular file"), tree.view("/pipe"):
        pass
    with tree.view("/empty") as data:
        assert bytes(data) == b""


@pytest.mark.parametrize("text", ["12x", "", "9" * 5000, "²"])
def test_what_is_no_number_is_unknown(text: str, tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/proc/x", text)
    assert "which is no number" in Tree(tmp_path).number("/proc/x").unknown
