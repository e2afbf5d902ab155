"""How a tool is asked to end: SIGINT first, on which tools print their maps, then SIGTERM, then SIGKILL. Pure."""

from __future__ import annotations

import signal
from enum import Enum


class Order(bytes, Enum):
    """What the launcher can ask: the first stop signal, and the harder ones at once."""

    STOP = b"s"
    TERMINATE = b"t"
    KILL = b"k"


STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
STEP_OF = {Order.STOP: 0, Order.TERMINATE: 1, Order.KILL: 2}


class Ladder:
    """Which of STEPS comes next, and when (monotonic seconds)."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.step = 0
        self.told = False  # why it was begun

    def climb(self, order: Order, now: float) -> None:
        """Take the step of this order now, unless it is already behind."""
        wanted = STEP_OF[order]
        if wanted >= self.step:
            self.step, self.at = wanted, now

    @property
    def started(self) -> bool:
        """Whether a signal has been sent."""
        return self.step > 0

    @property
    def over(self) -> bool:
        """Whether there is nothing harder left to send."""
        return self.step == len(STEPS)
