"""`toolkit doctor --clean` after a crash: launcher, keeper and warden of a run killed at the same time."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Toolkit
from tests.launch.test_supervise import find_marked, wait_until
from tests.support.plans import fake_tool
from toolkit.host.means import find_enforcement
from toolkit.launch.cgroups import PREFIX
from toolkit.runs import Means

HERE = find_enforcement()
DRIVER = Path(__file__).parent.parent / "support" / "launch.py"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here"),
]


@pytest.fixture
def crash() -> Iterator[tuple[str, int]]:
    """A run that was torn down by SIGKILL: the mark of what its tool forked away, and the PID of its launcher."""
    mark = f"mark-{secrets.token_hex(6)}"
    command = (sys.executable, str(DRIVER), "600", "1", *fake_tool("forks", "daemons", mark))
    driver = subprocess.Popen(command, env={**os.environ, "HELD": "1"}, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"started\n"
    own = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    everybody = (driver.pid, *map(int, own))
    for which in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees the others die
        for pid in everybody:
            os.kill(pid, which)
    driver.communicate()
    yield mark, driver.pid
    for pid in find_marked(mark):
        os.kill(pid, signal.SIGKILL)


def find_groups(launcher: int) -> list[str]:
    folders = set(HERE.folders.values())
    return [name for place in folders for name in os.listdir(place) if name.startswith(f"{PREFIX}{launcher}.")]


def count_left(toolkit: Toolkit, launcher: int, *options: str) -> tuple[dict[str, int], bool, int]:
    """What doctor tells of this run's leftovers: how many by kind, whether all are removed, and its exit status."""
    done = toolkit("doctor", "--json", *options)
    own = [one for one in json.loads(done.stdout)["leftovers"] if one["leftover"]["mark"].startswith(f"{launcher}.")]
    kinds = [one["leftover"]["kind"] for one in own]
    return {kind: kinds.count(kind) for kind in kinds}, all(one["removed"] for one in own), done.returncode


def test_what_a_crash_left_is_found_then_removed_then_gone(toolkit: Toolkit, crash: tuple[str, int]) -> None:
    mark, launcher = crash
    assert wait_until(lambda: len(find_marked(mark)) == 2)  # the kernel ends the tool itself, not what it forked away
    assert find_groups(launcher)
    counts, removed, status = count_left(toolkit, launcher)
    assert (counts["process"], removed, status) == (2, False, 1)
    assert counts["cgroup"] >= 1

    cleaned, removed, _ = count_left(toolkit, launcher, "--clean")
    assert (cleaned, removed) == (counts, True)
    assert find_marked(mark) == []
    assert find_groups(launcher) == []
    assert count_left(toolkit, launcher)[0] == {}


def test_a_person_reads_what_was_left_and_what_removes_it(toolkit: Toolkit, crash: tuple[str, int]) -> None:
    mark, _ = crash
    assert wait_until(lambda: len(find_marked(mark)) == 2)
    pid = find_marked(mark)[0]
    told = toolkit("doctor").stdout
    assert f"a run that was killed left the process {pid}\n" in told
    assert "-> toolkit doctor --clean" in told
    assert f"a run that was killed left the process {pid}: removed\n" in toolkit("doctor", "--clean").stdout
    assert find_marked(mark) == []
