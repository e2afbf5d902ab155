"""What killed runs leave is found and removed; what lives, or is not ours, is not touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.plans import fake_tool
from tests.support.waiting import wait_until
from toolkit.host.means import find_enforcement
from toolkit.launch.cgroups import Group
from toolkit.launch.leftovers import EVENT, Kind, find_events, find_leftovers, remove_leftover
from toolkit.launch.processes import MARK, make_mark
from toolkit.runs import Limits, Means

UPROBES = Path("/sys/kernel/tracing/uprobe_events")
HERE = find_enforcement()
DRIVER = Path(__file__).parent.parent / "support" / "launch.py"
DEAD = f"{2**22 - 3}.1.1"
SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(600)")


def find_names(kind: Kind) -> set[str]:
    return {one.name for one in find_leftovers() if one.kind is kind}


def test_a_marked_process_without_launcher_and_keeper_is_left_over() -> None:
    orphan = subprocess.Popen(SLEEP, env={MARK: DEAD})
    lively = subprocess.Popen(SLEEP, env={MARK: make_mark()})
    try:
        assert wait_until(lambda: str(orphan.pid) in find_names(Kind.PROCESS))
        assert str(lively.pid) not in find_names(Kind.PROCESS)
        left = next(one for one in find_leftovers() if one.name == str(orphan.pid))
        assert remove_leftover(left) == ""
        assert orphan.wait(5) == -signal.SIGKILL
        assert lively.poll() is None
    finally:
        for one in (orphan, lively):
            one.kill()
            one.wait()


@pytest.mark.parametrize("setting", ["", "hello", "1.2", "-1.2.3", "1.2.3.4.5x"])
def test_an_environment_that_only_looks_like_ours_is_not_touched(setting: str) -> None:
    stranger = subprocess.Popen(SLEEP, env={MARK: setting})
    try:
        time.sleep(0.05)
        assert str(stranger.pid) not in find_names(Kind.PROCESS)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.root
def test_a_process_of_another_user_is_not_ours() -> None:
    stranger = subprocess.Popen(SLEEP, env={MARK: DEAD}, user=65534)
    try:
        assert wait_until(lambda: b"time.sleep" in Path(f"/proc/{stranger.pid}/cmdline").read_bytes())
        assert str(stranger.pid) not in find_names(Kind.PROCESS)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.skipif(HERE.means is Means.WATCHING, reason="this user may make no cgroup here")
def test_a_cgroup_of_a_dead_run_is_emptied_and_removed() -> None:
    group = Group(HERE, DEAD)
    group.make(Limits())
    inside = subprocess.Popen(SLEEP, preexec_fn=lambda: group.join(Limits()))  # noqa: PLW1509
    try:
        assert set(group.folders.values()) <= find_names(Kind.CGROUP)
        for left in find_leftovers():
            if left.mark == DEAD:
                assert remove_leftover(left) == ""
        assert inside.wait(5) == -signal.SIGKILL
        assert not [folder for folder in group.folders.values() if Path(folder).exists()]
    finally:
        inside.kill()
        group.kill()
        group.remove()


needs_uprobes = pytest.mark.skipif(not os.access(UPROBES, os.W_OK), reason="uprobe_events cannot be written here")


@needs_uprobes
def test_an_event_of_a_dead_process_is_removed_and_one_of_a_living_is_not() -> None:
    tool = subprocess.Popen(fake_tool("probes"), stdout=subprocess.PIPE, text=True)
    assert tool.stdout is not None
    name = f"uprobes/{tool.stdout.readline().strip()}"
    try:
        assert name in UPROBES.read_text()
        assert name not in find_names(Kind.EVENT)
    finally:
        tool.kill()
        tool.communicate()
    (left,) = [one for one in find_events() if one.name == name]
    assert remove_leftover(left) == ""
    assert name not in UPROBES.read_text()
    assert remove_leftover(left) == ""


@needs_uprobes
def test_a_tool_that_had_to_be_killed_leaves_no_event() -> None:
    command = (sys.executable, str(DRIVER), "20", "0.2", *fake_tool("probes"))
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    name = driver.stdout.readline().strip()
    assert name in UPROBES.read_text()
    driver.kill()
    driver.communicate()
    assert wait_until(lambda: name not in UPROBES.read_text())


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        ("p:kprobes/p_vfs_read_bcc_1234 vfs_read", "1234"),
        ("r16:kprobes/r_vfs_read_bcc_1234 vfs_read", "1234"),
        ("p:kprobes/libbpf_77_vfs_read_0x0_0 vfs_read", "77"),
        ("p:kprobes/libbpf_77_0_vfs_read_0x0 vfs_read", "77"),
        ("p:uprobes/p__usr_bin_bash_0x1234_bcc_9 /usr/bin/bash:0x1234", "9"),
        ("p:kprobes/mine vfs_read", None),
        ("p:probes/p_x_bcc_1234x vfs_read", None),
        ("p:mygroup/p_vfs_read_bcc_1234 vfs_read", None),
    ],
)
def test_events_of_bcc_and_libbpf_name_their_process(line: str, pid: str | None) -> None:
    found = EVENT.match(line)
    assert (found and (found["bcc"] or found["libbpf"])) == pid
