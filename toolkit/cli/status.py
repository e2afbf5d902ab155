"""The line below a tool's output on a terminal: how long it runs, what it attached, what it costs now.

It stands on stderr, and the tool's stdout is often the same terminal. So it is erased before each piece of output,
drawn at most once a second, and only where the cursor stands at the beginning of a line; it is never drawn again once
the tool itself commands the screen, nor while another job has the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from toolkit.cli import render
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.window import Window
from toolkit.runs import Cost
from toolkit.trials import Points

ERASE = b"\r\x1b[K"
# What a tool that redraws its screen begins with: clear(1), tput, curses. A sequence may be cut in two by a read.
COMMANDS = (b"\x1b[2J", b"\x1b[H", b"\x1b[J", b"\x1b[3J", b"\x1b[1;1H", b"\x1bc", b"\x1b[?1049h")
LONGEST_COMMAND = 8
GAP = "  "
EVERY = 0.9  # seconds, a little less than from one sample to the next; in the first there is nothing to say


class Status:
    """The line and what is known of the terminal that it stands on; `points` tells what of the tool is attached."""

    def __init__(self, outgoing: Outgoing, deadline: float, points: Callable[[Cost], Points]) -> None:
        self._outgoing = outgoing
        self._deadline = deadline
        self._points = points
        self._window: Window[str] = Window()
        self._sharing = {2, *({1} if sys.stdout.isatty() else ())}  # descriptors that lead to the terminal
        self._tail = b"\n"  # the last bytes that it got: ours before the tool's are whole lines
        self._drawn = False
        self._due = EVERY
        self._over = False  # the tool commands the screen, or nobody looks any more

    def erase(self) -> None:
        """Give the row back, before something else is written."""
        if self._drawn:
            self._drawn = False
            if os.isatty(2):  # it may be gone, which is no reason to stop while the output goes elsewhere
                self._outgoing.put(2, ERASE)

    def note(self, descriptor: int, data: bytes) -> None:
        """Take notice of what has been written to a descriptor."""
        if descriptor not in self._sharing or not data:
            return
        seen = self._tail + data
        self._over = self._over or (b"\x1b" in seen and any(one in seen for one in COMMANDS))
        self._tail = seen[-LONGEST_COMMAND:]

    def draw(self, cost: Cost) -> None:
        """Show the line for this sample, where that disturbs nothing."""
        self._window.add(cost.time, {"ns": cost.run_ns, "events": cost.run_count, "cpu": cost.cpu})
        if self._over or cost.time < self._due or not self._tail.endswith(b"\n"):
            return
        if self._outgoing.waiting or not _is_ours():  # a terminal that stands still (^S) gets one line when it goes on
            return
        self._due = cost.time + EVERY
        width = render.terminal_width(sys.stderr) or 80
        text = format_status(cost, self._window.rates(), self._points(cost), self._deadline, width - 1)
        if render.use_colour(sys.stderr):
            text = f"\x1b[2m{text}\x1b[0m"
        self._outgoing.put(2, ERASE + text.encode())
        self._drawn = True

    def finish(self) -> None:
        """The run is over: nothing of it stays."""
        self.erase()
        self._over = True


def open_status(outgoing: Outgoing, deadline: float, points: Callable[[Cost], Points]) -> Status | None:
    """A status line, where stderr is a terminal whose cursor can be moved."""
    wanted = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return Status(outgoing, deadline, points) if wanted else None


def format_status(cost: Cost, rates: dict[str, float], points: Points, deadline: float, width: int) -> str:
    """The line in at most so many columns; where there is no room, what matters least is left out."""
    probes = f"{points.attached}/{points.expected} probes" if points.expected else f"{len(cost.attached)} attached"
    parts = (  # what matters, 0 the most
        (0, f"{cost.time:.0f} s of {deadline:g}"),
        (4, probes),
        (3, f"{rates.get('events', 0):,.0f} events/s"),
        (1, f"BPF {render.format_percent(rates.get('ns', 0) / 1e7)}" if not cost.unknown else "BPF unknown"),
        (6, f"CPU {render.format_percent(rates.get('cpu', 0) * 100)}"),
        (5, render.format_bytes(cost.memory) if cost.memory else ""),
        (2, f"{cost.lost:,} lost" if cost.lost else ""),
    )
    for least in range(7, 0, -1):
        line = GAP.join(text for rank, text in parts if text and rank < least)
        if len(line) <= width:
            return line
    return ""


def _is_ours() -> bool:
    """Whether we are the job that has the terminal; a line of one in the background would tear another's."""
    try:
        return os.tcgetpgrp(2) == os.getpgrp()
    except OSError:
        return False
