"""How much of the time goes into reading what a tool prints while it runs.

Reading costs 0.01 us a byte for rows of a table and up to some us for each short line of no known shape. A tool that
floods must not wait for that, nor may it have the launcher burn CPU: reading gets SHARE of the time that passes, and
may use up to SAVED seconds at once that it did not use before, which is enough for the ten megabytes of a summary
at a tool's end. What comes beyond is handed on unread, as Text that says so: the bytes are in the recording, and
reading them again from there gives all frames.
"""

from __future__ import annotations

from collections.abc import Callable

SHARE = 0.05
SAVED = 0.1  # seconds
RESUME = 0.02  # seconds that must be saved before it reads again: a few long runs, not thousands of short ones


class Pace:
    """Holds the CPU that reading takes against the time that passes: two clocks in seconds, which only go up.

    On a busy machine reading takes longer, and no more CPU: it is then no reason to read less.
    """

    def __init__(self, clock: Callable[[], float], used: Callable[[], float]) -> None:
        self._clock = clock
        self._used = used
        self._last = clock()
        self._begun = 0.0  # of CPU
        self._saved = SAVED
        self._behind = False  # nothing is read until enough is saved

    def begin(self) -> bool:
        """Whether there is time to read; `end` says that it was used."""
        now = self._clock()
        self._saved = min(self._saved + (now - self._last) * SHARE, SAVED)
        self._last = now
        self._behind = self._saved < RESUME if self._behind else self._saved <= 0
        self._begun = self._used()
        return not self._behind

    def end(self) -> None:
        """Reading has taken the CPU that was used since `begin`."""
        self._saved -= self._used() - self._begun
