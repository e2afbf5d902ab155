"""How fast counters grew over the last seconds: what the limits that are rates are held against. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

SECONDS = 3.0  # over which a run may not go beyond its rates

Key = TypeVar("Key")


class Window(Generic[Key]):
    """Samples of counters that only grow, as far back as `seconds` reach.

    What a key counted before it was first seen is nothing: a program, a process and a stream begin with 0. Between two
    samples a counter is taken to have grown evenly, so that the window is `seconds` long whenever samples come.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._samples: deque[tuple[float, Mapping[Key, float]]] = deque()

    def add(self, time: float, counters: Mapping[Key, float]) -> None:
        """Take the counters as they stand at `time`; one that is not later than the last is left out."""
        if self._samples and time <= self._samples[-1][0]:
            return
        self._samples.append((time, dict(counters)))
        # The newest sample that is not inside the window stays: the window begins between it and the next.
        while len(self._samples) > 2 and self._samples[1][0] <= time - self._seconds:
            self._samples.popleft()

    @property
    def full(self) -> bool:
        """Whether it holds a whole window; what happens in less, such as the start of a tool, is no rate yet."""
        return len(self._samples) > 1 and self._samples[-1][0] - self._samples[0][0] >= self._seconds

    def rates(self) -> dict[Key, float]:
        """What each counter of the last sample grew by a second, over the window or what there is of it."""
        if len(self._samples) < 2:
            return {}
        end, last = self._samples[-1]
        start = max(end - self._seconds, self._samples[0][0])
        (before, first), (after, second) = self._samples[0], self._samples[1]
        share = max(0.0, min(1.0, (start - before) / (after - before)))
        return {
            # A counter of processes falls when one ends that nobody waited for: then it did not grow.
            key: max(0.0, value - _between(first.get(key, 0.0), second.get(key, 0.0), share)) / (end - start)
            for key, value in last.items()
        }


def _between(first: float, second: float, share: float) -> float:
    return first + (second - first) * share
