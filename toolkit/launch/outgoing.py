"""What we print: at once as much as its reader takes, and the rest, which is kept, when the reader takes more.

A write to a terminal that stands still (^S, an ssh connection that hangs) or to a pipe that nobody reads lasts as long
as that does: although poll(2) said that there is room, for there may be less than the write needs; and whatever signal
comes, since Python goes on with it (PEP 475). So terminals and pipes are opened anew with O_NONBLOCK. To set that on
the descriptor that we were given would set it for the shell, which has the same open file.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toolkit.runs import NOBODY_READS

ASK_EVERY = 100  # milliseconds
NO_OFFSET = -1  # to pwritev2(2): as write(2)
ANEW = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
PIECE = 1 << 16  # bytes: smaller pieces that wait are put together
GiveUp = Callable[[], bool]


class Way:
    """What goes to one reader: a terminal or a pipe, whichever of our descriptors lead there."""

    def __init__(self, descriptor: int) -> None:
        self._anew = _open_anew(descriptor)
        self.descriptor = self._anew if self._anew >= 0 else descriptor  # to wait for with poll(2)
        self._pieces: deque[bytes | bytearray] = deque()
        self._done = 0  # bytes of the first piece
        self.waiting = 0  # bytes

    def put(self, data: bytes) -> None:
        """Write what is taken now, after all that waits, and keep the rest. Raises OSError."""
        rest = data if self.waiting else data[self._write(data) :]
        if not rest:
            return
        self.waiting += len(rest)
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, bytearray) and len(last) + len(rest) <= PIECE:
            last.extend(rest)
        else:
            self._pieces.append(rest if len(rest) >= PIECE else bytearray(rest))

    def push(self) -> bool:
        """Write of what waits as much as is taken now; whether anything was. Raises OSError."""
        before = self.waiting
        while self._pieces:
            piece = self._pieces[0]
            written = self._write(memoryview(piece)[self._done :])
            self._done += written
            self.waiting -= written
            if self._done < len(piece):
                break
            self._pieces.popleft()
            self._done = 0
        return self.waiting < before

    def close(self) -> None:
        """Close what we opened; what waits is lost."""
        self._pieces.clear()
        self.waiting = 0
        if self._anew >= 0:
            os.close(self._anew)
            self._anew = -1

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._anew, data) if self._anew >= 0 else _write_some(self.descriptor, data)
        except BlockingIOError:
            return 0


class Outgoing:
    """All that goes to our stdout and stderr, for each reader in its order. It waits for nobody, except in `drain`."""

    def __init__(self) -> None:
        self._ways: dict[int, Way | None] = {}  # by descriptor; None: it has no reader
        self.closed = ""  # why nobody takes any more, empty while somebody may
        self.taken = time.monotonic()  # when a reader last took something

    def put(self, descriptor: int, data: bytes) -> str:
        """Write this after all that waits for the same reader; gives why nobody takes it, empty while somebody may."""
        if data and not self.closed:
            if descriptor not in self._ways:
                self._ways[descriptor] = self._find_way(descriptor)
            way = self._ways[descriptor]
            with self._noting():
                way.put(data) if way else _write_fully(descriptor, data)
        return self.closed

    def push(self) -> str:
        """Write of what waits as much as is taken now; gives the same as `put`."""
        with self._noting():
            for way in self._list_waiting():
                if way.push():
                    self.taken = time.monotonic()
        return self.closed

    def drain(self, give_up: GiveUp = lambda: False) -> str:
        """Wait until all is written, or until `give_up`, which is asked while nothing is taken; as `put`."""
        while self.waiting:
            poller = select.poll()
            for descriptor in self.blocked:
                poller.register(descriptor, select.POLLOUT)
            if poller.poll(ASK_EVERY):
                self.push()
            elif give_up():
                self._end("nobody reads its output")
        return self.closed

    def close(self) -> None:
        """Close what we opened; what waits is lost."""
        for way in filter(None, self._ways.values()):
            way.close()
        self._ways.clear()

    @property
    def waiting(self) -> int:
        """Bytes that wait for a reader."""
        return sum(way.waiting for way in self._list_waiting())

    @property
    def blocked(self) -> tuple[int, ...]:
        """The descriptors that can be written to when more is taken."""
        return tuple(way.descriptor for way in self._list_waiting())

    def _list_waiting(self) -> list[Way]:
        return [way for way in dict.fromkeys(self._ways.values()) if way and way.waiting]

    def _find_way(self, descriptor: int) -> Way | None:
        """That of another descriptor which leads to the same reader, or a new one."""
        found = os.fstat(descriptor)
        if not _has_reader(descriptor, found):
            return None
        shared = (way for other, way in self._ways.items() if way and os.path.samestat(os.fstat(other), found))
        return next(shared, None) or Way(descriptor)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note why nothing more can be written."""
        try:
            yield
        except BrokenPipeError:
            self._end(NOBODY_READS)
        except OSError as error:  # a lost terminal, a full disk
            self._end(f"its output cannot be written any more ({error.strerror})")

    def _end(self, why: str) -> None:
        self.close()
        self.closed = why


def write_all(descriptor: int, data: bytes, give_up: GiveUp = lambda: False) -> str:
    """Write everything, for which a reader may take its time; gives why it could not be, empty if it could.

    `give_up` is asked while nothing is taken.
    """
    outgoing = Outgoing()
    try:
        return outgoing.put(descriptor, data) or outgoing.drain(give_up)
    finally:
        outgoing.close()


def _has_reader(descriptor: int, found: os.stat_result) -> bool:
    """Whether somebody reads it, unlike a file or a device such as /dev/null, which take all at once."""
    return not stat.S_ISREG(found.st_mode) and not (stat.S_ISCHR(found.st_mode) and not os.isatty(descriptor))


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


def _write_fully(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _write_some(descriptor: int, data: bytes | memoryview) -> int:
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
