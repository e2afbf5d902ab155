"""Where a run's output goes: to our own stdout and stderr as it comes, or as JSON lines, and to the recording."""

from __future__ import annotations

import codecs
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from toolkit.cli.render import SHAPE
from toolkit.cli.status import Status, can_write
from toolkit.launch.supervise import Sinks
from toolkit.model import Value
from toolkit.output.frames import Frame, Lost
from toolkit.output.pace import Pace
from toolkit.output.parser import Stream
from toolkit.recordings.write import Recorder
from toolkit.remarks import Folder, Remarks
from toolkit.runs import NOBODY_READS, Cost, Form, Outcome, Plan, Result

ASK_EVERY = 100  # milliseconds
GiveUp = Callable[[], bool]


class StartEvent(Value, frozen=True, tag_field="event", tag="start", omit_defaults=False):
    """The first line of `run --json`."""

    shape: int
    plan: Plan
    recording: str


class OutputEvent(Value, frozen=True, tag_field="event", tag="output", omit_defaults=False):
    """What the tool printed, as it came; bytes that are no UTF-8 are replaced here, and kept in the recording."""

    stream: str
    text: str


class FrameEvent(Value, frozen=True, tag_field="event", tag="frame", omit_defaults=False):
    """A piece of stdout that was understood."""

    frame: Frame


class ResultEvent(Value, frozen=True, tag_field="event", tag="result", omit_defaults=False):
    """The last line of `run --json`."""

    result: Result


class Outlet(Protocol):
    """What the two ways to show a run have in common."""

    def start(self, plan: Plan) -> None:
        """The run begins."""
        ...

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


def open_outlet(tap: Tap, status: Status | None, *, as_json: bool) -> Outlet:
    """The outlet that was asked for; what a status line stands below is for people, and may be folded."""
    return JsonOutlet(tap) if as_json else PlainOutlet(tap, status, open_folder(tap.recorder))


def open_folder(recorder: Recorder | None) -> Folder | None:
    """What folds noise away: on a terminal only, and only what is kept elsewhere."""
    return Folder() if recorder is not None and sys.stderr.isatty() else None


