"""Read what `bpftrace -f json` prints, with the interface and the promises of `parse.FrameParser`.

Each line is a message (`bpftrace_messages`). Those that a program prints come in fragments, `printf("%d ")` and the
rest of the line in another: they are put together again and read as the text that they would be without JSON, so that
a table printed row by row is one. A frame of such text has the bytes of the messages that it came in; where one
message holds the text of two frames, the first has its bytes and the second none. What is no message that we know,
and what is printed as text and is none of the other frames, is a Text, and says its text in `text` where stdout holds
it only as JSON.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from toolkit.output.bpftrace_messages import SPOKEN, Extent, read_frames, read_message
from toolkit.output.frames import Frame, Text
from toolkit.output.parse import FrameParser

LONGEST_MESSAGE = 16 << 20  # bytes; a map of stacks is one line, and what is longer is text
MOST_PARTS = 1 << 16  # messages whose text is in no frame yet


class JsonParser:
    """Turns a stream into frames; `feed` gives those that are complete, `finish` the rest."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line that is not complete
        self._pending = 0  # bytes in them
        self._offset = 0  # in the stream, of the first byte of _pieces
        self._time = ""
        self._speech = Speech()
        self._strays: Extent | None = None  # lines that are no messages, not handed on yet
        self._stray_lines = 0
        self._overlong = False  # inside of a line that is longer than any message

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream."""
        frames: list[Frame] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = b"".join((*self._pieces, data[start : end + 1]))
            self._pieces.clear()
            self._pending = 0
            frames += self._take_line(line)
            start = end + 1
        if start < len(data):
            self._pieces.append(data[start:])
            self._pending += len(data) - start
        if self._pending > LONGEST_MESSAGE:
            self._overlong = True
            frames += self._take_rest()
        return (*frames, *self._speech.answer(), *self._flush_strays())

    def pass_over(self, data: bytes) -> tuple[Frame, ...]:
        """Take more of the stream and do not read it; a line of which a part is not read is not read."""
        self._pieces.clear()
        size, self._pending = self._pending + len(data), 0
        frames = (*self._speech.finish(), *self._flush_strays())
        unread = Text(offset=self._offset, size=size, lines=0, unread=True)
        self._offset += size
        self._overlong = not data.endswith(b"\n") if data else self._overlong
        return (*frames, unread) if size else frames

    def settle(self) -> tuple[Frame, ...]:
        """Nothing came for a while: what the program printed until here is read as it stands."""
        return () if self._pending else (*self._speech.settle(), *self._flush_strays())

    def finish(self) -> tuple[Frame, ...]:
        """The stream is over: whatever is pending is complete now."""
        return (*self._take_rest(), *self._speech.finish(), *self._flush_strays())

    def _take_rest(self) -> tuple[Frame, ...]:
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._pending = 0
        return self._take_line(line) if line else ()

    def _take_line(self, line: bytes) -> tuple[Frame, ...]:
        extent = Extent(self._offset, len(line), self._time)
        self._offset += len(line)
        message = None if self._overlong else read_message(line)
        self._overlong = self._overlong and not line.endswith(b"\n")
        if message is None:
            return self._take_stray(extent)
        if message.text is not None:
            return (*self._flush_strays(), *self._take_text(message.type, message.text, extent))
        frames = read_frames(message, extent)
        if not frames:
            return self._take_stray(extent)
        # The messages of several frames have their bytes once.
        after = (_place(frame, extent.offset + extent.size, 0) for frame in frames[1:])
        return (*self._speech.finish(), *self._flush_strays(), frames[0], *after)

    def _take_text(self, kind: str, text: str, extent: Extent) -> tuple[Frame, ...]:
        if kind == "time" and text.endswith("\n"):
            self._time = text.strip()
        if kind in SPOKEN:
            self._speech.hear(text, extent)
            return ()
        complaint = Text(offset=extent.offset, size=extent.size, lines=text.count("\n"), text=text)
        return (*self._speech.finish(), complaint)

    def _take_stray(self, extent: Extent) -> tuple[Frame, ...]:
        done = self._speech.finish() if self._strays is None else ()
        start = self._strays or extent
        self._strays = Extent(start.offset, extent.offset + extent.size - start.offset, "")
        self._stray_lines += 1
        return done

    def _flush_strays(self) -> tuple[Frame, ...]:
        strays, lines = self._strays, self._stray_lines
        self._strays, self._stray_lines = None, 0
        return (Text(offset=strays.offset, size=strays.size, lines=lines),) if strays else ()


class Part(NamedTuple):
    """One message: where its text begins and ends in all that was said, and where its bytes end in stdout."""

    begin: int
    end: int
    outer_end: int


class Speech:
    """What a program prints, put together from messages and read as text, with the bytes of the messages."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._parser = FrameParser()
        self._unread: list[bytes] = []  # what the parser was not given yet
        self._text = bytearray()  # what it was given, and is in no frame yet
        self._heard = 0  # bytes of all that was said
        self._parts: deque[Part] = deque()  # the messages that are not answered whole
        self._start = 0  # in stdout, of what is not answered yet

    def hear(self, text: str, extent: Extent) -> None:
        """The text of one message; `answer` gives the frames, of many messages at once."""
        if not self._parts:
            self._start = extent.offset
        said = text.encode("utf-8", "replace")
        self._heard += len(said)
        self._unread.append(said)
        self._parts.append(Part(self._heard - len(said), self._heard, extent.offset + extent.size))

    def answer(self) -> tuple[Frame, ...]:
        """The frames that are complete; of too many messages that are in none, what they say as it stands."""
        frames = self._read()
        return (*frames, *self.finish()) if len(self._parts) > MOST_PARTS else frames

    def _read(self) -> tuple[Frame, ...]:
        said = b"".join(self._unread)
        self._unread.clear()
        self._text += said
        return tuple(self._answer(frame) for frame in self._parser.feed(said)) if said else ()

    def settle(self) -> tuple[Frame, ...]:
        """What only waited to see whether it goes on."""
        return tuple(self._answer(frame) for frame in self._parser.settle())

    def finish(self) -> tuple[Frame, ...]:
        """Something else comes: whatever is pending is complete now."""
        if not self._parts:
            return ()
        frames = (*self._read(), *(self._answer(frame) for frame in self._parser.finish()))
        end = self._parts[-1].outer_end if self._parts else 0
        silent = (Text(offset=self._start, size=end - self._start, lines=0),) if end > self._start else ()
        self._reset()
        return (*frames, *silent)

    def _answer(self, frame: Frame) -> Frame:
        inner_end = frame.offset + frame.size
        text = bytes(self._text[: frame.size])
        del self._text[: frame.size]
        start = end = self._start
        while self._parts and self._parts[0].end <= inner_end:
            end = self._parts.popleft().outer_end
        if self._parts and self._parts[0].begin < inner_end:
            end = self._parts[0].outer_end
        self._start = end
        if isinstance(frame, Text):
            return Text(offset=start, size=end - start, lines=frame.lines, text=text.decode("utf-8", "replace"))
        return _place(frame, start, end - start)


def _place(frame: Frame, offset: int, size: int) -> Frame:
    return msgspec.structs.replace(frame, offset=offset, size=size)
