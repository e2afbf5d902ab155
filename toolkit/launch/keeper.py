"""The process between the launcher and the tool, which makes sure that nothing of the tool outlives the run.

It is forked before the tool starts, in a session of its own, so that neither ^C nor a closed terminal reaches it. It
keeps the deadline, climbs the ladder SIGINT, SIGTERM, SIGKILL, and adopts what the tool leaves behind
(PR_SET_CHILD_SUBREAPER), so that a tool that forks or daemonizes is still found. When the launcher dies, the pipe
between them closes, and the keeper stops the tool; when the keeper dies, the kernel kills the tool
(PR_SET_PDEATHSIG).

It puts the tool into a cgroup of the run's own and looks at what that uses a few times a second, or, where there is
none, at what the processes use (`Watch`). It is not in the cgroup itself: it must survive what happens there.

The launcher writes one byte an order (`Order`), and reads one line an event: `started PID`, `unheld WHY` (the cgroup
could not be had), `stopping WHY` (deadline, order, orphaned, or the name of a limit), `ended STATUS` (negative for a
signal), `failed ERRNO`, `left PIDS` (they sleep in the kernel, deaf even to SIGKILL), `stuck` (so does the tool).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec.structs import replace

from toolkit.errors import StateError
from toolkit.launch.bounds import Excess, Usage, find_excess
from toolkit.launch.cgroups import Group
from toolkit.launch.ladder import STEPS, Ladder, Order
from toolkit.launch.leftovers import remove_events
from toolkit.launch.processes import (
    KEEPER,
    MARK,
    end_with_parent,
    list_descendants,
    make_mark,
    name_process,
    signal_group,
    sum_usage,
    sweep_descendants,
)
from toolkit.launch.warden import IN_ORDER, detach_descriptors, fork_warden
from toolkit.launch.window import Window
from toolkit.model import Value
from toolkit.runs import Limits, Means, Plan

PR_SET_CHILD_SUBREAPER = 36

PIPE = 1 << 20  # bytes that a tool may be ahead of us: fewer turns of the loop when it floods
TERM_PATIENCE = 2.0  # seconds between SIGTERM and SIGKILL
KILL_PATIENCE = 10.0  # seconds after SIGKILL until we stop waiting
# The keeper needs the whole ladder at most; what it has not told by then, it never will.
KEEPER_PATIENCE = 30.0
ORPHAN_GRACE = 3.0  # seconds after SIGINT when the launcher is gone: nobody reads what the tool still prints

HELD_EVERY = 0.2  # seconds between two looks at a cgroup, which holds by itself
WATCHED_EVERY = 0.1  # … at processes that only we hold
UNWATCHED = 2  # times the memory limit that one process may allocate between two looks (RLIMIT_DATA)
OOM_SCORE = 500
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # by the launcher, which asks the tool to end


_libc = ctypes.CDLL(None, use_errno=True)


class Kept(Value, frozen=True):
    """A run that has been started: the processes that keep it, and the launcher's ends of their pipes."""

    plan: Plan
    mark: str  # every process of the tool inherits it, by which they are found when their keeper is gone
    started: float  # monotonic seconds
    keeper: int
    warden: int
    orders: int
    events: int
    stdout: int
    stderr: int


