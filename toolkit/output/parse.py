"""Turn what a tool prints into frames as it comes.

One module a shape reads lines: `histograms`, `tables`, `stacks`, `values`; `marks` reads what stands above them. Each
has an opener that tells by a line whether a frame of its shape begins there, and a block that takes the lines of it.
This module cuts the stream into lines, asks the openers in turn, and keeps count of the bytes. Fed with any bytes in
any pieces, the frames cover every byte exactly once and in order; what is not understood is Text; nothing raises. A
line is looked at once by each opener, so that the work grows with the bytes alone, and no more than one line of
LONGEST_LINE, one histogram or stack of MOST_PARTIAL lines, and one feed's rows are held.

Rows and pairs are handed on at the end of each feed; a histogram, a stack, a header and a title wait for the line
below them, or for `settle`.
"""

from __future__ import annotations

from toolkit.output.block import Above, Block, Lines, Opened, Place, decode
from toolkit.output.columns import Columns
from toolkit.output.frames import Frame, Lost, Text
from toolkit.output.histograms import open_histogram
from toolkit.output.marks import read_headline, read_lost, read_time
from toolkit.output.stacks import StackBlock, open_stacks
from toolkit.output.tables import TableBlock, TimedBlock, open_table
from toolkit.output.values import ValuesBlock, open_values

LONGEST_LINE = 1 << 16  # bytes; what is longer is text, and is not searched
PAYLOAD_BEGINS, PAYLOAD_ENDS = b"----- DATA", b"----- END DATA"  # what sslsniff saw: anything at all
MOST_PARTIAL = 4096  # lines of a stack that is not complete; kernels give 127 frames
MOST_UNREAD = 4 << 20  # bytes of one frame of what is passed over
LONGEST_KEY = 200  # characters of a row that a stack belongs to


