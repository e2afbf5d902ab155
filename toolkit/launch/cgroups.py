"""A run's cgroup: made before the tool starts, joined by it before exec, read while it runs, emptied at its end.

One in each hierarchy that the plan's enforcement names; in cgroup v2 and in a systemd scope that is a single one. The
files are those of the kernel's documentation (admin-guide/cgroup-v2 and cgroup-v1/memory, pids).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from toolkit.command import capture_command
from toolkit.errors import StateError
from toolkit.launch.bounds import SOFT, Usage
from toolkit.launch.processes import owner_lives, signal_process
from toolkit.runs import Enforcement, Limits, Means

PREFIX = "toolkit-"  # of a cgroup's name; the run's mark follows
SCOPE = ".scope"
PERIOD = 100_000  # microseconds for which a CPU quota is given
EMPTYING = 5.0  # seconds for which processes that keep forking are chased
REMOVING = 1.0  # seconds until an empty cgroup is gone
SCOPE_PATIENCE = 3.0  # seconds that systemd gets to move the tool
SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


class Group:
    """The cgroup of one run, by its mark; nothing is made before `make` or `join`."""

    def __init__(self, enforcement: Enforcement, mark: str) -> None:
        self._scope = enforcement.means is Means.SCOPE
        self.name = f"{PREFIX}{mark}{SCOPE if self._scope else ''}"
        self.folders = {controller: f"{place}/{self.name}" for controller, place in enforcement.folders.items()}
        memory = self.folders.get("memory", "")
        # A scope is of whichever version systemd uses; in v2 all controllers share a folder.
        self._version = 1 if enforcement.means is Means.CGROUP1 or "cpuacct" in self.folders else 2
        self._memory = memory

    def make(self, limits: Limits) -> None:
        """Make it and set its limits. Raises StateError: then nothing is left of it."""
        if not limits.cpu:  # the fewer hierarchies are joined, the less there is to make and remove
            self.folders = {name: folder for name, folder in self.folders.items() if name in ("memory", "pids")}
        if self._scope:
            return
        try:
            for folder in sorted(set(self.folders.values())):
                if self._version == 2:
                    self._divide(os.path.dirname(folder))
                os.mkdir(folder, 0o755)
            self._set(limits)
        except OSError as error:
            self.remove()
            raise StateError(f"no cgroup could be made: {error.strerror} ({error.filename})") from error

    def _divide(self, parent: str) -> None:
        missing = self.folders.keys() - set(_text(f"{parent}/cgroup.subtree_control").split())
        for controller in sorted(missing):
            _write(f"{parent}/cgroup.subtree_control", f"+{controller}")

    def _set(self, limits: Limits) -> None:
        for controller, file, value, wanted in list_settings(limits, self._version):
            folder = self.folders.get(controller)
            if folder is None:
                continue
            try:
                _write(f"{folder}/{file}", value)
            except OSError:
                if wanted:
                    raise

    def join(self, limits: Limits) -> None:
        """Put the calling process in: in the tool's own, before exec. Raises OSError."""
        if self._scope:
            return self._ask_systemd(limits)
        # Before it moves a process, the kernel waits until every CPU has seen that, 5 to 20 ms; a thread that moves
        # itself waits for nobody (cgroup_procs_write_start, commit 9a3284fad42f). Only v1 lets one go alone, and this
        # process has no other.
        file = "tasks" if self._version == 1 else "cgroup.procs"
        for folder in set(self.folders.values()):
            _write(f"{folder}/{file}", "0")
        return None

    def _ask_systemd(self, limits: Limits) -> None:
        """Have systemd make a scope of this process; what it does not take, it refuses as a whole."""
        asked = capture_command(scope_call(self.name, os.getpid(), limits), seconds=SCOPE_PATIENCE)
        if not (asked.ok and _wait(lambda: self.holds(os.getpid()))):
            return  # the keeper sees that it is not held, and watches it
        with suppress(OSError):  # as one: what is left of a tool whose child was killed is of no use
            _write(f"{self._memory}/memory.oom.group", "1")

    def holds(self, pid: int) -> bool:
        """Whether a process is in it."""
        return self.name in _text(f"/proc/{pid}/cgroup")

    def read(self) -> Usage:
        """What its processes use now; what cannot be read is 0."""
        pids, counted = self.folders.get("pids", ""), self.folders.get("cpuacct", "")
        memory, oom = (self._read_version1 if self._version == 1 else self._read_version2)()
        cpu = _number(_text(f"{counted}/cpuacct.usage")) / 1e9 if counted else 0.0
        if self._version == 2:
            cpu = _field(f"{self._memory}/cpu.stat", "usage_usec") / 1e6
        return Usage(
            memory=memory,
            tasks=_number(_text(f"{pids}/pids.current")),
            cpu=cpu,
            killed=oom,
            refused=_field(f"{pids}/pids.events", "max") > 0,
        )

    def _read_version1(self) -> tuple[int, bool]:
        used = _number(_text(f"{self._memory}/memory.usage_in_bytes"))
        # A kill counts here for whatever reason the kernel was out of memory, and failcnt not every failure (seen on
        # 6.18, where swap is limited too): that it came up to the limit tells.
        killed = _field(f"{self._memory}/memory.oom_control", "oom_kill") > 0
        most, limit = (_number(_text(f"{self._memory}/memory.{one}_in_bytes")) for one in ("max_usage", "limit"))
        return used - self._cache("total_"), killed and most >= limit * SOFT

    def _read_version2(self) -> tuple[int, bool]:
        used = _number(_text(f"{self._memory}/memory.current"))
        events = f"{self._memory}/memory.events"
        return used - self._cache(""), _field(events, "oom_kill") > 0 and _field(events, "oom") > 0

    def _cache(self, prefix: str) -> int:
        """Bytes of files that the kernel gives back under pressure: no reason to stop anything."""
        stat = f"{self._memory}/memory.stat"
        return sum(_field(stat, f"{prefix}{kind}_file") for kind in ("inactive", "active"))

    def list_processes(self) -> tuple[int, ...]:
        """Whoever is in it and in our PID namespace; the kernel lists the others as 0."""
        lines = [_text(f"{folder}/cgroup.procs").split() for folder in set(self.folders.values())]
        return tuple(sorted({int(pid) for pids in lines for pid in pids} - {0}))

    def kill(self) -> None:
        """Kill whoever is in it, until nobody is."""
        end = time.monotonic() + EMPTYING
        while (left := self.list_processes()) and time.monotonic() < end:
            with suppress(OSError):  # since Linux 5.14
                _write(f"{self._memory}/cgroup.kill", "1")
            with suppress(OSError):  # nobody forks away between being listed and being killed
                _write(f"{self.folders.get('pids', self._memory)}/pids.max", "0")
            for which in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left:
                    signal_process(pid, which)
            time.sleep(0.01)

    def remove(self) -> bool:
        """Have the empty cgroup gone; whether it is. The kernel takes a moment to see that it is empty."""
        if not self._scope:
            return _wait(self._remove_folders)
        # Systemd removes the cgroup of a scope that is empty. One that we removed it might make again, for ever.
        if _wait(self._is_gone):
            return True
        capture_command(("busctl", "call", "--quiet", *SYSTEMD, "StopUnit", "ss", self.name, "replace"))
        return _wait(self._is_gone)

    def _is_gone(self) -> bool:
        return not any(os.path.exists(folder) for folder in self.folders.values())

    def _remove_folders(self) -> bool:
        for folder in set(self.folders.values()):
            with suppress(OSError):
                os.rmdir(folder)
        return self._is_gone()


