"""Stacks: folded (`a;b;c 12`), as BCC prints them (indented frames, then a count), and as keys of bpftrace's maps.

BCC and bpftrace print the innermost frame first; a `Stack` has it last, as folded text does. BCC ends the frames with
what the stack was counted by: `- dd (123)`, `dd [123]`, `target: dd`. A stack that stands below a row of a table was
seen once, with that row as its key; so was one whose frames are all placed, `f+0x10` or `@ 4024d0 f`.
"""

from __future__ import annotations

import re

from toolkit.output.block import Above, Lines, Opened, Place, decode
from toolkit.output.bpftrace_messages import read_stack_key
from toolkit.output.frames import Frame, Stack, Stacks
from toolkit.output.histograms import HistogramBlock, read_slot
from toolkit.output.marks import read_title
from toolkit.output.units import read_unit

LONGEST_FRAME = 2048  # characters
FRAME = re.compile(
    r"(?:\t|  )\s*(?:(?:0x)?[0-9a-f]{8,16} \S.*|b'[^']*'|\S+(?: \[[^\]]*\])?(?: \([^)]*\))?|--?(?: +\S.*)?|\w+: +\S+.*)"
)
MARKED = re.compile(r"@ ([0-9a-f]{8,16} \S.*)")  # stands at the beginning of a line
OFFSET, UNKNOWN = "+0x", "[unknown]"
COUNT = re.compile(r"\s+(\d{1,20})")
OWNER = re.compile(r"-+ +(\S.*)|(\S.* \[\d+\])")
LABEL = re.compile(r"([a-z]+): +(\S.*)")
ALLOCATION = re.compile(r"\s+(\d{1,20}) bytes in (\d+ allocations?) from stack")
KEY_OPENS = re.compile(r"(@\w*)\[(.*)")
KEY_ENDS = re.compile(r"(.*)\]: ?(.*)")


class FoldedBlock:
    """Lines of folded stacks."""

    whole = True

    def __init__(self, time: str, first: Stack) -> None:
        self._time = time
        self._stacks = [first]

    def take(self, lines: Lines, at: int) -> int:
        """Folded lines."""
        for index in range(at, len(lines)):
            stack = read_folded(decode(lines[index]))
            if stack is None:
                return index - at
            self._stacks.append(stack)
        return len(lines) - at

    def hand_on(self, place: Place, *, over: bool) -> Stacks | None:
        """The stacks."""
        if not self._stacks:
            return None
        stacks, self._stacks = tuple(self._stacks), []
        return Stacks(offset=place.offset, size=place.size, title="", stacks=stacks, time=self._time)


def read_folded(text: str) -> Stack | None:
    """A line of folded text."""
    frames, _, count = text.rpartition(" ")
    if not count.isdecimal() or ";" not in frames or frames[0] in " \t" or len(count) > 20:
        return None
    return Stack(frames=tuple(frames.split(";")), count=int(count))


class StackBlock:
    """Indented frames, each stack with its count below it; blank lines stand between them."""

    def __init__(self, title: str, time: str, *, key: str = "") -> None:
        self._title = title
        self._time = time
        self._row = key  # the row of a table that the stack belongs to
        self._unit = ""
        self._bytes: int | None = None
        self._frames: list[str] = []
        self._keys: list[str] = [key] if key else []
        self._stacks: list[Stack] = []
        self._spaced = False  # a blank line was the last
        self._marked = False  # its frames stand behind a sign

    @property
    def whole(self) -> bool:
        """Whether the last stack is complete, and no blank line stands below it."""
        return not (self._frames or self._keys or self._spaced)

    def end(self) -> bool:
        """A stack that has no count is complete where it needs none."""
        self._end_uncounted()
        return self.whole

    def take(self, lines: Lines, at: int) -> int:
        """The lines of one stack."""
        before = len(self._stacks)
        index = at
        while index < len(lines) and len(self._stacks) == before and self._take_line(decode(lines[index])):
            index += 1
        return index - at

    @property
    def _counted(self) -> bool:
        """Whether a count is to come below the frames: not below a row, nor where each that is known is placed."""
        known = [frame for frame in self._frames if frame != UNKNOWN]
        placed = self._marked or (known and all(OFFSET in frame for frame in known))
        return self._bytes is None and not self._row and not placed

    @property
    def _owned(self) -> bool:
        """Whether it says by what it was counted: that is all there is where the kernel could not walk the stack."""
        return len(self._keys) > bool(self._row)

    def _take_line(self, text: str) -> bool:
        if not text.strip():
            if self._end_uncounted():
                return False
            self._spaced = True
            return not self._row
        marked = MARKED.fullmatch(text)
        if (text[0] not in " \t" and not marked) or len(text) > LONGEST_FRAME:
            self._end_uncounted()
            return False
        if marked:
            self._marked = True
            self._add(marked[1])
            self._spaced = False
            return True
        allocation = ALLOCATION.fullmatch(text)
        if allocation:
            if self._end_uncounted():
                return False
            self._bytes, self._unit = int(allocation[1]), "bytes"
            self._keys.append(allocation[2])
        elif self._spaced and not FRAME.fullmatch(text):
            return False
        elif (count := COUNT.fullmatch(text)) and (self._frames or self._owned):
            self._end(int(count[1]))
        else:
            self._add(text.strip())
        self._spaced = False
        return True

    def _add(self, frame: str) -> None:
        label = LABEL.fullmatch(frame)
        owner = OWNER.fullmatch(frame)
        if label:
            self._keys.append(f"{label[1]} {label[2]}")
        elif owner and owner[1] != "-":
            self._keys.append(owner[1] or owner[2])
        else:
            frame = frame[2:-1] if frame.startswith("b'") and frame.endswith("'") else frame
            self._frames.append("--" if owner else frame)

    def _end_uncounted(self) -> bool:
        """End a stack that has no count below it, if there is one: it says its bytes above it, or was seen once."""
        if not self._frames or self._counted:
            return False
        self._end(1 if self._bytes is None else self._bytes)
        return True

    def _end(self, count: int) -> None:
        frames = tuple(reversed(self._frames))
        self._stacks.append(Stack(frames=frames, count=count, key=", ".join(self._keys)))
        self._frames, self._keys, self._bytes = [], [], None

    def hand_on(self, place: Place, *, over: bool) -> Stacks | None:
        """The stacks that are complete."""
        if not self._stacks:
            return None
        stacks, self._stacks = tuple(self._stacks), []
        return Stacks(
            offset=place.offset, size=place.size, title=self._title, stacks=stacks, unit=self._unit, time=self._time
        )


