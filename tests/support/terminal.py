"""A terminal for a command to run on: a pseudo-terminal and an emulator that knows what its screen shows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyte

PATIENCE = 60  # seconds until a test that waits for something fails


class Terminal:
    """A command on a terminal of its own; what it wrote is `raw`, what that looks like `lines`."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], columns: int, lines: int) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._master, slave = os.openpty()
        self.resize(columns, lines)
        # setsid of util-linux makes it the controlling terminal, so that ^C is a signal there.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *argv], stdin=slave, stdout=slave, stderr=slave, env=dict(environ)
        )
        os.close(slave)

    @property
    def lines(self) -> list[str]:
        """The rows of the screen that hold something."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def shows_cursor(self) -> bool:
        return not self._screen.cursor.hidden

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def wait_for(self, text: str) -> None:
        """Read until the screen shows a text."""
        self.wait_until(lambda: text in self.text)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert self._read(end), f"it ended, or nothing came:\n{self.text}"

    def finish(self) -> int:
        """Read to the end; gives the exit status."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self, end: float) -> bool:
        if not select.select([self._master], [], [], max(end - time.monotonic(), 0))[0]:
            return False
        try:
            data = os.read(self._master, 64)  # little, so that no state of the screen is passed over
        except OSError:  # EIO: nobody has it open any more
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextlib.contextmanager
def open_terminal(
    argv: Sequence[str], environ: Mapping[str, str], *, columns: int = 80, lines: int = 24
) -> Iterator[Terminal]:
    """Run a command on a terminal of this size; whatever happens, it is gone afterwards."""
    terminal = Terminal(argv, environ, columns, lines)
    try:
        yield terminal
    finally:
        terminal.close()