def _wait(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + REMOVING
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def list_settings(limits: Limits, version: int) -> tuple[tuple[str, str, str, bool], ...]:
    """What holds these limits: controller, file, value, and whether a run is not held without it."""
    memory, quota = limits.memory_bytes, int(limits.cpu / 100 * PERIOD)
    if version == 1:
        return (
            ("memory", "memory.limit_in_bytes", str(memory), True),
            ("memory", "memory.memsw.limit_in_bytes", str(memory), False),
            ("pids", "pids.max", str(limits.processes or "max"), True),
            *((("cpu", "cpu.cfs_quota_us", str(max(quota, 1000)), True),) if quota else ()),
        )
    return (
        ("memory", "memory.max", str(memory), True),
        # Above it the kernel slows the tool down, so that it can still be asked for its maps.
        ("memory", "memory.high", str(int(memory * SOFT)), False),
        ("memory", "memory.swap.max", "0", False),
        ("memory", "memory.oom.group", "1", False),
        ("pids", "pids.max", str(limits.processes or "max"), True),
        *((("cpu", "cpu.max", f"{max(quota, 1000)} {PERIOD}", True),) if quota else ()),
    )


def scope_call(name: str, pid: int, limits: Limits) -> tuple[str, ...]:
    """The call of systemd's StartTransientUnit that puts a process in a scope with these limits."""
    properties: list[tuple[str, str, str]] = [
        ("Description", "s", "a run of toolkit"),
        ("MemoryMax", "t", str(limits.memory_bytes)),
        ("MemorySwapMax", "t", "0"),
        ("MemoryHigh", "t", str(int(limits.memory_bytes * SOFT))),
        *([("TasksMax", "t", str(limits.processes))] if limits.processes else []),
        *([("CPUQuotaPerSecUSec", "t", str(int(limits.cpu * 10_000)))] if limits.cpu else []),
    ]
    flat = [word for one in properties for word in one]
    return (
        *("busctl", "call", "--quiet", *SYSTEMD, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail"),
        *(str(len(properties) + 1), "PIDs", "au", "1", str(pid), *flat, "0"),
    )


def remove_dead(enforcement: Enforcement) -> None:
    """Empty and remove the cgroups of runs whose launcher and keeper were both killed, beside where a new one goes."""
    for name in sorted({name for place in set(enforcement.folders.values()) for name in _list_groups(place)}):
        mark = name.removeprefix(PREFIX).removesuffix(SCOPE)
        if not owner_lives(mark):
            group = Group(enforcement, mark)
            group.kill()
            group.remove()


def _list_groups(place: str) -> list[str]:
    try:
        return [name for name in os.listdir(place) if name.startswith(PREFIX)]
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _field(path: str, name: str) -> int:
    """The number behind a name in a flat keyed file; 0 where there is none."""
    lines = (line.split() for line in _text(path).splitlines())
    return next((_number(line[1]) for line in lines if len(line) > 1 and line[0] == name), 0)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)
