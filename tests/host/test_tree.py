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
