"""Processes that cannot be killed, because they sleep in the kernel: the launcher ends all the same, and names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.test_supervise import run
from tests.support.disks import freeze_disk
from tests.support.plans import plan_for
from tests.support.processes import find_marked
from tests.support.waiting import wait_until
from toolkit.cli.narrate import describe_end, describe_trouble
from toolkit.runs import Outcome

pytestmark = pytest.mark.root

# Writes to a frozen file system, after it has started a child in a session of its own, or lets a child do so.
WRITES = "open({file!r}, 'w')"
ITSELF = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {mark!r}], start_new_session=True)
print("started", flush=True)
{writes}
"""
CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {writes!r}, {mark!r}])
time.sleep(0.5)
print("its map", flush=True)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper is forked from this process: it waits as long as is said here."""
    monkeypatch.setattr("toolkit.launch.keeper.TERM_PATIENCE", 0.1)
    monkeypatch.setattr("toolkit.launch.keeper.KILL_PATIENCE", 0.3)
    monkeypatch.setattr("toolkit.launch.processes.SWEEP_PATIENCE", 0.8)
    monkeypatch.setattr("toolkit.launch.cgroups.EMPTYING", 0.3)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"mark-{tmp_path.name}-{os.getpid()}"


@pytest.fixture
def frozen(tmp_path: Path, mark: str) -> Iterator[str]:
    with freeze_disk(tmp_path / "frozen") as disk:
        yield str(disk / "file")
    assert wait_until(lambda: find_marked(mark) == [])  # what was killed in its sleep dies on waking up


def test_a_tool_that_cannot_be_killed_is_named_and_what_it_started_is_ended(frozen: str, mark: str) -> None:
    code = ITSELF.format(mark=mark, writes=WRITES.format(file=frozen))
    plan = plan_for(sys.executable, "-c", code, mark, deadline=0.5, grace=0.1)
    result, collected = run(plan)
    assert (result.outcome, result.status, result.tool_status) == (Outcome.FAILED, 125, None)
    assert result.left == tuple(find_marked(mark))
    assert len(result.left) == 1
    assert collected.stdout == b"started\n"
    assert f"process {result.left[0]} sleeps in the kernel and cannot be killed" in describe_end(result)
    (warning,) = describe_trouble(plan, result, "")
    assert f"cat /proc/{result.left[0]}/stack" in warning


def test_a_child_that_cannot_be_killed_is_named_beside_how_the_tool_ended(frozen: str, mark: str) -> None:
    code = CHILD.format(mark=mark, writes=WRITES.format(file=frozen))
    plan = plan_for(sys.executable, "-c", code, mark)
    result, collected = run(plan)
    assert (result.outcome, result.status, result.left) == (Outcome.ENDED, 0, tuple(find_marked(mark)))
    assert collected.stdout == b"its map\n"
    assert any("cannot be killed" in warning for warning in describe_trouble(plan, result, ""))
