"""Go on with a run in a process of its own, which neither the terminal nor the caller's end reaches.

The caller waits for one line from it: the run's name once the tool is at work, or why it is not.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

import msgspec

from toolkit.errors import DAMAGED, ToolkitError
from toolkit.model import Value

BUG = 70


class Told(Value, frozen=True):
    """What the process says: the run is on, or was until now; or what came in the way."""

    run: str = ""
    over: bool = False
    what: str = ""
    fix: str = ""
    status: int = 0
    warnings: tuple[str, ...] = ()


Tell = Callable[[Told], None]


def detach(work: Callable[[Tell], int]) -> Told:
    """Do this work in a process of its own; gives what it tells first."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        status = BUG
        try:
            os.close(ours)
            _leave()
            status = _work(work, theirs)
        finally:
            os._exit(status)
    os.close(theirs)
    try:
        with open(ours, "rb") as stream:
            line = stream.readline()
    except KeyboardInterrupt:  # whoever has no patience has not got its name either
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        raise
    try:
        return msgspec.json.decode(line, type=Told)
    except DAMAGED:
        return Told(what="the launcher ended before it could start the tool", status=ToolkitError.status)


def _leave() -> None:
    """A session of its own, and no descriptor of the caller's: a pipeline that it stands in may end."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)


def _work(work: Callable[[Tell], int], pipe: int) -> int:
    def tell(told: Told) -> None:
        nonlocal pipe
        if pipe < 0:
            return
        with suppress(OSError):  # the caller may be gone; the run goes on
            os.write(pipe, msgspec.json.encode(told) + b"\n")
        os.close(pipe)
        pipe = -1

    try:
        return work(tell)
    except ToolkitError as error:
        tell(Told(what=error.what, fix=error.fix, status=error.status))
        return error.status
    except Exception as error:  # noqa: BLE001  a bug of ours: the caller is the one who can show it
        tell(Told(what=f"this is a bug in toolkit: {type(error).__name__}: {error}", status=BUG))
        return BUG
