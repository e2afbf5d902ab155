"""A second process of our own, for work in Python that would keep this one's threads waiting: asked over pipes.

It is forked, so it must begin before any thread does. ^C and its like are for the first process to act on; when that
ends, by whatever means, the kernel ends the second one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

_LENGTH = 8  # bytes that say how many follow


class Second:
    """Asks the second process one thing at a time; for one thread."""

    def __init__(self, asked: BinaryIO, said: BinaryIO) -> None:
        self._asked = asked
        self._said = said

    def ask(self, question: bytes) -> bytes | None:
        """Its answer, or None when it has none or is gone."""
        with suppress(OSError, ValueError):  # its end is closed, or ours is
            _send(self._asked, question)
            return _receive(self._said) or None
        return None

    def close(self) -> None:
        """Let go of the pipes; what is asked afterwards has no answer."""
        with suppress(BrokenPipeError):  # something that it had no time to read
            self._asked.close()
        self._said.close()


@contextmanager
def second_process(answer: Callable[[bytes], bytes]) -> Iterator[Second | None]:
    """Have a process that answers while the block runs; gives None where none can be started.

    What `answer` raises is no answer. The end of the block ends it, whatever it is at.
    """
    parent = os.getpid()
    try:
        (asked_read, asked_write), (said_read, said_write) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
    except OSError:  # no processes or descriptors are left; the pipes go with us
        yield None
        return
    if pid == 0:
        try:
            _detach(parent, (asked_read, said_write))
            with open(asked_read, "rb") as asked, open(said_write, "wb") as said:
                _serve(asked, said, answer)
        finally:
            os._exit(0)
    os.close(asked_read)
    os.close(said_write)
    second = Second(open(asked_write, "wb"), open(said_read, "rb"))  # noqa: SIM115
    try:
        yield second
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        second.close()  # now: a thread that waits for an answer has met its end


def _detach(parent: int, kept: tuple[int, ...]) -> None:
    """In the child: the kernel ends it when we die; it has no terminal, and leaves signals to us."""
    from toolkit.launch.processes import end_with_parent
    from toolkit.launch.warden import detach_descriptors

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_with_parent(parent)
    detach_descriptors(kept)


def _serve(asked: BinaryIO, said: BinaryIO, answer: Callable[[bytes], bytes]) -> None:
    while question := _receive(asked):
        try:
            found = answer(question)
        except Exception:  # noqa: BLE001 - who asked does it himself then, and meets the error where it can be told
            found = b""
        _send(said, found)


def _send(pipe: BinaryIO, data: bytes) -> None:
    pipe.write(len(data).to_bytes(_LENGTH))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: BinaryIO) -> bytes:
    """What was sent, empty when the other end is gone."""
    head = pipe.read(_LENGTH)
    return pipe.read(int.from_bytes(head)) if len(head) == _LENGTH else b""
