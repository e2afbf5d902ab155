"""Where a run's output goes: to our own stdout and stderr as it comes, or as JSON lines, and to the recording."""

from __future__ import annotations

import codecs
import os
import select
import stat
from collections.abc import Callable
from typing import Protocol

import msgspec

from toolkit.cli.render import SHAPE
from toolkit.launch.supervise import Sinks
from toolkit.model import Value
from toolkit.output.frames import Frame, Histogram
from toolkit.output.parser import Stream
from toolkit.recordings.write import Recorder
from toolkit.runs import Cost, Form, Outcome, Plan, Result

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

    frame: Histogram


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


def open_outlet(recorder: Recorder | None, form: Form, *, as_json: bool) -> Outlet:
    """The outlet that was asked for, of a tool that prints in this form."""
    tap = Tap(recorder, form)
    return JsonOutlet(tap) if as_json else PlainOutlet(tap)


class Tap:
    """What both outlets do with output before anybody sees it: keep it, and read it."""

    def __init__(self, recorder: Recorder | None, form: Form) -> None:
        self.recorder = recorder
        self._stream = Stream(form)
        self._quiet = False  # no output came since the last pause

    def take(self, stream: str, data: bytes) -> tuple[Frame, ...]:
        """Bytes of stream O or E; gives the frames that they complete."""
        if self.recorder:
            self.recorder.take_output(stream, data)
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

    def finish(self, result: Result) -> tuple[Frame, ...]:
        """The run is over; gives the frames that were still pending."""
        frames = self._keep(self._stream.finish())
        if self.recorder:
            self.recorder.finish(result)
        return frames

    def _keep(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        if self.recorder:
            self.recorder.take_frames(frames)
        return frames


class PlainOutlet:
    """The tool's bytes, untouched."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def start(self, plan: Plan) -> None:
        return

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=lambda data, give_up: self._pass(1, "O", data, give_up),
            stderr=lambda data, give_up: self._pass(2, "E", data, give_up),
            cost=self._tap.take_cost,
        )

    def finish(self, result: Result) -> None:
        self._tap.finish(result)

    def _pass(self, descriptor: int, stream: str, data: bytes, give_up: GiveUp) -> str:
        # Recorded first: what the person saw is always in the recording.
        self._tap.take(stream, data)
        return write_all(descriptor, data, give_up)


class JsonOutlet:
    """One JSON object a line, each complete when it is printed."""

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
    emitted = (_emit(FrameEvent(frame=frame), give_up) for frame in frames if isinstance(frame, Histogram))
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
            return "nobody reads its output any more"
        except OSError as error:
            return f"its output cannot be written any more ({error.strerror})"
    return ""


def _has_reader(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not stat.S_ISREG(mode) and not (stat.S_ISCHR(mode) and not os.isatty(descriptor))