@contextmanager
def keep(plan: Plan) -> Iterator[Kept]:
    """Start a run. When the block is left, its keeper has ended, and the tool with it.

    What watches it is loaded while the tool starts; the signals that the launcher gets in the meantime wait for that,
    and are taken once `release_signals` was called.
    """
    kept = fork_keeper(plan, make_mark(), time.monotonic())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        yield kept
    finally:
        # Closing the orders is the keeper's sign to stop the tool, if an exception brought us here.
        os.close(kept.orders)
        reap_keeper(kept.keeper, kept.warden)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals() -> None:
    """Take the signals that came since the run was started, and all that follow."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT)


def fork_keeper(plan: Plan, mark: str, started: float) -> Kept:
    """Fork the keeper and its warden: in this order, as the tool waits for the keeper alone."""
    watched, held = os.pipe2(os.O_CLOEXEC)
    orders_read, orders_write = os.pipe2(os.O_CLOEXEC)
    events_read, events_write = os.pipe2(os.O_CLOEXEC)
    stdout_read, stdout_write = os.pipe2(os.O_CLOEXEC)
    stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC)
    theirs = (orders_read, events_write, stdout_write, stderr_write)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            detach_descriptors((*theirs, held))
            keep_tool(plan, mark, *theirs)
            os.write(held, IN_ORDER)
            status = 0
        finally:
            os._exit(status)
    os.close(held)
    for descriptor in theirs:
        os.close(descriptor)
    warden = fork_warden(plan, mark, watched)
    for descriptor in (stdout_read, stderr_read):
        with suppress(OSError):  # more than pipe-max-size allows this user
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)
    return Kept(
        plan=plan,
        mark=mark,
        started=started,
        keeper=pid,
        warden=warden,
        orders=orders_write,
        events=events_read,
        stdout=stdout_read,
        stderr=stderr_read,
    )


def reap_keeper(keeper: int, warden: int) -> None:
    """Wait for the keeper, which ends by itself, because its ladder has a last step; and for its warden."""
    _reap(keeper)
    with suppress(ChildProcessError):
        os.waitpid(warden, 0)


def _reap(keeper: int) -> None:
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
    name_process(KEEPER)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    group = _make_group(plan, mark, events)
    try:
        tool = _start_tool(plan, mark, group, stdout, stderr)
    except OSError as error:
        _tell(events, f"failed {error.errno or 0}")
        _end_group(group)
        return
    os.close(stdout)
    os.close(stderr)
    _tell(events, f"started {tool.pid}")
    if group and not group.holds(tool.pid) and tool.poll() is None:
        _tell(events, "unheld systemd made no scope")
        group = None
    watch = Watch(plan.limits, group)
    ended = _watch(plan, tool, watch, orders, events, wake_read)
    sweep_descendants()
    _end_group(group)
    left = list_descendants(os.getpid())
    if left:
        _tell(events, f"left {' '.join(map(str, left))}")
    if tool.pid in left:
        _tell(events, "stuck")
        return
    status = tool.returncode if ended else -signal.SIGKILL  # it woke up at last
    if status < 0:  # one that ends by itself has removed its probes
        remove_events(watch.pids | {tool.pid})
    _tell(events, f"ended {status}")


def _make_group(plan: Plan, mark: str, events: int) -> Group | None:
    if plan.enforcement.means is Means.WATCHING:
        return None
    group = Group(plan.enforcement, mark)
    try:
        group.make(plan.limits)
    except StateError as error:
        _tell(events, f"unheld {error.what}")
        return None
    return group


def _end_group(group: Group | None) -> None:
    if group:
        group.kill()
        group.remove()


def _start_tool(plan: Plan, mark: str, group: Group | None, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    keeper = os.getpid()

    def prepare() -> None:
        end_with_parent(keeper)
        if group:
            group.join(plan.limits)
        elif plan.limits.memory_bytes:
            most = plan.limits.memory_bytes * UNWATCHED
            with suppress(ValueError, OSError):  # the caller's own limit is lower
                resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        _offer_to_oom_killer()
        for changed in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(changed, signal.SIG_DFL)
        os.nice(plan.limits.nice)

    return subprocess.Popen(
        plan.argv,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=plan.folder or None,
        env={**plan.env, MARK: mark},
        process_group=0,
        # Unsafe with threads; the keeper has one, and nothing but prctl(2) can say PR_SET_PDEATHSIG.
        preexec_fn=prepare,  # noqa: PLW1509
    )


def _offer_to_oom_killer() -> None:
    """When the host itself runs out of memory, the tool goes before what it looks at, and before us."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "r+b", buffering=0) as file:
        file.write(b"%d" % max(int(file.read()), OOM_SCORE))


