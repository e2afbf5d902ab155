"""End runs of the register from outside: the launcher is asked as ^C would ask it, and waited for."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from toolkit.errors import NoSuchRun
from toolkit.launch.register import Entry, is_on, list_runs, list_strange

SLACK = 15.0  # seconds beyond the grace in which the keeper's ladder comes to its end
LOOK_EVERY = 0.05  # seconds
INSIST = 0.3  # seconds between two signals of the same number, which are one when the first was not yet seen


def find_runs(folder: Path, name: str) -> tuple[Entry, ...]:
    """The run of this name, of this beginning or end of it, or of this tool. Raises NoSuchRun."""
    runs = list_runs(folder)
    exact = tuple(one for one in runs if one.id == name)
    found = exact or tuple(one for one in runs if name and (one.id.startswith(name) or one.id.endswith(f"-{name}")))
    return found or tuple(one for one in runs if one.tool == name)


def find_run(folder: Path, name: str, strange: Path) -> Entry:
    """The one run that is meant; `strange` is the register in which root's runs are. Raises NoSuchRun."""
    found = find_runs(folder, name)
    if len(found) > 1:
        raise NoSuchRun(f"{name!r} could be any of {len(found)} runs", fix=" or ".join(one.id for one in found))
    if found:
        return found[0]
    others = tuple(one for one in list_strange(strange) if one == name or name in one.split("-")[1:])
    if others:
        raise NoSuchRun(f"{others[0]} is not your run, so it is not yours to touch", fix="try it as root, with sudo")
    raise NoSuchRun(
        f"no run {name!r} is on", fix="`toolkit ps` shows those that are, `toolkit recordings list` the others"
    )


class Launcher:
    """The process of one run. It is held by a descriptor, so that no other process can come in its place."""

    def __init__(self, folder: Path, entry: Entry) -> None:
        """Take hold of it. Raises NoSuchRun when it has just ended."""
        self._folder = folder
        self._entry = entry
        self._process = -1
        with suppress(OSError):  # it is gone, or Linux is older than 5.3
            self._process = os.pidfd_open(entry.pid)
        # Locked now, after the process was taken hold of: so it is that process.
        if not is_on(folder, entry):
            self.close()
            raise NoSuchRun(f"{entry.id} ended a moment ago", fix="`toolkit recordings show` tells how")

    def ask(self, *, now: bool) -> None:
        """Ask it to end. Raises NoSuchRun when it is not ours to ask.

        SIGTERM rather than SIGINT, which a job in the background of a script ignores; the tool gets SIGINT first
        either way. `now` skips the grace that it has to print what it counted.
        """
        self._signal()
        if now and not self.wait(INSIST):
            self._signal()

    def wait_for_end(self) -> bool:
        """Whether it ends in the time that its ladder of signals can take."""
        return self.wait(self._entry.grace + SLACK)

    def wait(self, seconds: float) -> bool:
        """Whether the run is over within this time; its launcher may go on with what a slow reader has to read."""
        end = time.monotonic() + seconds
        while is_on(self._folder, self._entry):
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(LOOK_EVERY, left))
        return True

    def close(self) -> None:
        """Let go of it."""
        if self._process >= 0:
            os.close(self._process)
            self._process = -1

    def _signal(self) -> None:
        try:
            if self._process >= 0:
                signal.pidfd_send_signal(self._process, signal.SIGTERM)
            else:
                os.kill(self._entry.pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        except PermissionError:
            raise NoSuchRun(
                f"{self._entry.id} is a run of another user, and not yours to stop", fix="try it as root, with sudo"
            ) from None
