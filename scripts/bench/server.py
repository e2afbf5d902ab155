"""A git server on loopback that counts what its clients receive, and can hold it back as a distance would.

Every connection gets a `git daemon --inetd` of its own. Where a daemon listens itself, Nagle's algorithm and delayed
acknowledgements put 40 ms into each answer on loopback, which no forge has.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.git_repos import AUTHOR

CHUNK = 1 << 16  # bytes
FAR = 0.04  # seconds of round trip, as to a forge


class Server(socketserver.ThreadingTCPServer):
    """Serves the bare repositories below a folder, `round_trip` seconds away from its clients."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, root: Path, round_trip: float) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.command = ("git", "daemon", "--inetd", "--export-all", f"--base-path={root}", str(root))
        self.round_trip = round_trip
        self.received = 0  # bytes, by clients
        self.counting = threading.Lock()

    def url(self, name: str) -> str:
        """The address of a repository."""
        return f"git://127.0.0.1:{self.server_address[1]}/{name}.git"

    def count(self, size: int) -> None:
        """Add what a client received."""
        with self.counting:
            self.received += size


class Connection(socketserver.BaseRequestHandler):
    """One client and its daemon, and what is on the way between them."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        """Carry bytes both ways until both sides have ended."""
        # A client can send nothing before its connection is open, and that takes a round trip.
        opened = time.monotonic() + self.server.round_trip
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge()
        with subprocess.Popen(
            self.server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=AUTHOR
        ) as daemon:
            assert daemon.stdin is not None
            assert daemon.stdout is not None
            to_daemon, from_daemon = daemon.stdin.fileno(), daemon.stdout.fileno()
            there = self._carry(self._receive, lambda data: _write(to_daemon, data), daemon.stdin.close, opened)
            back = self._carry(lambda: os.read(from_daemon, CHUNK), self._send, self._end, 0.0)
            for thread in (*there, *back):
                thread.join()

    def _receive(self) -> bytes:
        data = self.request.recv(CHUNK)
        self._acknowledge()
        return data

    def _send(self, data: bytes) -> None:
        self.server.count(len(data))
        self.request.sendall(data)
        self._acknowledge()

    def _end(self) -> None:
        self.request.shutdown(socket.SHUT_WR)

    def _acknowledge(self) -> None:
        # At once, and again after each call, since the kernel forgets it: git's second small write waits for it.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _carry(
        self, read: Callable[[], bytes], write: Callable[[bytes], None], close: Callable[[], None], opened: float
    ) -> tuple[threading.Thread, threading.Thread]:
        """Start what takes pieces in as they come, and what hands them on when their time has come."""
        way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def take_in() -> None:
            data = b"a beginning"
            while data:
                try:
                    data = read()
                except OSError:  # the client was killed
                    data = b""
                way.put((max(time.monotonic(), opened) + self.server.round_trip / 2, data))

        def hand_on() -> None:
            with contextlib.suppress(OSError):
                while True:
                    due, data = way.get()
                    time.sleep(max(due - time.monotonic(), 0))
                    if not data:
                        break
                    write(data)
            with contextlib.suppress(OSError):
                close()

        threads = (threading.Thread(target=take_in, daemon=True), threading.Thread(target=hand_on, daemon=True))
        for thread in threads:
            thread.start()
        return threads


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextlib.contextmanager
def serve(root: Path, round_trip: float = 0.0) -> Iterator[Server]:
    """Serve the repositories below root while the block runs."""
    with Server(root, round_trip) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
