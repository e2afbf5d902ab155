"""Slots as the rows of a drawing: without holes, and no more than fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.output.frames import OPEN_LOW, Slot

LONGEST_HOLE = 256  # rows; a longer one is a single row


def make_rows(slots: Sequence[Slot], most: int) -> tuple[Slot, ...]:
    """Slots in order from the first that counted to the last, holes filled by empty ones of the same kind.

    Where there are more than `most`, neighbours are joined, as many for each row.
    """
    counted = [at for at, slot in enumerate(slots) if slot.count]
    filled: list[Slot] = []
    for slot in slots[counted[0] : counted[-1] + 1] if counted else ():
        if filled:
            filled += _fill_hole(filled[-1], slot)
        filled.append(slot)
    each = max(-(-len(filled) // most), 1)
    return tuple(_join(filled[start : start + each]) for start in range(0, len(filled), each))


def _fill_hole(before: Slot, after: Slot) -> Iterator[Slot]:
    """Empty slots between two: powers of two if both are such, else as wide as the one before."""
    if before.high is None or before.low == OPEN_LOW:
        return
    low, until = max(before.low, before.high) + 1, after.low
    doubles = _is_power(before) and _is_power(after)
    width = max(before.high - before.low, 0) + 1
    if not doubles and (until - low) > LONGEST_HOLE * width:
        width = until - low
    while low < until:
        high = min(2 * low - 1 if doubles else low + width - 1, until - 1)
        yield Slot(low=low, high=high, count=0)
        low = high + 1


def _is_power(slot: Slot) -> bool:
    """Whether it is a slot of powers of two: `4..7`, or open above one."""
    return slot.low > 0 and slot.low & (slot.low - 1) == 0 and slot.high in (None, 2 * slot.low - 1)


def _join(slots: Sequence[Slot]) -> Slot:
    return Slot(low=slots[0].low, high=slots[-1].high, count=sum(slot.count for slot in slots))
