"""A terminal that a command has for itself for a while: drawn anew, given back whole whatever ends it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType

from toolkit.launch.outgoing import Outgoing

ENTER = "\x1b[?1049h\x1b[?25l"  # the other screen, no cursor
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
CLEAR_LINE = "\x1b[K"
CLEAR_BELOW = "\x1b[J"
QUIT = b"qQ\x03\x04"
UNKNOWN_SIZE = os.terminal_size((80, 24))


class Screen:
    """Enter it as a context; `draw` lines, and `wait` for time to pass or somebody to end it."""

    def __init__(self) -> None:
        self._outgoing = Outgoing()
        self._before: list[int | list[bytes | int]] | None = None
        self._handlers: dict[int, signal._HANDLER] = {}
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._ended = False
        self._asked_to_stop = False

    def __enter__(self) -> Screen:
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(0)  # stdin need not be a terminal: then no key ends it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP):
            self._handlers[number] = signal.signal(number, self._catch) or signal.SIG_DFL
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._outgoing.close()
        os.close(self._woken)
        os.close(self._wake)

    @property
    def columns(self) -> int:
        """Its width now."""
        return self._measure().columns

    @property
    def rows(self) -> int:
        """Its height now."""
        return self._measure().lines

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines and nothing else; each has to fit its width. A terminal that stands still gets the next."""
        if self._outgoing.waiting:
            return
        shown = f"{CLEAR_LINE}\r\n".join(lines[: self.rows])
        self._write(f"{HOME}{shown}{CLEAR_LINE}{CLEAR_BELOW}")

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the size changes or somebody ends it: whether they did."""
        reading = [self._woken, *([0] if self._before is not None else [])]
        ready, free, _ = select.select(reading, self._outgoing.blocked, [], seconds)
        if free:
            self._push()
        if self._woken in ready:
            os.read(self._woken, 4096)
        if self._asked_to_stop:
            self._stop()
        if 0 in ready:
            keys = os.read(0, 64)
            self._ended = self._ended or not keys or any(key in QUIT for key in keys)
        return self._ended

    def _stop(self) -> None:
        self._asked_to_stop = False
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()  # somebody let us go on

    def _catch(self, number: int, _: FrameType | None) -> None:
        # It runs between any two instructions, also of a write: so it writes nothing itself.
        if number == signal.SIGTSTP:
            self._asked_to_stop = True
        elif number != signal.SIGWINCH:
            self._ended = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"x")

    def _take(self) -> None:
        if self._before is not None:
            tty.setcbreak(0, termios.TCSANOW)
        self._write(ENTER)

    def _give_back(self) -> None:
        self._write(LEAVE)
        self._outgoing.drain(give_up=lambda: True)
        if self._before is not None:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(0, termios.TCSANOW, self._before)

    def _measure(self) -> os.terminal_size:
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(1)
            return size if size.columns and size.lines else UNKNOWN_SIZE
        return UNKNOWN_SIZE

    def _write(self, text: str) -> None:
        self._outgoing.put(1, text.encode(sys.stdout.encoding, "replace"))
        self._push()

    def _push(self) -> None:
        self._ended = bool(self._outgoing.push()) or self._ended


def open_screen() -> Screen | None:
    """A screen, where stdout is a terminal that can be drawn on."""
    wanted = sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return Screen() if wanted else None
