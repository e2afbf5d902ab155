"""Which snapshots are in use: a run locks the folder that its tool lies in, and what is locked is not removed.

A tool may read its parts late: a BCC tool opens its .c, a shell wrapper starts its .py. The lock is the kernel's
(flock), so a launcher that is killed leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import StateError


@contextmanager
def use_snapshot(root: Path, file: Path) -> Iterator[None]:
    """Keep the snapshot that a file lies in while the block runs; for a file elsewhere this does nothing.

    `root` is the folder of all snapshots. Raises StateError when the snapshot was removed a moment ago.
    """
    if not file.is_relative_to(root):
        yield
        return
    folder = root / file.relative_to(root).parts[0]
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _gone(folder) from error
    try:
        if not _lock(descriptor, fcntl.LOCK_SH) or not (folder / "receipt.json").exists():
            raise _gone(folder)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def claim_snapshot(folder: Path) -> Iterator[bool]:
    """Whether nobody uses the snapshot in this folder; while the block runs, nobody begins to. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: nothing is known, and nothing is kept for it
    return True


def _gone(folder: Path) -> StateError:
    return StateError(
        f"the snapshot {folder.name} was removed a moment ago, after another had become the current one",
        fix="run the command again: it takes the tool from the current one",
    )
