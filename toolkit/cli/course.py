"""The course of a run that has been started: what a person sees of it, and what is said of it at its end.

All of this is loaded while the tool starts.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

from toolkit.cli import narrate, render
from toolkit.cli.events import StartEvent, emit
from toolkit.cli.gaps import describe_gaps, read_map_keys
from toolkit.cli.sinks import Outlet, Tap, open_outlet
from toolkit.cli.start import Start
from toolkit.cli.status import open_status
from toolkit.launch.detach import Told
from toolkit.launch.keeper import Kept
from toolkit.launch.meter import Meter
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.supervise import Sinks, watch
from toolkit.model import Facts, Variant
from toolkit.recordings.write import Recorder
from toolkit.remarks import Remarks
from toolkit.runs import NOBODY_READS, Cost, Outcome, Result
from toolkit.trials import Points, count_points

IDLE = 1.0  # seconds without reading after which an interrupted run does not wait for whoever reads it
SETTLED = 5.0  # seconds until a detached tool that has attached nothing yet, as bcc compiles, is believed to work
LAST_LINES = 5  # of a tool that failed at once
LAST_BYTES = 1 << 12


class Course:
    """Shows one run: `follow` it to its end, then `finish` what is to be shown and said."""

    def __init__(self, start: Start, name: str, recorder: Recorder | None) -> None:
        self._meter = Meter()  # first: what the tool's programs cost before is not counted
        self._start = start
        self._name = name
        self._recorder = recorder
        self._folder = str(recorder.path) if recorder else ""
        self._outgoing = Outgoing()
        self._points = count_attached(start.session.facts, start.plan.choice.variant)
        self._remarks = Remarks(read_map_keys(start.plan), start.plan.form)
        self._outlet = self._open_outlet()

    def follow(self, kept: Kept) -> Result:
        """Watch it, until nothing of it is left and its recording is complete."""
        start, sinks = self._start, self._outlet.sinks()
        if start.as_json:
            emit(self._outgoing, StartEvent(shape=render.SHAPE, plan=start.plan, recording=self._folder))
        with self._meter:
            result = watch(kept, self._announce(sinks) if start.detached else sinks, self._meter)
        self._outlet.finish(result)
        return result

    def finish(self, result: Result) -> int:
        """Wait until all is shown, and say how it ended; gives the exit status."""
        if self._start.detached:
            self._tell_caller(result)
            return result.status
        interrupted = result.outcome is Outcome.INTERRUPTED
        self._drain(hurried=interrupted)
        closed = "" if result.outcome is Outcome.OUTPUT_CLOSED else self._outgoing.closed
        if not interrupted or _can_be_told():
            self._tell_person(result, closed)
        return result.status or (128 + signal.SIGPIPE if closed else 0)

    def _drain(self, *, hurried: bool) -> None:
        outgoing, began = self._outgoing, time.monotonic()
        outgoing.drain(lambda: hurried and time.monotonic() - max(outgoing.taken, began) > IDLE)
        outgoing.close()

    def _tell_person(self, result: Result, closed: str) -> None:
        start, recorder = self._start, self._recorder
        if closed and closed != NOBODY_READS:
            narrate.warn(closed)
        for line in narrate.describe_trouble(start.plan, result, recorder.problem if recorder else ""):
            narrate.warn(line)
        for line in describe_gaps(start.plan, result, self._remarks, self._points(result.cost)):
            narrate.warn(line)
        if not start.quiet or (not start.as_json and narrate.must_be_said(result)):
            narrate.say(narrate.describe_end(result))
        if start.quiet:
            return
        if self._outlet.folded:
            narrate.say(
                f"{self._outlet.folded} lines of compiler warnings are folded (toolkit recordings show --stderr last)"
            )
        if recorder:
            narrate.say(f"recorded as {recorder.path.name} (toolkit recordings show last)")

    def _tell_caller(self, result: Result) -> None:
        """Tell who detached it how it ended, where that was before it was said to be on."""
        warnings = tuple(self._start.warnings)
        if result.status == 0:
            self._start.tell(Told(run=self._name, over=True, warnings=warnings))
            return
        words = self._read_last_words()
        said = "\n".join(("; its last words:", *(f"  {line}" for line in words))) if words else ""
        self._start.tell(
            Told(
                what=f"the run is not on: {narrate.describe_outcome(result)}{said}",
                fix=f"all that it printed: toolkit recordings show {self._name}",
                status=result.status,
                warnings=warnings,
            )
        )

    def _read_last_words(self) -> tuple[str, ...]:
        from toolkit.complaints import clean_lines, read_complaints  # here: only a failure is looked into

        for name in ("stderr", "stdout"):
            with contextlib.suppress(OSError), open(f"{self._folder}/{name}", "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
                data = file.read()
                last = clean_lines(data)[-LAST_LINES:]
                if last:
                    cause = read_complaints(data).cause  # above a Traceback, for one
                    return last if not cause or any(cause in line for line in last) else (cause, *last)
        return ()

    def _announce(self, sinks: Sinks) -> Sinks:
        """These sinks, and the caller of a detached run is told that it is on, once it looks as if it were."""

        def take_cost(cost: Cost) -> None:
            sinks.cost(cost)
            if cost.attached or cost.time >= SETTLED:
                self._start.tell(Told(run=self._name, warnings=tuple(self._start.warnings)))

        return replace(sinks, cost=take_cost)

    def _open_outlet(self) -> Outlet:
        start = self._start
        tap = Tap(self._recorder, start.plan.form, self._remarks)
        if start.chart:  # where a heat map is drawn there is no room for a line
            from toolkit.cli.chart import ChartOutlet

            return ChartOutlet(tap, self._outgoing, start.plan.form)
        status = None if start.quiet else open_status(self._outgoing, start.plan.deadline, self._points)
        return open_outlet(tap, self._outgoing, status, as_json=start.as_json)


def _can_be_told() -> bool:
    """Whether stderr takes a sentence now."""
    poller = select.poll()
    poller.register(2, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poller.poll(0))


def count_attached(facts: Facts, variant: Variant) -> Callable[[Cost], Points]:
    """A function that tells what of a variant is attached; it counts anew only when something came or went."""

    @cache
    def count(attached: tuple[str, ...]) -> Points:
        return count_points(variant, facts, attached)

    return lambda cost: Points() if cost.unknown else count(cost.attached)
