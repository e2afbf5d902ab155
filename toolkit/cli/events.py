"""What a run prints for programs, one JSON object a line."""

from __future__ import annotations

import msgspec

from toolkit.errors import StateError
from toolkit.launch.outgoing import Outgoing
from toolkit.model import Value
from toolkit.output.frames import Frame
from toolkit.runs import NOBODY_READS, Plan, Result


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


def emit(outgoing: Outgoing, event: Value) -> str:
    """Print one of them; gives why nobody takes it."""
    return outgoing.put(1, msgspec.json.encode(event) + b"\n")


def raise_problem(problem: str) -> None:
    """Raises BrokenPipeError where `write_all` says that the reader left, StateError where it says anything else."""
    if problem == NOBODY_READS:
        raise BrokenPipeError
    if problem:
        raise StateError(problem)
