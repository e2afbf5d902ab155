"""A second process of our own, for work in Python that would keep this one's threads waiting: asked over pipes.

It is forked, so it must begin before any thread does. ^C and its like are for the first process to act on; when that
ends, by whatever means, the kernel ends the second one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from toolkit.launch.processes import forked

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
    with ExitStack() as ends:
        try:
            (asked_read, asked_write), (said_read, said_write) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
            second = Second(open(asked_write, "wb"), open(said_read, "rb"))  # noqa: SIM115
            ends.callback(second.close)  # after the process has ended: a thread that waits has met its end then
            ends.enter_context(forked(lambda: _serve(asked_read, said_write, answer)))
        except OSError:  # no processes or descriptors are left
            yield None
            return
        os.close(asked_read)
        os.close(said_write)
        yield second


def _serve(asked_end: int, said_end: int, answer: Callable[[bytes], bytes]) -> None:
    """In the child: it has no terminal, and leaves signals to us."""
    from toolkit.launch.warden import detach_descriptors

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    detach_descriptors((asked_end, said_end))
    with open(asked_end, "rb") as asked, open(said_end, "wb") as said:
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
    """What was sent, empty when the other end is gone, also in the middle of it."""
    head = pipe.read(_LENGTH)
    length = int.from_bytes(head)
    data = pipe.read(length) if len(head) == _LENGTH else b""
    return data if len(data) == length else b""
