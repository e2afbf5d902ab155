"""What makes cached facts stale."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.host import fingerprint, places


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bpftrace of the test's own, so that it can be upgraded."""
    path = tmp_path / "bpftrace"
    path.write_text("1")
    monkeypatch.setattr(places, "BPFTRACES", (str(path),))
    return path


def test_it_stays_the_same_while_nothing_changes() -> None:
    assert fingerprint() == fingerprint()


def test_a_person_can_read_it() -> None:
    lines = fingerprint().splitlines()
    assert any(line.startswith("boot ") for line in lines)
    assert f"kernel {os.uname().release} {os.uname().machine}" in lines
    assert f"uid {os.geteuid()}" in lines


def test_an_engine_that_is_upgraded_changes_it(engine: Path) -> None:
    before = fingerprint()
    aside = engine.with_name("new")
    aside.write_text("2")
    os.replace(aside, engine)
    assert fingerprint() != before


def test_an_engine_that_is_removed_changes_it(engine: Path) -> None:
    before = fingerprint()
    engine.unlink()
    assert fingerprint() != before


def test_a_bcc_that_is_installed_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PYTHON_PACKAGES", (str(tmp_path),))
    before = fingerprint()
    (tmp_path / "bcc").mkdir()
    assert fingerprint() != before


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("MODULES", "ext4 1 0 - Live 0x0\n", "ext4 1 0 - Live 0x0\nxfs 1 0 - Live 0x0\n"),
        ("LOCKDOWN", "[none] integrity", "none [integrity]"),
        ("KPROBES_SWITCH", "1", "0"),
        ("FTRACE_SWITCH", "1", "0"),
    ],
)
def test_what_the_kernel_switches_changes_it(
    name: str, before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    monkeypatch.setattr(places, name, str(file))
    file.write_text(before)
    first = fingerprint()
    file.write_text(after)
    assert fingerprint() != first


def test_a_modules_use_count_does_not_change_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "modules"
    monkeypatch.setattr(places, "MODULES", str(file))
    file.write_text("ext4 1000 1 - Live 0x0\n")
    first = fingerprint()
    file.write_text("ext4 1000 2 - Live 0x0\n")
    assert fingerprint() == first


def test_the_limit_of_locked_memory_changes_it() -> None:
    before = fingerprint()
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, hard))
    try:
        assert fingerprint() != before
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))


@pytest.mark.root
def test_another_user_has_another(as_nobody: Callable[[str], Any]) -> None:
    asked = as_nobody("import json, toolkit.host; print(json.dumps(toolkit.host.fingerprint()))")
    assert f"uid {os.geteuid()}" not in asked.splitlines()
    assert "CapEff: 0000000000000000" in asked.splitlines()