class FrameParser:
    """Turns a stream into frames; `feed` gives those that are complete, `finish` the rest."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line that is not complete
        self._held = 0  # bytes in them
        self._newline = 1  # bytes of a line's end; the last line of a stream may have none
        self._overlong = False  # inside of a line that is longer than any that is searched
        self._offset = 0  # in the stream, of the line that is looked at
        self._start = 0  # in the stream, of what is in no frame yet
        self._whole = 0  # until here the block is complete
        self._lines = 0  # whole lines since _start, until _whole or, outside of a block, _offset
        self._partial = 0  # lines since _whole
        self._block: Block | None = None
        self._above: list[tuple[int, str]] = []  # offset and text of the last two lines, when they are text
        self._time = ""
        self._columns: Columns | None = None  # of the last table, which may go on
        self._row = ""  # the last row of the table that ended where we are
        self._payload = False  # between the lines that a tool puts around what it has seen
        self._unread = False  # what came since _start is passed over
        self._frames: list[Frame] = []

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream."""
        self._end_unread()
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces.clear()
            self._held = 0
            self._take_lines(lines)
        if rest:
            self._pieces.append(rest)
            self._held += len(rest)
        if self._held > LONGEST_LINE:
            self._take_overlong()
        self._hand_on()
        return self._give()

    def pass_over(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream and do not read it; a line of which a part is not read is not read."""
        if not self._unread:
            self._close_block()
            self._end_text(self._offset)
            self._unread = True
        self._offset += self._held + len(data)
        self._pieces, self._held = [], 0
        self._overlong = not data.endswith(b"\n") if data else self._overlong
        self._payload = False
        if self._offset - self._start >= MOST_UNREAD:
            self._end_unread()
        return self._give()

    def settle(self) -> tuple[Frame, ...]:
        """Nothing came for a while: what waits for the line below it is complete, but for a header and a half line."""
        if not self._held and not self._overlong and not isinstance(self._block, TableBlock):
            self._close_block()
        return self._give()

    def _end_unread(self) -> None:
        """Make a frame of what was passed over."""
        if not self._unread:
            return
        self._unread = False
        if self._offset > self._start:
            self._frames.append(Text(offset=self._start, size=self._offset - self._start, lines=0, unread=True))
        self._start, self._lines = self._offset, 0

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over: whatever is pending is complete now."""
        self._end_unread()
        if self._held:
            last = b"".join(self._pieces)
            self._pieces, self._held = [], 0
            self._newline = 0
            self._take_lines([last])
        self._close_block()
        self._end_text(self._offset)
        return self._give()

    def _give(self) -> tuple[Frame, ...]:
        frames, self._frames = tuple(self._frames), []
        return frames

    def _take_overlong(self) -> None:
        """Let go of the begin of a line that is too long: it is text, whatever it says."""
        self._close_block()
        self._offset += self._held
        self._pieces, self._held = [], 0
        self._overlong = True
        self._above = []

    def _take_lines(self, lines: Lines) -> None:
        at = 0
        if self._overlong:
            self._overlong = False
            self._step(lines[0])
            self._above = []
            at = 1
        count = len(lines)
        while at < count:
            if self._block is not None:
                taken = self._block.take(lines, at)
                if taken:
                    self._advance(lines, at, taken)
                    at += taken
                    continue
                if self._partial and self._block.whole:  # it saw by this line that what it has is complete
                    self._keep_whole()
                    continue
                if not self._open_titled(lines[at]):
                    self._close_block()
                    continue
            else:
                self._take_line(lines[at])
            at += 1

    def _advance(self, lines: Lines, at: int, taken: int) -> None:
        """The block has taken these lines."""
        self._offset += sum(map(len, lines[at : at + taken])) + taken * self._newline
        self._partial += taken
        if self._block is not None and self._block.whole:
            self._keep_whole()
        elif self._partial > MOST_PARTIAL:
            self._close_block()

    def _keep_whole(self) -> None:
        """All that the block took is complete."""
        self._whole = self._offset
        self._lines += self._partial
        self._partial = 0

    def _step(self, line: bytes) -> None:
        """A line of text."""
        self._offset += len(line) + self._newline
        self._lines += 1

    def _take_line(self, line: bytes) -> None:
        if self._payload or line.startswith(PAYLOAD_BEGINS):
            self._payload = not line.startswith(PAYLOAD_ENDS)
            self._above = []
            self._step(line)
            return
        text = decode(line).rstrip() if len(line) <= LONGEST_LINE else ""
        if not text:
            self._above, self._row = [], ""
            self._step(line)
            return
        lost = read_lost(text)
        if lost is not None:
            self._end_text(self._offset)
            self._step(line)
            self._frames.append(Lost(offset=self._start, size=self._offset - self._start, count=lost))
            self._start, self._lines, self._above = self._offset, 0, []
            return
        time = read_time(text)
        if time:
            self._time, self._above, self._row = time, [], ""
            self._step(line)
            return
        self._take_content(line, text)

    def _take_content(self, line: bytes, text: str) -> None:
        """A line that begins a frame, or is text that may be the title or header of one."""
        headline = read_headline(text)
        if headline:
            self._time = headline[0]
        opened = self._open(text) if headline is None else None
        self._row = ""
        if opened is not None:
            self._begin(opened, line)
            return
        self._above = [(self._offset, text), *self._above[:1]]
        self._step(line)

    def _open(self, text: str) -> Opened | None:
        above = Above(tuple(line for _, line in self._above), self._time)
        return (
            open_histogram(text, above)
            or open_table(text, above, self._columns)
            or open_values(text, above)
            or open_stacks(text, above, self._row)
        )

    def _begin(self, opened: Opened, line: bytes) -> None:
        used = opened.above
        self._end_text(self._above[used - 1][0] if used else self._offset)
        self._block = opened.block
        self._above = []
        self._step(line)
        whole = opened.block.whole
        self._lines, self._partial = (used + 1, 0) if whole else (0, used + 1)
        self._whole = self._offset if whole else self._start

    def _open_titled(self, line: bytes) -> bool:
        """Whether the pair that was read last, `cpu = 0`, is the title of a frame that begins below it."""
        block = self._block
        if not isinstance(block, ValuesBlock) or not block.line:
            return False
        title = block.line
        text = decode(line).rstrip()
        opened = open_histogram(text, Above((title,), self._time)) if text else None
        if opened is None:
            return False
        self._block = opened.block
        self._step(line)
        self._lines, self._partial = 2, 0
        self._whole = self._offset
        return True

    def _hand_on(self) -> None:
        """At the end of a feed: the rows that are complete, or the text that no frame below it will claim."""
        if self._block is None:
            self._end_text(self._above[-1][0] if self._above else self._offset)
            return
        place = Place(self._start, self._whole - self._start)
        frame = self._block.hand_on(place, over=False) if place.size else None
        if frame is not None:
            self._frames.append(frame)
            self._start, self._lines = self._whole, 0

    def _close_block(self) -> None:
        block, self._block = self._block, None
        if block is None:
            return
        if isinstance(block, TableBlock):
            self._columns = block.learn()
            self._row = " ".join(block.last)[:LONGEST_KEY]
        if isinstance(block, TimedBlock):
            self._time = block.time
        if isinstance(block, StackBlock) and self._partial and block.end():
            self._keep_whole()
        frame = block.hand_on(Place(self._start, self._whole - self._start), over=True)
        if frame is None:
            self._lines += self._partial
        elif self._whole > self._start:
            self._frames.append(frame)
            self._start, self._lines = self._whole, self._partial
        self._partial = 0

    def _end_text(self, until: int) -> None:
        """Make a frame of the text up to there."""
        kept = sum(offset >= until for offset, _ in self._above)
        if until > self._start:
            self._frames.append(Text(offset=self._start, size=until - self._start, lines=self._lines - kept))
        self._start, self._lines = until, kept
        if until >= self._offset:
            self._above = []
