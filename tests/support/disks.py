"""Small, full and read-only disks: real ones, mounted by the test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096  # what tmpfs gives out
FREEZE, THAW = 0xC0045877, 0xC0045878  # FIFREEZE and FITHAW of linux/fs.h


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def mount_tmpfs(folder: Path, *, mib: int = 16) -> Iterator[Path]:
    """A disk of this size in memory."""
    folder.mkdir(mode=0o700)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "none", str(folder)], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def leave_pages(disk: Path, count: int) -> None:
    """Fill a disk until only so many pages are free."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = os.statvfs(disk).f_bavail - count
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free * PAGE)
    assert os.statvfs(disk).f_bavail == count


def leave_inodes(disk: Path, count: int) -> None:
    """Let only so many more files and folders be made."""
    there = os.statvfs(disk)
    mount("-o", f"remount,nr_inodes={there.f_files - there.f_ffree + count}", str(disk))


@contextlib.contextmanager
def freeze_disk(folder: Path) -> Iterator[Path]:
    """A frozen file system, see fsfreeze(8): until the end, who writes to it sleeps, deaf even to SIGKILL."""
    image = folder.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(4 << 20)
    folder.mkdir()
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, text=True)
    mounted = (
        made.returncode or subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False).returncode
    )
    if mounted:
        pytest.skip("no file system in a file can be mounted here")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, FREEZE, 0)
        yield folder
    finally:
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, THAW, 0)
        os.close(descriptor)
        subprocess.run(["umount", "-l", str(folder)], check=True)
