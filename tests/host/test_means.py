"""Which means hold a run's limits, read from folders that look like hosts of several kinds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.host.means import find_enforcement, read_membership, read_mounts
from toolkit.runs import Means

Write = Callable[..., Path]
TWO = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
ONE = (
    "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 23 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "34 23 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
)
ALL = "cpuset cpu io memory hugetlb pids rdma"


def host(write: Write, root: Path, mountinfo: str, cgroup: str) -> str:
    write(root, "/proc/self/mountinfo", mountinfo)
    write(root, "/proc/self/cgroup", cgroup)
    return str(root)


def group(write: Write, root: Path, path: str, *, given: str = "", processes: str = "", top: bool = False) -> None:
    folder = f"/sys/fs/cgroup{path}"
    write(root, f"{folder}/cgroup.controllers", ALL)
    write(root, f"{folder}/cgroup.subtree_control", given)
    write(root, f"{folder}/cgroup.procs", processes)
    if not top:
        write(root, f"{folder}/cgroup.type", "domain")


def test_a_run_goes_to_the_nearest_cgroup_that_gives_its_children_controllers(tmp_path: Path, write: Write) -> None:
    root = host(write, tmp_path, TWO, "0::/openrc.sshd/shell\n")
    group(write, tmp_path, "/openrc.sshd/shell", processes="42\n")
    group(write, tmp_path, "/openrc.sshd", given="cpu memory pids")
    group(write, tmp_path, "", given=ALL, top=True)
    found = find_enforcement(root)
    assert found.means is Means.CGROUP2
    assert set(found.folders.values()) == {f"{root}/sys/fs/cgroup/openrc.sshd"}
    assert found.why == "systemd does not run here"


def test_the_real_root_can_be_divided_although_processes_are_in_it(tmp_path: Path, write: Write) -> None:
    root = host(write, tmp_path, TWO, "0::/\n")
    group(write, tmp_path, "", processes="1\n42\n", top=True)
    assert set(find_enforcement(root).folders) == {"memory", "pids", "cpu"}


def test_the_root_of_a_container_cannot_while_processes_are_in_it(tmp_path: Path, write: Write) -> None:
    root = host(write, tmp_path, TWO, "0::/\n")
    group(write, tmp_path, "", processes="1\n")
    found = find_enforcement(root)
    assert found.means is Means.WATCHING
    assert "no cgroup v2 above this process can be divided by it" in found.why


def test_version_1_nests_below_our_own_cgroup_in_each_hierarchy(tmp_path: Path, write: Write) -> None:
    root = host(write, tmp_path, ONE, "4:pids:/\n3:cpu,cpuacct:/\n2:memory:/session\n1:name=systemd:/\n")
    for path in ("memory/session", "cpu,cpuacct", "pids"):
        write(tmp_path, f"/sys/fs/cgroup/{path}/cgroup.procs", "")
    found = find_enforcement(root)
    assert found.means is Means.CGROUP1
    assert found.folders["memory"] == f"{root}/sys/fs/cgroup/memory/session"
    assert found.folders["cpu"] == found.folders["cpuacct"] == f"{root}/sys/fs/cgroup/cpu,cpuacct"


def test_a_container_sees_its_part_of_a_hierarchy_as_the_whole(tmp_path: Path, write: Write) -> None:
    mounts = "31 23 0:27 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    root = host(write, tmp_path, mounts, "2:memory:/docker/ab\n")
    write(tmp_path, "/sys/fs/cgroup/memory/cgroup.procs", "")
    found = find_enforcement(root)
    assert found.folders == {"memory": f"{root}/sys/fs/cgroup/memory"}
    assert found.why.endswith("pids, cpu are only watched")


def test_a_hierarchy_of_which_another_part_is_mounted_is_not_ours(tmp_path: Path, write: Write) -> None:
    mounts = "31 23 0:27 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    root = host(write, tmp_path, mounts, "2:memory:/docker/abc\n")
    write(tmp_path, "/sys/fs/cgroup/memory/cgroup.procs", "")
    assert find_enforcement(root).means is Means.WATCHING


@pytest.mark.root
@pytest.mark.parametrize("mounts", [TWO, ONE])
def test_where_systemd_runs_it_makes_a_scope(mounts: str, tmp_path: Path, write: Write) -> None:
    root = host(write, tmp_path, mounts, "0::/user.slice\n")
    group(write, tmp_path, "", given=ALL, top=True)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    os.chmod(write(tmp_path, "/usr/bin/busctl", ""), 0o755)
    found = find_enforcement(root)
    assert (found.means, found.why) == (Means.SCOPE, "")
    assert found.folders["memory"].endswith("/system.slice")


def test_a_host_without_cgroups_is_watched(tmp_path: Path, write: Write) -> None:
    found = find_enforcement(host(write, tmp_path, "", ""))
    assert found.means is Means.WATCHING
    assert found.why == "systemd does not run here; cgroup v2 is not mounted; no cgroup v1 here can be written"


def test_this_host_has_means_or_says_why_not() -> None:
    found = find_enforcement()
    assert (found.means is Means.WATCHING) == (not found.folders)
    assert all(os.access(folder, os.W_OK) for folder in found.folders.values())
    assert found.means is Means.SCOPE or found.why


def test_mounts_and_membership_are_read_as_the_kernel_writes_them() -> None:
    assert [one.version for one in read_mounts(TWO + ONE)] == [2, 1, 1, 1, 1]
    assert read_mounts(ONE)[1].controllers == {"rw", "cpu", "cpuacct"}
    assert read_membership("3:cpu,cpuacct:/a:b\n0::/c\n") == {"cpu": "/a:b", "cpuacct": "/a:b", "": "/c"}
