"""Write a recording while the run goes on. Trouble with the disk ends the recording, never the run."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from toolkit.errors import StateError
from toolkit.paths import make_folder
from toolkit.recordings.layout import BEING_MADE, SHAPE, STREAMS, ResultRecord, RunRecord
from toolkit.runs import Cost, Result

if TYPE_CHECKING:
    from toolkit.output.frames import Frame

LOOK_EVERY = 4 << 20  # bytes written between two looks at how much space is left
RECEIPT = ".result.json"  # where result.json gets its space before the disk is full
RECEIPT_BYTES = 1 << 14


def new_id(tool: str, now: float) -> str:
    """A recording's name: it sorts by time, says the tool, and two in one second differ."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{tool}-{os.urandom(2).hex()}"


class Recorder:
    """An open recording. Every write goes to the kernel at once, so that a crash of ours loses nothing.

    It ends, and the run goes on, when its disk has less than `free_bytes` left.
    """

    def __init__(self, folder: Path, run: RunRecord, free_bytes: int = 0) -> None:
        """Create the folder and run.json. Raises StateError."""
        self.path = folder / run.id
        self.problem = ""  # why the recording is not complete; empty while it is
        self._free_bytes = free_bytes
        self._unlooked = 0  # bytes since the last look at the space
        self._files: dict[str, BinaryIO] = {}
        make_folder(folder)
        # Made aside: whoever sees the folder sees a complete run.json, and the lock that says that it is written to.
        aside = folder / f"{BEING_MADE}{run.id}"
        try:
            self._make(aside, run)
            aside.rename(self.path)
        except OSError as error:
            import shutil  # here: it loads every compressor, which a start would wait for

            shutil.rmtree(aside, ignore_errors=True)
            raise StateError(f"cannot record in {self.path}: {error.strerror}", fix="free some space") from error
        self._look_at_space()
        self._last = dict.fromkeys(STREAMS, time.monotonic())

    def _make(self, folder: Path, run: RunRecord) -> None:
        folder.mkdir(mode=0o700)
        self._lock = _create(folder / "run.json")
        _write_all(self._lock, msgspec.json.format(msgspec.json.encode(run), indent=2))
        with suppress(OSError):  # a file system without locks: the recording looks crashed until it ends
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in (*STREAMS.values(), "timing", "frames.jsonl", "cost.jsonl"):
            self._files[name] = _create(folder / name)
        self._receipt = _create(folder / RECEIPT)
        with suppress(OSError):
            os.posix_fallocate(self._receipt.fileno(), 0, RECEIPT_BYTES)

    def take_output(self, stream: str, data: bytes) -> None:
        """Keep bytes of stream O (stdout) or E (stderr) as they came."""
        now = time.monotonic()
        delay, self._last[stream] = now - self._last[stream], now
        self._write(STREAMS[stream], data)
        self._write("timing", f"{stream} {delay:.6f} {len(data)}\n".encode())

    def take_frames(self, frames: tuple[Frame, ...]) -> None:
        """Keep what was understood of stdout."""
        if frames:
            self._write("frames.jsonl", b"".join(msgspec.json.encode(frame) + b"\n" for frame in frames))

    def take_cost(self, cost: Cost) -> None:
        """Keep one sample of the meter."""
        self._look_at_space()  # others fill the disk too
        self._write("cost.jsonl", msgspec.json.encode(cost) + b"\n")

    def finish(self, result: Result) -> None:
        """Close everything and write result.json, the receipt, last."""
        for file in self._files.values():
            file.close()
        record = ResultRecord(shape=SHAPE, ended=round(time.time(), 3), result=result, problem=self.problem)
        try:
            os.fsync(self._lock.fileno())  # not before the tool is started, which would wait for the disk
            self._write_receipt(msgspec.json.format(msgspec.json.encode(record), indent=2))
        except OSError as error:
            self.problem = self.problem or f"{self.path}: {error.strerror}"
        self._lock.close()

    def _write_receipt(self, data: bytes) -> None:
        with self._receipt as file:
            _write_all(file, data)
            file.truncate(len(data))
            os.fsync(file.fileno())
        (self.path / RECEIPT).replace(self.path / "result.json")

    def _write(self, name: str, data: bytes) -> None:
        self._unlooked += len(data)
        if self._unlooked >= LOOK_EVERY:
            self._look_at_space()
        if self.problem:
            return
        try:
            _write_all(self._files[name], data)
        except OSError as error:
            # An incident is often a full disk: the tool that would show why must go on.
            self.problem = f"recording stopped: {self.path / name}: {error.strerror}"

    def _look_at_space(self) -> None:
        self._unlooked = 0
        try:
            found = os.fstatvfs(self._receipt.fileno())
        except OSError:
            return  # a write will tell
        free = found.f_bavail * found.f_frsize
        if free < self._free_bytes and not self.problem:
            left, wanted = f"{free >> 20} MiB", f"{self._free_bytes >> 20} MiB"
            self.problem = f"recording stopped: {left} are left on the disk of {self.path.parent}, {wanted} must stay"


def _create(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return open(os.open(path, flags, 0o600), "wb", buffering=0)


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
