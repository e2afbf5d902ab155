"""Where a run's output goes: to our own stdout and stderr as it comes, or as JSON lines, and to the recording."""

from __future__ import annotations

import codecs
import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from toolkit.cli.events import FrameEvent, OutputEvent, ResultEvent, emit
from toolkit.cli.status import Status
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.supervise import Sinks
from toolkit.output.frames import Frame
from toolkit.output.pace import Pace
from toolkit.recordings.write import Recorder
from toolkit.remarks import Folder, Remarks
from toolkit.runs import Cost, Form, Outcome, Result

if TYPE_CHECKING:
    from toolkit.output.parser import Stream


class Outlet(Protocol):
    """What the two ways to show a run have in common."""

    def sinks(self) -> Sinks:
        """Where its output goes."""
        ...

    def finish(self, result: Result) -> None:
        """The run is over."""
        ...

    @property
    def folded(self) -> int:
        """Lines of stderr that nobody has seen."""
        ...


def open_outlet(tap: Tap, outgoing: Outgoing, status: Status | None, *, as_json: bool) -> Outlet:
    """The outlet that was asked for; what a status line stands below is for people, and may be folded."""
    return JsonOutlet(tap, outgoing) if as_json else PlainOutlet(tap, outgoing, status, open_folder(tap.recorder))


def open_folder(recorder: Recorder | None) -> Folder | None:
    """What folds noise away: on a terminal only, and only what is kept elsewhere."""
    return Folder() if recorder is not None and sys.stderr.isatty() else None


class Tap:
    """What both outlets do with output before anybody sees it: keep it, and read it."""

    def __init__(self, recorder: Recorder | None, form: Form, remarks: Remarks) -> None:
        self.recorder = recorder
        self._remarks = remarks
        self._form = form
        self._quiet = False  # no output came since the last pause

    @cached_property
    def _stream(self) -> Stream:
        # It takes 8 ms to load, for which the first words of a tool need not wait.
        from toolkit.output import parser

        return parser.Stream(self._form, Pace(time.monotonic, time.thread_time))

    def take(self, stream: str, data: bytes) -> tuple[Frame, ...]:
        """Bytes of stream O or E; gives the frames that they complete."""
        self.keep(stream, data)
        return self.read(stream, data)

    def keep(self, stream: str, data: bytes) -> None:
        """Have bytes in the recording, which comes before anything else."""
        if self.recorder:
            self.recorder.take_output(stream, data)

    def read(self, stream: str, data: bytes) -> tuple[Frame, ...]:
        """Understand bytes that are kept; gives the frames that they complete."""
        self._remarks.hear(stream, data)
        if stream != "O":
            return ()
        self._quiet = False
        return self._keep_frames(self._stream.feed(data))

    def pause(self) -> tuple[Frame, ...]:
        """Called about once a second; gives the frames that wait for more output where none came for so long."""
        quiet, self._quiet = self._quiet, True
        return self._keep_frames(self._stream.pause()) if quiet else ()

    def take_cost(self, cost: Cost) -> None:
        """One sample of the meter."""
        _ = self._stream  # loaded by now, whatever is installed in our place while a run goes on
        if self.recorder:
            self.recorder.take_cost(cost)

    def count_lost(self) -> int:
        """Events that the engine said it lost, in either stream."""
        return self._remarks.lost

    def finish(self, result: Result) -> tuple[Frame, ...]:
        """The run is over; gives the frames that were still pending."""
        frames = self._keep_frames(self._stream.finish())
        if self.recorder:
            self.recorder.finish(result)
        return frames

    def _keep_frames(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        if self.recorder:
            self.recorder.take_frames(frames)
        return frames


class PlainOutlet:
    """The tool's bytes, untouched; on a terminal with a line of ours below, and without the noise of compilers."""

    def __init__(self, tap: Tap, outgoing: Outgoing, status: Status | None, folder: Folder | None) -> None:
        self._tap = tap
        self._outgoing = outgoing
        self._status = status
        self._folder = folder
        self.folded = 0

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=lambda data: self._pass(1, "O", data),
            stderr=lambda data: self._pass(2, "E", data),
            cost=self._take_cost,
            lost=self._tap.count_lost,
            outgoing=self._outgoing,
        )

    def finish(self, result: Result) -> None:
        self._tap.finish(result)
        if self._status:
            self._status.finish()
        if self._folder is None:
            return
        rest = self._folder.flush()
        if _may_have_failed(result):
            rest += self._folder.folded
        else:
            self.folded = self._folder.lines
        self._outgoing.put(2, rest)

    def _pass(self, descriptor: int, stream: str, data: bytes) -> str:
        # Recorded first: what the person saw is always in the recording.
        self._tap.keep(stream, data)
        shown = self._folder.feed(data) if self._folder and stream == "E" else data
        closed = self._write(descriptor, shown)
        self._tap.read(stream, data)
        return closed

    def _take_cost(self, cost: Cost) -> None:
        self._tap.take_cost(cost)
        if self._folder:
            self._write(2, self._folder.flush())
        if self._status:
            self._status.draw(cost)

    def _write(self, descriptor: int, data: bytes) -> str:
        if data and self._status:
            self._status.erase()
            self._status.note(descriptor, data)
        return self._outgoing.put(descriptor, data)


def _may_have_failed(result: Result) -> bool:
    """Whether what a compiler warned of may tell why nothing came; some of bcc's tools fail with status 0."""
    ended_badly = result.outcome is Outcome.ENDED and result.tool_status != 0
    return ended_badly or result.outcome is Outcome.FAILED or not result.cost.attached


class JsonOutlet:
    """One JSON object a line, each complete when it is printed."""

    folded = 0

    def __init__(self, tap: Tap, outgoing: Outgoing) -> None:
        self._tap = tap
        self._outgoing = outgoing
        # A character may be cut in two by a read; only bytes that are no UTF-8 at all are replaced.
        kind = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: kind("replace") for name in ("stdout", "stderr")}

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=lambda data: self._pass("stdout", "O", data),
            stderr=lambda data: self._pass("stderr", "E", data),
            cost=self._tap.take_cost,
            pause=lambda: self._emit_frames(self._tap.pause()),
            lost=self._tap.count_lost,
            outgoing=self._outgoing,
        )

    def finish(self, result: Result) -> None:
        frames = self._tap.finish(result)
        for name, decoder in self._decoders.items():
            text = decoder.decode(b"", final=True)
            if text:
                emit(self._outgoing, OutputEvent(stream=name, text=text))
        self._emit_frames(frames)
        emit(self._outgoing, ResultEvent(result=result))

    def _pass(self, name: str, stream: str, data: bytes) -> str:
        self._tap.keep(stream, data)
        text = self._decoders[name].decode(data)
        if text:
            emit(self._outgoing, OutputEvent(stream=name, text=text))
        return self._emit_frames(self._tap.read(stream, data))

    def _emit_frames(self, frames: tuple[Frame, ...]) -> str:
        for frame in frames:
            emit(self._outgoing, FrameEvent(frame=frame))
        return self._outgoing.closed
