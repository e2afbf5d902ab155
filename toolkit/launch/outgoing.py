"""What we print: at once as much as its reader takes, and the rest, which is kept, when the reader takes more.

A write to a terminal that stands still (^S, an ssh connection that hangs) or to a pipe that nobody reads lasts as long
as that does: although poll(2) said that there is room, for there may be less than the write needs; and whatever signal
comes, since Python goes on with it (PEP 475). So terminals and pipes are opened anew with O_NONBLOCK. To set that on
the descriptor that we were given would set it for the shell, which has the same open file.
"""

from __future__ import annotations

import functools
import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable

from toolkit.model import Value
from toolkit.runs import NOBODY_READS

ASK_EVERY = 100  # milliseconds
NO_OFFSET = -1  # to pwritev2(2): as write(2)
ANEW = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
PIECE = 1 << 16  # bytes: smaller pieces that wait are put together
GiveUp = Callable[[], bool]
Buffer = bytes | memoryview


class Way(Value, frozen=True):
    """How to write to a descriptor of ours without waiting: `write` raises BlockingIOError instead."""

    descriptor: int  # to wait for with poll(2)
    write: Callable[[Buffer], int]
    opened: bool  # by us, so that we close it


class Outgoing:
    """All that goes to our stdout and stderr, in its order. It waits for nobody, except in `drain`."""

    def __init__(self) -> None:
        self._ways: dict[int, Way] = {}
        self._pieces: deque[tuple[int, bytes | bytearray]] = deque()
        self._done = 0  # bytes of the first piece
        self.waiting = 0  # bytes
        self.closed = ""  # why nobody takes any more, empty while somebody may
        self.taken = time.monotonic()  # when a reader last took something

    def put(self, descriptor: int, data: bytes) -> str:
        """Write this after all that waits; gives why nobody takes it, empty while somebody may."""
        rest = data if self.waiting else data[self._write(descriptor, data) :]
        if rest and not self.closed:
            self._keep(descriptor, rest)
            self.waiting += len(rest)
        return self.closed

    def _keep(self, descriptor: int, data: bytes) -> None:
        last = self._pieces[-1] if self._pieces else (-1, b"")
        if last[0] == descriptor and isinstance(last[1], bytearray) and len(last[1]) + len(data) <= PIECE:
            last[1].extend(data)
        else:
            self._pieces.append((descriptor, data if len(data) >= PIECE else bytearray(data)))

    def push(self) -> str:
        """Write of what waits as much as is taken now; gives the same as `put`."""
        while self._pieces:
            descriptor, piece = self._pieces[0]
            written = self._write(descriptor, memoryview(piece)[self._done :])
            self._done += written
            self.waiting -= written
            if self.closed or self._done < len(piece):
                break
            self._pieces.popleft()
            self._done = 0
        return self.closed

    def drain(self, give_up: GiveUp = lambda: False) -> str:
        """Wait until all is written, or until `give_up`, which is asked while nothing is taken; as `put`."""
        while self._pieces and not self.closed:
            poller = select.poll()
            poller.register(self.blocked, select.POLLOUT)
            if poller.poll(ASK_EVERY):
                self.push()
            elif give_up():
                self._give_up("nobody reads its output")
        return self.closed

    def close(self) -> None:
        """Close what we opened."""
        for way in self._ways.values():
            if way.opened:
                os.close(way.descriptor)
        self._ways.clear()

    @property
    def blocked(self) -> int:
        """The descriptor that can be written to when more is taken; -1 while nothing waits."""
        return self._ways[self._pieces[0][0]].descriptor if self._pieces else -1

    def _write(self, descriptor: int, data: Buffer) -> int:
        if self.closed or not data:
            return 0
        if descriptor not in self._ways:
            self._ways[descriptor] = _open_way(descriptor)
        try:
            written = self._ways[descriptor].write(data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self._give_up(NOBODY_READS)
            return 0
        except OSError as error:  # a lost terminal, a full disk
            self._give_up(f"its output cannot be written any more ({error.strerror})")
            return 0
        self.taken = time.monotonic()
        return written

    def _give_up(self, why: str) -> None:
        self.closed, self.waiting = why, 0
        self._pieces.clear()


def write_all(descriptor: int, data: bytes, give_up: GiveUp = lambda: False) -> str:
    """Write everything, for which a reader may take its time; gives why it could not be, empty if it could.

    `give_up` is asked while nothing is taken.
    """
    outgoing = Outgoing()
    try:
        return outgoing.put(descriptor, data) or outgoing.drain(give_up)
    finally:
        outgoing.close()


def _open_way(descriptor: int) -> Way:
    if not _has_reader(descriptor):  # a file, or a device such as /dev/null, which take all at once
        return Way(descriptor=descriptor, write=functools.partial(_write_fully, descriptor), opened=False)
    anew = _open_anew(descriptor)
    if anew < 0:
        return Way(descriptor=descriptor, write=functools.partial(_write_some, descriptor), opened=False)
    return Way(descriptor=anew, write=functools.partial(os.write, anew), opened=True)


def _has_reader(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not stat.S_ISREG(mode) and not (stat.S_ISCHR(mode) and not os.isatty(descriptor))


def _open_anew(descriptor: int) -> int:
    """The same terminal or pipe, to be written to without waiting; -1 where it cannot be opened."""
    names = [f"/proc/self/fd/{descriptor}"]
    try:
        os.tcgetpgrp(descriptor)  # fails unless it is our controlling terminal,
        names.append("/dev/tty")  # by this name anybody's, also after su(1), when it belongs to another user
    except OSError:
        pass
    for name in names:
        try:
            return os.open(name, ANEW)
        except OSError:
            continue
    return -1


def _write_fully(descriptor: int, data: Buffer) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(data)


def _write_some(descriptor: int, data: Buffer) -> int:
    """To a socket, or to another user's pipe or terminal. Where the kernel can be told not to wait, it is.

    Before Linux 6.4 a pipe cannot, but has room for PIPE_BUF bytes if poll(2) says that it has some. Nor can a
    terminal, which may then keep us waiting: one of another user that does not even control us.
    """
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    if not poller.poll(0):
        raise BlockingIOError
    try:
        return os.pwritev(descriptor, [data], NO_OFFSET, os.RWF_NOWAIT)
    except (BlockingIOError, BrokenPipeError):
        raise
    except OSError:
        return os.write(descriptor, memoryview(data)[: select.PIPE_BUF])
