"""What a run prints for programs, one JSON object a line; and how anything is written to whoever reads our output."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable

import msgspec

from toolkit.errors import StateError
from toolkit.model import Value
from toolkit.output.frames import Frame
from toolkit.runs import NOBODY_READS, Plan, Result

ASK_EVERY = 100  # milliseconds
NO_OFFSET = -1  # to pwritev2(2): as write(2)
GiveUp = Callable[[], bool]


class StartEvent(Value, frozen=True, tag_field="event", tag="start", omit_defaults=False):
    """The first line of `run --json`."""

    shape: int
    plan: Plan
    recording: str


class OutputEvent(Value, frozen=True, tag_field="event", tag="output", omit_defaults=False):
    """What the tool printed, as it came; bytes that are no UTF-8 are replaced here, and kept in the recording."""

    stream: str
    text: str


class FrameEvent(Value, frozen=True, tag_field="event", tag="frame", omit_defaults=False):
    """A piece of stdout that was understood."""

    frame: Frame


class ResultEvent(Value, frozen=True, tag_field="event", tag="result", omit_defaults=False):
    """The last line of `run --json`."""

    result: Result


def emit(event: Value, give_up: GiveUp) -> str:
    """Print one of them; says why it could not be."""
    return write_all(1, msgspec.json.encode(event) + b"\n", give_up)


def never() -> bool:
    """A reader may take its time: nothing is running any more."""
    return False


def write_all(descriptor: int, data: bytes, give_up: GiveUp = never) -> str:
    """Write everything; says why it could not (a closed pipe, a lost terminal, a full disk), empty if it could.

    A write that blocks is tried again by Python after every signal (PEP 475), so a reader that has stopped reading
    would hold us for ever. Instead this waits until something can be written, writes no more than cannot block, and
    asks `give_up` in between. A file, or a device such as /dev/null, has no reader, and takes all at once.
    """
    rest = memoryview(data)
    write = _write_some if _has_reader(descriptor) else os.write
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    while rest:
        try:
            while not poller.poll(ASK_EVERY):
                if give_up():
                    return "nobody reads its output"
            rest = rest[write(descriptor, rest) :]
        except BlockingIOError:
            continue
        except BrokenPipeError:
            return NOBODY_READS
        except OSError as error:
            return f"its output cannot be written any more ({error.strerror})"
    return ""


def raise_problem(problem: str) -> None:
    """Raises BrokenPipeError where `write_all` says that the reader left, StateError where it says anything else."""
    if problem == NOBODY_READS:
        raise BrokenPipeError
    if problem:
        raise StateError(problem)


def _write_some(descriptor: int, data: memoryview) -> int:
    """Write as much as a reader has room for, of which poll(2) said that there is some."""
    try:
        return os.pwritev(descriptor, [data], NO_OFFSET, os.RWF_NOWAIT)
    except (BlockingIOError, BrokenPipeError):
        raise
    except OSError:  # a terminal, or a pipe before Linux 6.4: it has room for PIPE_BUF bytes
        return os.write(descriptor, data[: select.PIPE_BUF])


def _has_reader(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not stat.S_ISREG(mode) and not (stat.S_ISCHR(mode) and not os.isatty(descriptor))
