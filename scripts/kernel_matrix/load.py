"""A light workload for the tools to see: files that are written and synced, processes, a loopback TCP connection."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import threading
import time

PAUSE = 0.4  # seconds


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(4096))


def write_file(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"x" * 65536)
        file.flush()
        os.fsync(file.fileno())
    with open(path, "rb") as file:
        file.read()
    os.rename(path, path + ".old")
    os.unlink(path + ".old")


def connect(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"y" * 1000)
        client.recv(4096)


def main() -> None:
    pty.openpty()  # /dev/pts/0
    os.makedirs("/var/tmp/load", exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        while True:
            with contextlib.suppress(OSError):
                write_file("/var/tmp/load/file")
                connect(listener.getsockname())
                os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
