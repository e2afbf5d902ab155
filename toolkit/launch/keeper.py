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

from toolkit.launch.processes import MARK, signal_group, sweep_descendants
from toolkit.runs import Plan

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

TERM_PATIENCE = 2.0  # seconds between SIGTERM and SIGKILL
KILL_PATIENCE = 10.0  # seconds after SIGKILL until we stop waiting
# The keeper needs the whole ladder at most; what it has not told by then, it never will.
KEEPER_PATIENCE = 30.0
ORPHAN_GRACE = 3.0  # seconds after SIGINT when the launcher is gone: nobody reads what the tool still prints


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


def fork_keeper(plan: Plan, mark: str) -> tuple[int, int, int, int, int]:
    """Fork the keeper; returns its PID and our ends: orders to write; events, stdout and stderr to read."""
    orders_read, orders_write = os.pipe2(os.O_CLOEXEC)
    events_read, events_write = os.pipe2(os.O_CLOEXEC)
    stdout_read, stdout_write = os.pipe2(os.O_CLOEXEC)
    stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC)
    theirs = (orders_read, events_write, stdout_write, stderr_write)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _detach_descriptors(theirs)
            keep_tool(plan, mark, *theirs)
            status = 0
        finally:
            os._exit(status)
    for descriptor in theirs:
        os.close(descriptor)
    return pid, orders_write, events_read, stdout_read, stderr_read


def _detach_descriptors(kept: tuple[int, ...]) -> None:
    """In the keeper: let go of the terminal, of the recording, and of our own ends of the pipes.

    A keeper that held the caller's stdout would keep `toolkit run … | head` waiting; one that held its own end of the
    orders would never see that the launcher died.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for standard in range(3):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the one that listed the folder


def reap_keeper(keeper: int) -> None:
    """Wait for the keeper; it ends by itself, because its ladder has a last step."""
    end = time.monotonic() + KEEPER_PATIENCE
    while time.monotonic() < end:
        try:
            if os.waitpid(keeper, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.002)
    os.kill(keeper, signal.SIGKILL)  # PR_SET_PDEATHSIG takes the tool with it
    os.waitpid(keeper, 0)


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
            signal_group(tool.pid, sent)
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


def _tell(events: int, line: str) -> None:
    try:
        os.write(events, line.encode() + b"\n")
    except OSError:
        return  # the launcher is gone; there is nobody to tell
