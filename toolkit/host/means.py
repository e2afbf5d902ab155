"""By what means this host can hold a run within its limits: systemd, cgroups of either version, or nothing.

A run's cgroup is made as near below the launcher's own as the kernel allows, so that what a container, a session or a
slice may use bounds the run too. Only systemd's scopes lie elsewhere: that is where systemd keeps what is not a
service. See Control Groups version 2 in the kernel's documentation (cgroup-v2, "No Internal Process Constraint").
"""

from __future__ import annotations

import os

from msgspec.structs import replace

from toolkit.host.bpf import find_unmetered
from toolkit.model import Value
from toolkit.runs import Enforcement, Means

BOUND = ("memory", "pids", "cpu")  # the controllers that hold limits
COUNTED = "cpuacct"  # of v1: it only counts, and often shares a hierarchy with cpu
SYSTEMD = "/run/systemd/system"  # sd_booted(3)
BUSCTL = "/usr/bin/busctl"
SLICE = "/system.slice"
SLICE_UNKNOWN = "systemd has no cgroups here that we can see"


class Mount(Value, frozen=True, kw_only=False):
    """A mounted hierarchy: where, which part of it, and of v1 the controllers."""

    place: str
    root: str
    version: int
    controllers: frozenset[str]


def find_enforcement(root: str = "") -> Enforcement:
    """The best means of this host for this user, and why there is no better one. `root` is a folder to test with."""
    return replace(_find_means(root), unmetered=find_unmetered())


def _find_means(root: str) -> Enforcement:
    try:
        mounts = read_mounts(_read(f"{root}/proc/self/mountinfo"))
        own = read_membership(_read(f"{root}/proc/self/cgroup"))
    except OSError as error:
        return Enforcement(why=f"/proc tells no cgroups: {error.strerror}")
    reasons: list[str] = []
    for means, find in ((Means.SCOPE, _find_scopes), (Means.CGROUP2, _find_version2), (Means.CGROUP1, _find_version1)):
        folders, reason = find(root, mounts, own)
        if folders:
            lacking = [one for one in BOUND if one not in folders]
            reasons += [f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} only watched"] if lacking else []
            return Enforcement(means=means, folders=folders, why="; ".join(reasons))
        reasons.append(reason)
    return Enforcement(why="; ".join(reasons))


def read_mounts(mountinfo: str) -> tuple[Mount, ...]:
    """The cgroup hierarchies of /proc/PID/mountinfo, see proc(5)."""
    found: list[Mount] = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if " - cgroup" not in line or "-" not in fields:
            continue
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        controllers = frozenset(options.split(",")) if kind == "cgroup" else frozenset[str]()
        found.append(Mount(fields[4], fields[3], 2 if kind == "cgroup2" else 1, controllers))
    return tuple(found)


def read_membership(cgroup: str) -> dict[str, str]:
    """The cgroup of a process in each hierarchy, from /proc/PID/cgroup, by controller; that of v2 by an empty name."""
    found: dict[str, str] = {}
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _find_scopes(root: str, mounts: tuple[Mount, ...], _: dict[str, str]) -> tuple[dict[str, str], str]:
    if not os.path.isdir(root + SYSTEMD):
        return {}, "systemd does not run here"
    if os.geteuid() != 0:
        return {}, "only root gets a scope of systemd"
    if not os.access(root + BUSCTL, os.X_OK):
        return {}, f"there is no {BUSCTL} to ask systemd for a scope"
    folders: dict[str, str] = {}
    for mount in mounts:
        offered = mount.controllers
        if mount.version == 2:
            offered = frozenset(_words(f"{root}{mount.place}/cgroup.controllers"))
        if mount.root == "/":
            folders |= dict.fromkeys(offered & {*BOUND, COUNTED}, f"{root}{mount.place}{SLICE}")
    return folders, SLICE_UNKNOWN


def _find_version2(root: str, mounts: tuple[Mount, ...], own: dict[str, str]) -> tuple[dict[str, str], str]:
    mount = next((one for one in mounts if one.version == 2), None)
    if mount is None:
        return {}, "cgroup v2 is not mounted"
    top = root + mount.place
    if "memory" not in _words(f"{top}/cgroup.controllers"):
        return {}, "the controller memory is not one of cgroup v2"
    path = _below(mount, own.get("", ""))
    while path is not None:
        folder = top + path.rstrip("/")
        usable = [one for one in BOUND if one in _words(f"{folder}/cgroup.controllers")]
        if "memory" in usable and os.access(folder, os.W_OK) and _may_divide(folder, usable):
            return dict.fromkeys(usable, folder), ""
        path = path.rpartition("/")[0] if path.strip("/") else None
    return {}, "no cgroup v2 above this process can be divided by it"


def _may_divide(folder: str, controllers: list[str]) -> bool:
    """Whether a cgroup gives its children controllers, or can be made to: it is the root, or no process is in it."""
    if set(controllers) <= set(_words(f"{folder}/cgroup.subtree_control")):
        return True
    is_root = not os.path.exists(f"{folder}/cgroup.type")
    return os.access(f"{folder}/cgroup.subtree_control", os.W_OK) and (is_root or not _words(f"{folder}/cgroup.procs"))


def _find_version1(root: str, mounts: tuple[Mount, ...], own: dict[str, str]) -> tuple[dict[str, str], str]:
    folders: dict[str, str] = {}
    for mount in mounts:
        for controller in mount.controllers & {*BOUND, COUNTED}:
            path = _below(mount, own.get(controller, ""))
            folder = "" if path is None else f"{root}{mount.place}{path.rstrip('/')}"
            if folder and os.access(folder, os.W_OK):
                folders[controller] = folder
    return folders if folders.keys() & set(BOUND) else {}, "no cgroup v1 here can be written"


def _below(mount: Mount, path: str) -> str | None:
    """A cgroup's path below a mount, which may show only a part of the hierarchy."""
    if mount.root == "/":
        return path or None
    inside = path == mount.root or path.startswith(mount.root + "/")
    return path[len(mount.root) :] or "/" if inside else None


def _words(path: str) -> list[str]:
    try:
        return _read(path).split()
    except OSError:
        return []


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
