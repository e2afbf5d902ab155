"""One at a time: a lock file that the kernel releases when its holder dies, and a bounded wait for it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.errors import StateError
from toolkit.paths import advise_writing, make_folder

POLL = 0.1  # seconds between two tries
HOLDER = 20  # bytes of the file that say who holds it


class Busy(StateError):
    """Another process holds the lock."""


@contextmanager
def hold_lock(path: Path, seconds: float, busy: str = "is changing the snapshots") -> Iterator[None]:
    """Hold a lock file while the block runs; waits at most `seconds`.

    Raises Busy, which names the holder and says what it does: `busy`.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}", fix=advise_writing(error)) from error
    try:
        _wait_for(descriptor, busy, time.monotonic() + seconds)
        with suppress(OSError):  # on a full disk the lock holds all the same; only its holder has no name
            # Always as long: ext4 writes a file to the disk that was made empty and filled again, which takes 5 ms.
            os.pwrite(descriptor, f"{os.getpid():<{HOLDER}}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, busy: str, end: float) -> None:
    # flock(2), not fcntl(2): it belongs to the open file, so closing some other descriptor of it does not lose it.
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                holder = os.pread(descriptor, HOLDER, 0).decode("ascii", "replace").strip() or "unknown"
                raise Busy(
                    f"another toolkit (process {holder}) {busy}",
                    fix=f"wait for it, or look at it: ps -fp {holder}",
                ) from None
            time.sleep(POLL)
        else:
            return