class Watch:
    """Looks at what the tool uses: at its cgroup's accounts, or at each of its processes."""

    def __init__(self, limits: Limits, group: Group | None) -> None:
        self._limits = limits
        self._group = group
        self._held = frozenset(group.folders) if group else frozenset[str]()
        self._cpu: Window[str] = Window()
        self.pids: set[int] = set()  # of what was signalled
        self.every = HELD_EVERY if {"memory", "pids"} <= self._held else WATCHED_EVERY

    def look(self, now: float) -> Excess | None:
        """The limit that is reached at this time (monotonic seconds), if there is one."""
        usage = self._group.read() if self._group else Usage()
        if not self._held >= {"memory", "pids"} or (self._limits.cpu and not usage.cpu):
            usage = _complete(usage, sum_usage(list_descendants(os.getpid()), self._limits.memory_bytes), self._held)
        self._cpu.add(now, {"cpu": usage.cpu})
        rate = self._cpu.rates().get("cpu", 0.0) if self._cpu.full else 0.0
        return find_excess(usage, rate, self._limits, self._held)


def _complete(usage: Usage, summed: Usage, held: frozenset[str]) -> Usage:
    """The accounts of a cgroup, and what it does not count from the processes."""
    return replace(
        usage,
        memory=usage.memory if "memory" in held else summed.memory,
        tasks=usage.tasks if "pids" in held else summed.tasks,
        cpu=usage.cpu or summed.cpu,
    )


def _watch(plan: Plan, tool: subprocess.Popen[bytes], watch: Watch, orders: int, events: int, wake: int) -> bool:
    """Wait for the tool's end; send the signals of the ladder when their time has come.

    False when even SIGKILL does not end it: it sleeps in the kernel, uninterruptibly.
    """
    ladder = Ladder(at=time.monotonic() + plan.deadline)
    why, look = "deadline", 0.0
    poller = select.poll()
    poller.register(orders, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while tool.poll() is None:
        now = time.monotonic()
        if now >= look:
            why = _act_on(watch.look(now), ladder, why, now)
            look = now + watch.every
        if ladder.over and now >= ladder.at:
            return False
        if now >= ladder.at:
            if not ladder.told:
                _tell(events, f"stopping {why}")
                ladder.told = True
            sent = STEPS[ladder.step]
            watch.pids |= {*list_descendants(os.getpid())}
            signal_group(tool.pid, sent)
            signal_group(tool.pid, signal.SIGCONT)  # one that is stopped would never see it
            ladder.step += 1
            ladder.at = now + _patience_after(sent, plan, why)
            continue
        for descriptor, _ in poller.poll(int(max(0.0, min(ladder.at, look) - now) * 1000) + 1):
            data = os.read(descriptor, 4096)
            if descriptor == orders:
                why = _obey(data, ladder, why)
                if not data:
                    poller.unregister(orders)
    # What ended it may have been the kernel, or what it gave up for: so short-lived that we never looked.
    excess = watch.look(time.monotonic())
    if excess and not ladder.started:
        _tell(events, f"stopping {excess.limit}")
    return True


def _obey(data: bytes, ladder: Ladder, why: str) -> str:
    """Take the launcher's orders, or its death, which is no data; gives the reason to stop."""
    now = time.monotonic()
    if not data:
        if ladder.started:  # the grace that it was given was for somebody who reads what it prints
            ladder.at = min(ladder.at, now + ORPHAN_GRACE)
        ladder.climb(Order.STOP, now)
        return "orphaned"
    begun = ladder.started
    for byte in data:
        ladder.climb(Order(bytes((byte,))), now)
    return why if begun else "order"


def _act_on(excess: Excess | None, ladder: Ladder, why: str, now: float) -> str:
    """Begin to stop a tool that is over a limit, or end it where the kernel does not hold it; gives the reason."""
    if excess is None:
        return why
    begun = ladder.started
    if excess.kill or not begun:
        ladder.climb(Order.KILL if excess.kill else Order.STOP, now)
    return why if begun else excess.limit


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
