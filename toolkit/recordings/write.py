"""Write a recording while the run goes on. Trouble with the disk ends the recording, never the run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from toolkit.errors import StateError
from toolkit.output.frames import Frame
from toolkit.paths import make_folder, write_atomically
from toolkit.recordings.layout import SHAPE, ResultRecord, RunRecord
from toolkit.runs import Cost, Result

STREAMS = {"O": "stdout", "E": "stderr"}


def new_id(tool: str, now: float) -> str:
    """A recording's name: it sorts by time, says the tool, and two in one second differ."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{tool}-{os.urandom(2).hex()}"


class Recorder:
    """An open recording. Every write goes to the kernel at once, so that a crash of ours loses nothing."""

    def __init__(self, folder: Path, run: RunRecord) -> None:
        """Create the folder and run.json. Raises StateError."""
        self.path = folder / run.id
        self.problem = ""  # why the recording is not complete; empty while it is
        make_folder(folder)
        try:
            self.path.mkdir(mode=0o700)
            write_atomically(self.path / "run.json", msgspec.json.format(msgspec.json.encode(run), indent=2))
            names = (*STREAMS.values(), "timing", "frames.jsonl", "cost.jsonl")
            self._files: dict[str, BinaryIO] = {name: self._create(name) for name in names}
        except OSError as error:
            raise StateError(f"cannot record in {self.path}: {error.strerror}", fix="free some space") from error
        self._last = time.monotonic()

    def take_output(self, stream: str, data: bytes) -> None:
        """Keep bytes of stream O (stdout) or E (stderr) as they came."""
        now = time.monotonic()
        delay, self._last = now - self._last, now
        self._write(STREAMS[stream], data)
        self._write("timing", f"{stream} {delay:.6f} {len(data)}\n".encode())

    def take_frames(self, frames: tuple[Frame, ...]) -> None:
        """Keep what was understood of stdout."""
        if frames:
            self._write("frames.jsonl", b"".join(msgspec.json.encode(frame) + b"\n" for frame in frames))

    def take_cost(self, cost: Cost) -> None:
        """Keep one sample of the meter."""
        self._write("cost.jsonl", msgspec.json.encode(cost) + b"\n")

    def finish(self, result: Result) -> None:
        """Close everything and write result.json, the receipt, last."""
        for file in self._files.values():
            file.close()
        record = ResultRecord(shape=SHAPE, ended=round(time.time(), 3), result=result)
        try:
            write_atomically(self.path / "result.json", msgspec.json.format(msgspec.json.encode(record), indent=2))
        except OSError as error:
            self.problem = self.problem or f"{self.path}: {error.strerror}"

    def _create(self, name: str) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return open(os.open(self.path / name, flags, 0o600), "wb", buffering=0)

    def _write(self, name: str, data: bytes) -> None:
        if self.problem:
            return
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._files[name].write(rest) :]
        except OSError as error:
            # An incident is often a full disk: the tool that would show why must go on.
            self.problem = f"recording stopped: {self.path / name}: {error.strerror}"
