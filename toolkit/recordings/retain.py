"""Which recordings have to go: by age, by how many there are, and by the bytes that they take. Pure decisions.

The newest stay. Tagged recordings and those of runs that go on are kept and count for nothing; so a large one that
somebody tagged does not push out the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.model import Value


class Rules(Value, frozen=True):
    """What may stay; 0 means no bound."""

    seconds: float = 0.0  # since it was started
    count: int = 0
    bytes: int = 0  # on the disk, all together
    tagged: bool = False  # tagged ones are treated like the others

    @property
    def bind(self) -> bool:
        """Whether there is any bound."""
        return bool(self.seconds or self.count or self.bytes)


class Stored(Value, frozen=True):
    """A recording as retention sees it."""

    id: str
    started: float
    bytes: int
    tagged: bool = False
    running: bool = False


def choose_doomed(stored: Iterable[Stored], rules: Rules, now: float) -> tuple[Stored, ...]:
    """Those that have to go, oldest first; `stored` comes newest first."""
    doomed: list[Stored] = []
    count = size = 0
    full = False
    for one in stored:
        if one.running or (one.tagged and not rules.tagged):
            continue
        count += 1
        size += one.bytes
        old = bool(rules.seconds) and now - one.started > rules.seconds
        # Once a bound is reached all that is older goes: what is left is an unbroken piece of the past.
        full = full or (0 < rules.count < count) or (0 < rules.bytes < size)
        if old or full:
            doomed.append(one)
    return tuple(reversed(doomed))
