"""A small workload of our own, so that what a trial attaches has something to see: bounded, and in one process.

Five times a second it writes a file and syncs it, starts a program and ends it, talks to itself over loopback TCP and
UDP, touches new memory, and becomes the user that it is. It is niced, stays on one CPU, leaves the network alone, and
dies with us. Its folder should lie on a disk: a file in memory makes no block I/O.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.launch.processes import forked

PREFIX = "workload-"
PAUSE = 0.2  # seconds between two rounds
WRITTEN = bytes(8192)
TOUCHED = 1 << 18
STARTED = ("/bin/sleep", "/usr/bin/sleep")


@contextmanager
def workload(place: Path) -> Iterator[int]:
    """Have the workload going while the block runs; gives its PID.

    `place` is where its folder is made; one that a killed process left there is removed, so only one may use a place.
    """
    for left in place.glob(f"{PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        with forked(lambda: _start_work(folder)) as pid:
            yield pid
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_work(folder: Path) -> None:
    _detach()
    _work(folder)


def _detach() -> None:
    """In the child: no terminal, no descriptors of ours, no ^C."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.closerange(3, 1 << 16)  # above all locks, which would be held as long as their descriptors
    os.nice(19)
    with suppress(OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _work(folder: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    program = next((one for one in STARTED if os.access(one, os.X_OK)), "")
    while True:
        tasks: tuple[Callable[[], None], ...] = (
            lambda: _write(folder),
            lambda: _start(program),
            lambda: _talk(listener),
            _touch,
        )
        for task in tasks:
            with suppress(OSError):  # a full disk, a forbidden system call: the others go on
                task()
        time.sleep(PAUSE)


def _write(folder: Path) -> None:
    inside = folder / "inside"
    inside.mkdir(exist_ok=True)
    path = inside / "written"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, WRITTEN)
        os.fsync(descriptor)
        os.pread(descriptor, len(WRITTEN), 0)
    finally:
        os.close(descriptor)
    path.rename(inside / "renamed").unlink()
    inside.rmdir()


def _start(program: str) -> None:
    """Start a program and end it with a signal, as if somebody killed it."""
    child = os.posix_spawn(program, (program, "5"), {})
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)


def _talk(listener: socket.socket) -> None:
    socket.getaddrinfo("127.0.0.1", 0, flags=socket.AI_NUMERICHOST)  # the C library is asked, and asks nobody
    with socket.create_connection(listener.getsockname(), timeout=1) as client:
        server, _ = listener.accept()
        with server:
            client.sendall(b"?" * 1000)
            server.sendall(server.recv(1000))
            client.recv(1000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        datagrams.sendto(b"?", datagrams.getsockname())
        datagrams.recv(1)


def _touch() -> None:
    with mmap.mmap(-1, TOUCHED) as memory:
        for at in range(0, TOUCHED, mmap.PAGESIZE):
            memory[at] = 1
    os.setuid(os.getuid())
    os.statvfs("/")
