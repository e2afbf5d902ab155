"""The process that outlives launcher and keeper when both are killed at once, and ends what then is left of the run.

It does nothing but wait: the keeper alone holds the other end of its pipe, and writes a byte when all is in order. A
pipe that closes without one means that the keeper was killed. The kernel then ends the tool itself, but not what the
tool forked away.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from toolkit.launch.cgroups import Group, remove_dead
from toolkit.launch.leftovers import remove_events
from toolkit.launch.processes import MARK, WARDEN, list_marked, name_process, sweep_marked
from toolkit.runs import Means, Plan

IN_ORDER = b"."


def fork_warden(plan: Plan, mark: str, watched: int) -> int:
    """Fork it; returns its PID. It has the pipe `watched`, of which the keeper alone holds the other end."""
    pid = os.fork()
    if pid == 0:
        try:
            detach_descriptors((watched,))
            os.setsid()
            name_process(WARDEN)
            for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(ignored, signal.SIG_IGN)
            with suppress(OSError):
                remove_dead(plan.enforcement)  # of earlier runs: nobody waits for the warden
            if os.read(watched, 1) != IN_ORDER:
                bury_run(plan, mark)
        finally:
            os._exit(0)
    os.close(watched)
    return pid


def bury_run(plan: Plan, mark: str) -> None:
    """End whatever is left of a run whose keeper was killed."""
    pids = list_marked(f"{MARK}={mark}".encode())
    sweep_marked(mark)
    if plan.enforcement.means is not Means.WATCHING:
        group = Group(plan.enforcement, mark)
        group.kill()
        group.remove()
    remove_events(pids)


def detach_descriptors(kept: tuple[int, ...]) -> None:
    """In a process of a run's own: let go of the terminal, of the recording, and of the launcher's ends of the pipes.

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
