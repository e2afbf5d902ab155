"""Read histograms out of a tool's text as it comes, in the three forms that BCC, libbpf-tools and bpftrace print.

BCC and libbpf-tools: a header `usecs : count distribution`, then rows `4 -> 7 : 12 |****  |`. bpftrace: rows
`[4, 8)  12 |@@@@ |`, where the upper end is exclusive and numbers are shortened (`[4K, 8K)`). Everything else is
text. Fed with any bytes in any pieces, the frames cover every byte exactly once.
"""

from __future__ import annotations

import re

from toolkit.output.frames import Frame, Histogram, Slot, Text

LONGEST_LINE = 1 << 16  # bytes; what is longer is text, and is not searched

HEADER = re.compile(rb"\s*(\S+)\s+: count\s+distribution\s*\n")
TABLE_ROW = re.compile(rb"\s*(\d+) -> (\d+)\s*: (\d+)\s*\|[* +]*\|\s*\n")
LINEAR_ROW = re.compile(rb"\s*(\d+)\s*: (\d+)\s*\|[* +]*\|\s*\n")
BRACKET_ROW = re.compile(
    rb"[\[(](?:(-?\d+)([KMGTPE]?)|\.\.\.), ?(?:(-?\d+)([KMGTPE]?)|\.\.\.)[\])]\s+(\d+) \|[@ ]*\|\s*\n"
)
SINGLE_ROW = re.compile(rb"\[(-?\d+)([KMGTPE]?)\]\s+(\d+) \|[@ ]*\|\s*\n")
MAP_TITLE = re.compile(rb"(@[\w]*(?:\[.*\])?):\s*\n")
SECTION_TITLE = re.compile(rb"(\S.* = .*)\n")
SUFFIXES = b" KMGTPE"
UNITS = {
    "usecs": "us",
    "msecs": "ms",
    "nsecs": "ns",
    "us": "us",
    "ms": "ms",
    "ns": "ns",
    "kbytes": "KiB",
    "bytes": "bytes",
}


class FrameParser:
    """Turns a stream into frames; `feed` gives those that are complete, `finish` the rest."""

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0  # in the stream, of the first byte of _rest
        self._text_from = 0
        self._text_lines = 0
        self._title: tuple[int, str] | None = None  # offset and text of the line before, when it may be a title
        self._block: _Block | None = None

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream."""
        data = self._rest + data
        frames: list[Frame] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            frames += self._take_line(data[start : end + 1])
            start = end + 1
        self._rest = data[start:]
        if len(self._rest) > LONGEST_LINE:
            frames += self._take_line(self._rest)
            self._rest = b""
        if self._block is None and self._title is None:
            frames += self._flush_text(self._offset)
        return tuple(frames)

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over: whatever is pending is complete now."""
        frames = list(self._take_line(self._rest)) if self._rest else []
        self._rest = b""
        return (*frames, *self._close_block(), *self._flush_text(self._offset))

    def _take_line(self, line: bytes) -> tuple[Frame, ...]:
        at = self._offset
        self._offset += len(line)
        done: tuple[Frame, ...] = ()
        if self._block is not None:
            if self._block.take(line):
                self._block.end = self._offset
                return ()
            done = self._close_block()
        block = _open_block(line, at)
        if block is None:
            self._text_lines += 1
            title = _read_title(line)
            self._title = (at, title) if title else None
            return done
        start = at
        if self._title is not None and self._title[0] >= self._text_from:
            start, block.title = self._title
            self._text_lines -= 1
        self._title = None
        done = (*done, *self._flush_text(start))
        block.offset, block.end = start, self._offset
        self._block = block
        return done

    def _close_block(self) -> tuple[Frame, ...]:
        block, self._block = self._block, None
        if block is None:
            return ()
        self._text_from = block.end
        return (block.frame(),)

    def _flush_text(self, until: int) -> tuple[Frame, ...]:
        start, lines = self._text_from, self._text_lines
        self._text_from, self._text_lines = until, 0
        return (Text(offset=start, size=until - start, lines=lines),) if until > start else ()


class _Block:
    """A histogram that is being read."""

    def __init__(self, offset: int, unit: str) -> None:
        self.offset = offset
        self.end = offset
        self.title = ""
        self.unit = unit
        self.slots: list[Slot] = []

    def take(self, line: bytes) -> bool:
        """Whether the line is a row of this histogram; it is kept if so."""
        slot = _read_slot(line)
        if slot is None:
            return False
        self.slots.append(slot)
        return True

    def frame(self) -> Histogram:
        """What has been read, as a value."""
        return Histogram(
            offset=self.offset,
            size=self.end - self.offset,
            title=self.title,
            unit=self.unit,
            slots=tuple(self.slots),
        )


def _open_block(line: bytes, at: int) -> _Block | None:
    if len(line) > 512:
        return None
    header = HEADER.fullmatch(line)
    if header:
        name = header[1].decode("ascii", "replace")
        return _Block(at, UNITS.get(name, name))
    slot = _read_slot(line) if line.startswith((b"[", b"(")) else None
    if slot is None:
        return None
    block = _Block(at, "")
    block.slots.append(slot)
    return block


def _read_slot(line: bytes) -> Slot | None:
    if len(line) > 512:
        return None
    if row := TABLE_ROW.fullmatch(line):
        return Slot(low=int(row[1]), high=int(row[2]), count=int(row[3]))
    if row := BRACKET_ROW.fullmatch(line):
        low = _scale(row[1], row[2]) if row[1] else None
        high = _scale(row[3], row[4]) if row[3] else None
        # bpftrace's "(..., 0)" holds what is below its lowest slot; the widest signed value stands for "no end".
        return Slot(low=-(1 << 63) if low is None else low, high=None if high is None else high - 1, count=int(row[5]))
    if row := SINGLE_ROW.fullmatch(line):
        value = _scale(row[1], row[2])
        return Slot(low=value, high=value, count=int(row[3]))
    if row := LINEAR_ROW.fullmatch(line):
        return Slot(low=int(row[1]), high=int(row[1]), count=int(row[2]))
    return None


def _scale(digits: bytes, suffix: bytes) -> int:
    return int(digits) << (10 * SUFFIXES.index(suffix or b" "))


def _read_title(line: bytes) -> str:
    if len(line) > 512:
        return ""
    named = MAP_TITLE.fullmatch(line) or SECTION_TITLE.fullmatch(line)
    return named[1].decode("utf-8", "replace").strip() if named else ""
