"""The processes of a run, as /proc shows them: found by descent from the keeper or by the run's mark, and ended."""

from __future__ import annotations

import os
import signal
import time

MARK = "TOOLKIT_RUN"  # the variable by which a run's processes know each other

LEFTOVER_PATIENCE = 0.5  # seconds that what a tool left behind gets between SIGTERM and SIGKILL
SWEEP_PATIENCE = 5.0  # seconds for which children that keep forking are chased


def signal_group(group: int, which: signal.Signals) -> None:
    """Signal a process group; that it is gone, or a setuid program that we may not signal, is no failure."""
    try:
        os.killpg(group, which)
    except (ProcessLookupError, PermissionError):
        return


def sweep_descendants() -> None:
    """End whatever the tool left behind: the kernel made all of it children of the keeper, its subreaper."""
    end = time.monotonic() + SWEEP_PATIENCE
    for pid in list_descendants(os.getpid()):
        signal_process(pid, signal.SIGTERM)
    softly_until = time.monotonic() + LEFTOVER_PATIENCE
    while time.monotonic() < end:
        _reap_children()
        left = list_descendants(os.getpid())
        if not left:
            return
        if time.monotonic() >= softly_until:
            # Stopped first, so that a fork bomb cannot run away between being listed and being killed.
            for which in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left:
                    signal_process(pid, which)
        time.sleep(0.01)


def sweep_marked(mark: str) -> None:
    """Kill every process that has this mark in its environment, until none is left: for when the keeper is gone."""
    end = time.monotonic() + SWEEP_PATIENCE
    while time.monotonic() < end:
        left = list_marked(f"{MARK}={mark}".encode())
        if not left:
            return
        for pid in left:
            signal_process(pid, signal.SIGKILL)
        time.sleep(0.01)


def list_marked(setting: bytes) -> list[int]:
    """The living processes whose first environment holds this setting, `NAME=value`."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                marked = setting in file.read().split(b"\0")
        except OSError:
            continue
        if marked and read_stat(int(name))[0] not in (b"", b"Z"):
            found.append(int(name))
    return found


def signal_process(pid: int, which: signal.Signals) -> None:
    """Signal one process, if it is still there and we may."""
    try:
        os.kill(pid, which)
    except (ProcessLookupError, PermissionError):
        return


def _reap_children() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def list_descendants(ancestor: int) -> tuple[int, ...]:
    """The PIDs of all living descendants of a process, from /proc; zombies are left out."""
    found: list[int] = []
    queue = [ancestor]
    try:
        while queue:
            below = _read_children(queue.pop())
            found += below
            queue += below
    except FileNotFoundError:  # no CONFIG_PROC_CHILDREN
        return _scan_descendants(ancestor)
    return tuple(pid for pid in found if read_stat(pid)[0] not in (b"", b"Z"))


def _read_children(pid: int) -> list[int]:
    """The children of all threads of a process. Raises FileNotFoundError where the kernel does not list them."""
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return children
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children += map(int, file.read().split())
        except FileNotFoundError:
            if os.path.exists(f"/proc/{pid}/task/{thread}/stat"):
                raise
        except OSError:
            continue
    return children


def read_stat(pid: int) -> tuple[bytes, int]:
    """State letter and parent of a process; empty and 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command's name stands in parentheses and may itself hold spaces and parentheses.
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return b"", 0
    return state, int(parent)


def _scan_descendants(ancestor: int) -> tuple[int, ...]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            state, parent = read_stat(int(name))
            if state not in (b"", b"Z"):
                children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    queue = [ancestor]
    while queue:
        below = children.pop(queue.pop(), [])
        found += below
        queue += below
    return tuple(found)