class Tap:
    """What both outlets do with output before anybody sees it: keep it, and read it."""

    def __init__(self, recorder: Recorder | None, form: Form, remarks: Remarks) -> None:
        self.recorder = recorder
        self._remarks = remarks
        self._lost = 0  # events, by the frames of stdout
        self._stream = Stream(form, Pace(time.perf_counter))
        self._quiet = False  # no output came since the last pause

    def take(self, stream: str, data: bytes) -> tuple[Frame, ...]:
        """Bytes of stream O or E; gives the frames that they complete."""
        if self.recorder:
            self.recorder.take_output(stream, data)
        self._remarks.hear(stream, data)
        if stream != "O":
            return ()
        self._quiet = False
        return self._keep(self._stream.feed(data))

    def pause(self) -> tuple[Frame, ...]:
        """Called about once a second; gives the frames that wait for more output where none came for so long."""
        quiet, self._quiet = self._quiet, True
        return self._keep(self._stream.pause()) if quiet else ()

    def take_cost(self, cost: Cost) -> None:
        """One sample of the meter."""
        if self.recorder:
            self.recorder.take_cost(cost)

    def count_lost(self) -> int:
        """Events that the engine said it lost, in either stream."""
        return self._lost + self._remarks.lost

    def finish(self, result: Result) -> tuple[Frame, ...]:
        """The run is over; gives the frames that were still pending."""
        frames = self._keep(self._stream.finish())
        if self.recorder:
            self.recorder.finish(result)
        return frames

    def _keep(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        if self.recorder:
            self.recorder.take_frames(frames)
        self._lost += sum(frame.count for frame in frames if isinstance(frame, Lost))
        return frames


class PlainOutlet:
    """The tool's bytes, untouched; on a terminal with a line of ours below, and without the noise of compilers."""

    def __init__(self, tap: Tap, status: Status | None, folder: Folder | None) -> None:
        self._tap = tap
        self._status = status
        self._folder = folder
        self.folded = 0

    def start(self, plan: Plan) -> None:
        return

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=lambda data, give_up: self._pass(1, "O", data, give_up),
            stderr=lambda data, give_up: self._pass(2, "E", data, give_up),
            cost=self._take_cost,
            lost=self._tap.count_lost,
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
        write_all(2, rest)

    def _pass(self, descriptor: int, stream: str, data: bytes, give_up: GiveUp) -> str:
        # Recorded first: what the person saw is always in the recording.
        self._tap.take(stream, data)
        return self._write(descriptor, self._folder.feed(data) if self._folder and stream == "E" else data, give_up)

    def _take_cost(self, cost: Cost) -> None:
        self._tap.take_cost(cost)
        if self._folder and can_write(2):
            self._write(2, self._folder.flush(), give_up=lambda: True)
        if self._status:
            self._status.draw(cost)

    def _write(self, descriptor: int, data: bytes, give_up: GiveUp) -> str:
        if not data:
            return ""
        if self._status is None:
            return write_all(descriptor, data, give_up)
        self._status.erase()
        self._status.note(descriptor, data)
        return write_all(descriptor, data, give_up)


def _may_have_failed(result: Result) -> bool:
    """Whether what a compiler warned of may tell why nothing came; some of bcc's tools fail with status 0."""
    ended_badly = result.outcome is Outcome.ENDED and result.tool_status != 0
    return ended_badly or result.outcome is Outcome.FAILED or not result.cost.attached


class JsonOutlet:
    """One JSON object a line, each complete when it is printed."""

    folded = 0

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        # A character may be cut in two by a read; only bytes that are no UTF-8 at all are replaced.
        kind = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: kind("replace") for name in ("stdout", "stderr")}

    def start(self, plan: Plan) -> None:
        recorder = self._tap.recorder
        _emit(StartEvent(shape=SHAPE, plan=plan, recording=str(recorder.path) if recorder else ""), never)

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=lambda data, give_up: self._pass("stdout", "O", data, give_up),
            stderr=lambda data, give_up: self._pass("stderr", "E", data, give_up),
            cost=self._tap.take_cost,
            pause=lambda give_up: _emit_frames(self._tap.pause(), give_up),
            lost=self._tap.count_lost,
        )

    def finish(self, result: Result) -> None:
        frames = self._tap.finish(result)
        if result.outcome is Outcome.OUTPUT_CLOSED:
            return
        for name, decoder in self._decoders.items():
            text = decoder.decode(b"", final=True)
            if text:
                _emit(OutputEvent(stream=name, text=text), never)
        _emit_frames(frames, never)
        _emit(ResultEvent(result=result), never)

    def _pass(self, name: str, stream: str, data: bytes, give_up: GiveUp) -> str:
        frames = self._tap.take(stream, data)
        text = self._decoders[name].decode(data)
        closed = _emit(OutputEvent(stream=name, text=text), give_up) if text else ""
        return closed or _emit_frames(frames, give_up)


def _emit_frames(frames: tuple[Frame, ...], give_up: GiveUp) -> str:
    emitted = (_emit(FrameEvent(frame=frame), give_up) for frame in frames)
    return next(filter(None, emitted), "")


def _emit(event: Value, give_up: GiveUp) -> str:
    return write_all(1, msgspec.json.encode(event) + b"\n", give_up)


def never() -> bool:
    """A reader may take its time: nothing is running any more."""
    return False


def write_all(descriptor: int, data: bytes, give_up: GiveUp = never) -> str:
    """Write everything; says why it could not (a closed pipe, a lost terminal, a full disk), empty if it could.

    A write that blocks is tried again by Python after every signal (PEP 475), so a reader that has stopped reading
    would hold us for ever. Instead this waits until at least PIPE_BUF bytes can be written, which then cannot block,
    and asks `give_up` in between. A file, or a device such as /dev/null, has no reader, and takes all at once.
    """
    rest = memoryview(data)
    piece = select.PIPE_BUF if _has_reader(descriptor) else len(rest)
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    while rest:
        try:
            while not poller.poll(ASK_EVERY):
                if give_up():
                    return "nobody reads its output"
            rest = rest[os.write(descriptor, rest[:piece]) :]
        except BlockingIOError:
            continue
        except BrokenPipeError:
            return NOBODY_READS
        except OSError as error:
            return f"its output cannot be written any more ({error.strerror})"
    return ""


def _has_reader(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not stat.S_ISREG(mode) and not (stat.S_ISCHR(mode) and not os.isatty(descriptor))