class KeyBlock:
    """Entries of a bpftrace map whose keys hold stacks: `@x[`, a line a frame, `, dd]: 12`; or a histogram each."""

    def __init__(self, name: str, first: str, time: str) -> None:
        self._name = name
        self._time = time
        self._key = [first.rstrip()]
        self._inside = True
        self._stacks: list[Stack] = []
        self._histogram: HistogramBlock | None = None

    @property
    def whole(self) -> bool:
        """Whether the last key has its value."""
        return not self._inside

    def take(self, lines: Lines, at: int) -> int:
        """The lines of one key and its value, or of its histogram."""
        if self._histogram is not None:
            return self._histogram.take(lines, at)
        before = len(self._stacks)
        index = at
        while index < len(lines) and self._take_line(decode(lines[index])):
            index += 1
            if self._histogram is not None or len(self._stacks) > before:
                break
        return index - at

    def _take_line(self, text: str) -> bool:
        if not self._inside:
            opens = KEY_OPENS.fullmatch(text) if self._stacks else None
            if opens is None or opens[1] != self._name or KEY_ENDS.fullmatch(text):
                return False
            self._key, self._inside = [opens[2].rstrip()], True
            return True
        if len(text) > LONGEST_FRAME:
            return False
        ends = KEY_ENDS.fullmatch(text) if text.startswith(("]", ",")) else None
        if ends is None:
            self._key.append(text.strip())
            return text.startswith((" ", ","))
        return self._end_key(ends[1].replace(", ", ",", 1), ends[2].strip())

    def _end_key(self, last: str, value: str) -> bool:
        frames, rest = read_stack_key("\n".join((*self._key, last)))
        if value.isdecimal() and len(value) <= 20:
            self._stacks.append(Stack(frames=frames, count=int(value), key=rest))
            self._inside = False
            return True
        if value or self._stacks:
            return False
        title = f"{self._name}[{','.join(filter(None, (rest, ';'.join(frames))))}]"
        self._inside = False
        self._histogram = HistogramBlock(title, read_unit(self._name), self._time, [])
        return True

    def hand_on(self, place: Place, *, over: bool) -> Frame | None:
        """The stacks that are complete, or the histogram."""
        if self._histogram is not None:
            return self._histogram.hand_on(place, over=over)
        if not self._stacks:
            return None
        stacks, self._stacks = tuple(self._stacks), []
        unit = read_unit(self._name)
        return Stacks(offset=place.offset, size=place.size, title=self._name, stacks=stacks, unit=unit, time=self._time)


def open_stacks(text: str, above: Above, row: str) -> Opened | None:
    """Stacks that begin with this line; `row` is the row of a table directly above it, if there is one."""
    if MARKED.fullmatch(text):
        return _open_block(text, above, row)
    if text[0] == "@":
        opens = KEY_OPENS.fullmatch(text) if "]: " not in text and not text.endswith("]:") else None
        return Opened(KeyBlock(opens[1], opens[2], above.time)) if opens else None
    if text[0] not in " \t":
        folded = read_folded(text) if "; " not in text.rpartition(" ")[0] else None
        return Opened(FoldedBlock(above.time, folded)) if folded else None
    if len(text) > LONGEST_FRAME or COUNT.fullmatch(text) or read_slot(text):
        return None
    if not row and not FRAME.fullmatch(text) and not ALLOCATION.fullmatch(text):
        return None
    return _open_block(text, above, row)


def _open_block(text: str, above: Above, row: str) -> Opened:
    title = read_title(above.lines[0]) if above.lines and not row else ""
    block = StackBlock(title, above.time, key=row)
    block.take([text.encode("utf-8", "replace")], 0)
    return Opened(block, bool(title))
