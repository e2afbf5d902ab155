"""The processes of a run, as /proc shows them: found by descent from the keeper or by the run's mark, and ended."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from toolkit.launch.bounds import SOFT, Usage

MARK = "TOOLKIT_RUN"  # the variable by which a run's processes know each other
MARK_FORM = re.compile(r"([0-9]{1,10})\.([0-9]{1,20})\.[0-9]{1,20}")
KEEPER = "toolkit-keeper"  # the name of the process that keeps a run's limits
WARDEN = "toolkit-warden"  # of the one that outlives it
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

# Where in the fields of `read_fields` they stand, see proc(5).
CPU = slice(11, 15)  # of itself and of the children that it has waited for
THREADS = 17
RSS = 21
TICKS = os.sysconf("SC_CLK_TCK")

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
    return [pid for pid, found in _list_settings(setting) if found == setting]


def list_marks() -> list[tuple[int, str]]:
    """Every living process of this user that belongs to a run, and the run's mark."""
    prefix = f"{MARK}=".encode()
    mine = ((pid, found) for pid, found in _list_settings(prefix) if _is_ours(pid))
    return [(pid, found.removeprefix(prefix).decode(errors="replace")) for pid, found in mine]


def _list_settings(prefix: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                settings = file.read().split(b"\0")
        except OSError:
            continue
        setting = next((one for one in settings if one.startswith(prefix)), b"")
        if setting and read_stat(int(name))[0] not in (b"", b"Z"):
            found.append((int(name), setting))
    return found


def _is_ours(pid: int) -> bool:
    """Whether it runs as this user: anybody can put anything into his own environment."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


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
    fields = read_fields(pid)
    return (fields[0], int(fields[1])) if len(fields) > 1 else (b"", 0)


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


def name_process(name: str) -> None:
    """Give this process a name of its own, 15 bytes at most, which ps(1) and top(1) show."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def end_with_parent(parent: int) -> None:
    """In a process that was just forked: the kernel kills it when the thread that forked it ends, or it ends now."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before prctl took effect
        os._exit(1)


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """Have a child of ours at work while the block runs; gives its PID. Raises OSError when there can be none.

    The end of the block ends it, whatever it is at; so does the kernel when the thread that forked it ends.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            end_with_parent(parent)
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def make_mark() -> str:
    """A mark that no other run has, and that tells whether its launcher lives: its PID, its start, a time."""
    pid = os.getpid()
    return f"{pid}.{read_start(pid)}.{time.monotonic_ns()}"


def owner_lives(mark: str) -> bool:
    """Whether the launcher of this mark still runs, or its keeper, whose name is all that we know of it."""
    form = MARK_FORM.fullmatch(mark)
    if not form:
        return True  # not a mark of ours: leave it alone
    pid, started = form.groups()
    if read_start(int(pid)) == int(started):
        return read_stat(int(pid))[0] not in (b"", b"Z")
    return any(_is_keeper_of(int(name), mark) for name in os.listdir("/proc") if name.isdigit())


def _is_keeper_of(pid: int, mark: str) -> bool:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            if file.read().rstrip("\n") != KEEPER:
                return False
    except OSError:
        return False
    marked = set(list_marked(f"{MARK}={mark}".encode()))
    return any(child in marked for child in list_descendants(pid))


def read_start(pid: int) -> int:
    """When a process started, in clock ticks after boot; 0 when it is gone. With its PID it is unique."""
    return int((read_fields(pid) or [b"0"] * 20)[19])


def read_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on, which is the state; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command's name stands in parentheses and may itself hold spaces and parentheses.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def sum_usage(pids: tuple[int, ...], enough: int) -> Usage:
    """What these processes use together; a page that several share counts once if the sum comes near `enough` bytes."""
    found = [fields for pid in pids if len(fields := read_fields(pid)) > RSS]
    memory = sum(int(fields[RSS]) for fields in found) * resource.getpagesize()
    if enough and memory >= enough * SOFT:
        memory = sum(map(read_share, pids))
    return Usage(
        memory=memory,
        tasks=sum(int(fields[THREADS]) for fields in found),
        cpu=sum(sum(map(int, fields[CPU])) for fields in found) / TICKS,
    )


def read_share(pid: int) -> int:
    """The memory of a process in bytes, each page divided by how many share it (PSS, since Linux 4.14)."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            line = next((line for line in file if line.startswith(b"Pss:")), b"Pss: 0")
    except OSError:
        return 0
    return int(line.split()[1]) * 1024
