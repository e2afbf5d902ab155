"""The process between the launcher and the tool, which makes sure that nothing of the tool outlives the run.

It is forked before the tool starts, in a session of its own, so that neither ^C nor a closed terminal reaches it. It
keeps the deadline, climbs the ladder SIGINT, SIGTERM, SIGKILL, and adopts what the tool leaves behind
(PR_SET_CHILD_SUBREAPER), so that a tool that forks or daemonizes is still found. When the launcher dies, the pipe
between them closes, and the keeper stops the tool; when the keeper dies, the kernel kills the tool
(PR_SET_PDEATHSIG).

The launcher writes one byte an order (`Order`), and reads one line an event: `started PID`, `stopping WHY`,
`ended STATUS` (negative for a signal), `failed ERRNO`, `stuck`.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from enum import Enum

from toolkit.runs import Plan

MARK = "TOOLKIT_RUN"  # the variable by which a run's processes know each other
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

TERM_PATIENCE = 2.0  # seconds between SIGTERM and SIGKILL
KILL_PATIENCE = 10.0  # seconds after SIGKILL until we stop waiting
ORPHAN_GRACE = 3.0  # seconds after SIGINT when the launcher is gone: nobody reads what the tool still prints
LEFTOVER_PATIENCE = 0.5  # seconds that what a tool left behind gets between SIGTERM and SIGKILL
SWEEP_PATIENCE = 5.0  # seconds for which children that keep forking are chased


class Order(bytes, Enum):
    """What the launcher can ask: the first stop signal, and the harder ones at once."""

    STOP = b"s"
    TERMINATE = b"t"
    KILL = b"k"


STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
STEP_OF = {Order.STOP: 0, Order.TERMINATE: 1, Order.KILL: 2}


@dataclass
class Ladder:
    """Which of STEPS comes next, and when (monotonic seconds)."""

    at: float
    step: int = 0

    def climb(self, order: Order, now: float) -> None:
        """Take the step of this order now, unless it is already behind."""
        wanted = STEP_OF[order]
        if wanted >= self.step:
            self.step, self.at = wanted, now

    @property
    def started(self) -> bool:
        """Whether a signal has been sent."""
        return self.step > 0

    @property
    def over(self) -> bool:
        """Whether there is nothing harder left to send."""
        return self.step == len(STEPS)


_libc = ctypes.CDLL(None, use_errno=True)


def keep_tool(plan: Plan, mark: str, orders: int, events: int, stdout: int, stderr: int) -> None:
    """Run as the keeper until the tool and all it started are gone. Does not return values: it writes events."""
    os.setsid()
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    try:
        tool = _start_tool(plan, mark, stdout, stderr)
    except OSError as error:
        _tell(events, f"failed {error.errno or 0}")
        return
    os.close(stdout)
    os.close(stderr)
    _tell(events, f"started {tool.pid}")
    if not _watch(plan, tool, orders, events, wake_read):
        _tell(events, "stuck")
        return
    sweep_descendants()
    _tell(events, f"ended {tool.returncode}")


def _start_tool(plan: Plan, mark: str, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    keeper = os.getpid()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:  # the keeper died before prctl took effect
            os._exit(1)
        for changed in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(changed, signal.SIG_DFL)
        os.nice(plan.limits.nice)

    return subprocess.Popen(
        plan.argv,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**plan.env, MARK: mark},
        process_group=0,
        # Unsafe with threads; the keeper has one, and nothing but prctl(2) can say PR_SET_PDEATHSIG.
        preexec_fn=prepare,  # noqa: PLW1509
    )


def _watch(plan: Plan, tool: subprocess.Popen[bytes], orders: int, events: int, wake: int) -> bool:
    """Wait for the tool's end; send the signals of the ladder when their time has come.

    False when even SIGKILL does not end it: it sleeps in the kernel, uninterruptibly.
    """
    ladder = Ladder(at=time.monotonic() + plan.deadline)
    why = "deadline"
    poller = select.poll()
    poller.register(orders, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while tool.poll() is None:
        now = time.monotonic()
        if ladder.over and now >= ladder.at:
            return False
        if now >= ladder.at:
            if not ladder.started:
                _tell(events, f"stopping {why}")
            sent = STEPS[ladder.step]
            _signal_group(tool.pid, sent)
            ladder.step += 1
            ladder.at = now + _patience_after(sent, plan, why)
            continue
        for descriptor, _ in poller.poll(int(min(ladder.at - now, 60.0) * 1000) + 1):
            data = os.read(descriptor, 4096)
            if descriptor == wake:
                continue
            if not data:
                poller.unregister(orders)
                data = Order.STOP
                why = "orphaned"
                if ladder.started:  # the grace that it was given was for somebody who reads what it prints
                    ladder.at = min(ladder.at, time.monotonic() + ORPHAN_GRACE)
            elif not ladder.started:
                why = "order"
            for byte in data:
                ladder.climb(Order(bytes((byte,))), time.monotonic())
    return True


def _patience_after(sent: signal.Signals, plan: Plan, why: str) -> float:
    if sent is signal.SIGKILL:
        return KILL_PATIENCE
    if sent is signal.SIGTERM:
        return TERM_PATIENCE
    return min(ORPHAN_GRACE, plan.limits.grace) if why == "orphaned" else plan.limits.grace


def _signal_group(group: int, which: signal.Signals) -> None:
    try:
        os.killpg(group, which)
    except (ProcessLookupError, PermissionError):  # gone, or a setuid program that we may not signal
        return


def sweep_descendants() -> None:
    """End whatever the tool left behind: the kernel made all of it children of the keeper, its subreaper."""
    end = time.monotonic() + SWEEP_PATIENCE
    for pid in list_descendants(os.getpid()):
        _signal_process(pid, signal.SIGTERM)
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
                    _signal_process(pid, which)
        time.sleep(0.01)


def sweep_marked(mark: str) -> None:
    """Kill every process that has this mark in its environment, until none is left: for when the keeper is gone."""
    end = time.monotonic() + SWEEP_PATIENCE
    while time.monotonic() < end:
        left = _list_marked(f"{MARK}={mark}".encode())
        if not left:
            return
        for pid in left:
            _signal_process(pid, signal.SIGKILL)
        time.sleep(0.01)


def _list_marked(setting: bytes) -> list[int]:
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                marked = setting in file.read().split(b"\0")
        except OSError:
            continue
        if marked and _read_stat(int(name))[0] not in (b"", b"Z"):
            found.append(int(name))
    return found


def _signal_process(pid: int, which: signal.Signals) -> None:
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
    return tuple(pid for pid in found if _read_stat(pid)[0] not in (b"", b"Z"))


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


def _read_stat(pid: int) -> tuple[bytes, int]:
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
            state, parent = _read_stat(int(name))
            if state not in (b"", b"Z"):
                children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    queue = [ancestor]
    while queue:
        below = children.pop(queue.pop(), [])
        found += below
        queue += below
    return tuple(found)


def _tell(events: int, line: str) -> None:
    try:
        os.write(events, line.encode() + b"\n")
    except OSError:
        return  # the launcher is gone; there is nobody to tell
