"""The files of a recording, as types: `run.json` is written before the start and `result.json` last.

While it is written, its writer holds a lock on run.json (flock(2)); without the lock and without result.json, the
launcher died. `stdout` and `stderr` hold the raw bytes; `timing` says when they came, one line `O|E delay bytes` each;
`frames.jsonl` holds what was understood of stdout; `cost.jsonl` the meter's samples; `tags` a person's words.

A delay is in seconds since the line before of the same letter, or since the start. So scriptreplay(1), which knows no
`E` and passes over such lines with their time, plays stdout as it came.
"""

from __future__ import annotations

import re
from enum import StrEnum

from toolkit.model import Value, Verdict
from toolkit.runs import Enforcement, Form, Limits, Result

SHAPE = 1  # of run.json and result.json; raised when a field changes its meaning
ID = re.compile(r"\d{8}T\d{6}Z-[\w.-]+", re.ASCII)  # what recordings.write.new_id makes
TAG = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,63}", re.ASCII)
STREAMS = {"O": "stdout", "E": "stderr"}  # a letter in `timing`, and the file of what came there
MOST_TAGS = 32
BEING_MADE = ".new-"  # before the name of one whose run.json is not complete
BEING_REMOVED = ".gone-"


class RunRecord(Value, frozen=True, omit_defaults=False):
    """run.json: everything that was decided, before anything started. Times are seconds since the epoch."""

    shape: int
    id: str
    started: float
    host: str
    user: str
    kernel: str
    tool: str
    category: str
    variant: str
    engine: str
    revision: str
    path: str
    sha256: str
    argv: tuple[str, ...]
    arguments: tuple[str, ...]  # as the person typed them
    why: str
    verdict: Verdict
    deadline: float
    asked: bool
    output_bytes: int
    grace: float
    nice: int
    limits: Limits = Limits()  # all of them, and what held them
    enforcement: Enforcement = Enforcement()
    form: Form = Form.TEXT  # of what stdout holds: text, or the JSON of bpftrace


class ResultRecord(Value, frozen=True, omit_defaults=False):
    """result.json: how it ended."""

    shape: int
    ended: float
    result: Result
    problem: str = ""  # why the recording is not complete


class State(StrEnum):
    """What a recording is, in one word: how the run ended, as in Outcome, or that it has not."""

    ENDED = "ended"
    DURATION = "duration"
    LIMIT = "limit"
    INTERRUPTED = "interrupted"
    OUTPUT_CLOSED = "output closed"
    FAILED = "failed"
    RUNNING = "running"
    CRASHED = "crashed"  # its launcher died
    UNKNOWN = "unknown"  # it ended, but how cannot be read


class Recording(Value, frozen=True, omit_defaults=False):
    """One recording as it is read back.

    `result` is None while the run goes on, when its launcher died, and when it cannot be read, as `problem` says then.
    """

    path: str
    run: RunRecord
    result: Result | None
    running: bool = False
    tags: tuple[str, ...] = ()
    problem: str = ""  # why it is not complete, or its result cannot be read

    @property
    def state(self) -> State:
        """What it is in one word."""
        if self.result is not None:
            return State(self.result.outcome)
        if self.running:
            return State.RUNNING
        return State.UNKNOWN if self.problem else State.CRASHED


class Query(Value, frozen=True):
    """Which recordings are wanted; what is empty or None asks for nothing. Times are seconds since 1970."""

    tool: str = ""
    category: str = ""
    variant: str = ""
    host: str = ""
    user: str = ""
    state: State | None = None
    tags: tuple[str, ...] = ()  # all of them
    since: float | None = None  # of the start, inclusive
    until: float | None = None  # of the start, exclusive


def matches(query: Query, one: Recording) -> bool:
    """Whether a recording is wanted."""
    run = one.run
    wanted = (query.tool, query.category, query.variant, query.host, query.user)
    found = (run.tool, run.category, run.variant, run.host, run.user)
    return (
        all(not want or want == has for want, has in zip(wanted, found, strict=True))
        and query.state in (None, one.state)
        and set(query.tags) <= set(one.tags)
        and (query.since is None or run.started >= query.since)
        and (query.until is None or run.started < query.until)
    )
