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
from tests.support.plans import fake_tool
from tests.support.processes import find_marked
from tests.support.waiting import wait_until
from toolkit.host.means import find_enforcement
from toolkit.launch.cgroups import PREFIX
from toolkit.runs import Means

HERE = find_enforcement()
DRIVER = Path(__file__).parent.parent / "support" / "launch.py"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here"),
]


@pytest.fixture(params=[False, True], ids=["watched", "in a cgroup"])
def crash(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A run that was torn down by SIGKILL: the mark of what its tool forked away, and the PID of its launcher."""
    mark = f"mark-{secrets.token_hex(6)}"
    command = (sys.executable, str(DRIVER), "600", "1", *fake_tool("forks", "daemons", mark))
    environ = {**os.environ, **({"HELD": "1"} if request.param else {})}
    driver = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"started\n"
    assert bool(find_groups(driver.pid)) == request.param
    own = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    everybody = (driver.pid, *map(int, own))
    for which in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees the others die
        for pid in everybody:
            os.kill(pid, which)
    driver.communicate()
    yield mark, driver.pid
    for pid in find_marked(mark):
        os.kill(pid, signal.SIGKILL)


def find_groups(launcher: int) -> set[str]:
    return {
        f"{place}/{name}"
        for place in set(HERE.folders.values())
        for name in os.listdir(place)
        if name.startswith(f"{PREFIX}{launcher}.")
    }


def diagnose(toolkit: Toolkit, launcher: int, *options: str) -> tuple[set[str], set[str], int]:
    """What doctor found of this run, what of that it removed, and its exit status."""
    done = toolkit("doctor", "--json", *options)
    own = [one for one in json.loads(done.stdout)["leftovers"] if one["leftover"]["mark"].startswith(f"{launcher}.")]
    names = {one["leftover"]["name"] for one in own}
    return names, {one["leftover"]["name"] for one in own if one["removed"]}, done.returncode


def find_left(mark: str, launcher: int) -> set[str]:
    return {*map(str, find_marked(mark)), *find_groups(launcher)}


def test_what_a_crash_left_is_found_then_removed_then_gone(toolkit: Toolkit, crash: tuple[str, int]) -> None:
    mark, launcher = crash
    # The kernel ends the tool itself. What is in a cgroup, the next run ends too, of whoever shares this machine.
    before = find_left(mark, launcher)
    found, removed, status = diagnose(toolkit, launcher)
    assert find_left(mark, launcher) <= found <= before
    assert removed == set()
    assert status == 1 or not found

    cleaned, removed, _ = diagnose(toolkit, launcher, "--clean")
    assert cleaned == removed <= found
    assert find_left(mark, launcher) == set()
    assert diagnose(toolkit, launcher)[0] == set()


@pytest.mark.parametrize("crash", [False], indirect=True)
def test_a_person_reads_what_was_left_and_what_removes_it(toolkit: Toolkit, crash: tuple[str, int]) -> None:
    mark, _ = crash
    assert wait_until(lambda: len(find_marked(mark)) == 2)
    pid = find_marked(mark)[0]
    told = toolkit("doctor").stdout
    assert f"a run that was killed left the process {pid}\n" in told
    assert "-> toolkit doctor --clean" in told
    assert f"a run that was killed left the process {pid}: removed\n" in toolkit("doctor", "--clean").stdout
    assert find_marked(mark) == []
