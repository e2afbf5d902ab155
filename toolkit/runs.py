"""The types of a run: its limits, the decision before it starts, what it cost, and what came of it.

Frozen and small like those of `model`, which they build on. Times are seconds and sizes are bytes unless a name says
otherwise.
"""

from __future__ import annotations

from enum import StrEnum

from toolkit.model import Choice, Value


class Limits(Value, frozen=True):
    """The bounds of one run."""

    duration: float = 60.0
    grace: float = 10.0  # between SIGINT and SIGTERM
    output_bytes: int = 64 << 20
    nice: int = 5


class Plan(Value, frozen=True):
    """The whole decision of one run, made before anything starts."""

    tool: str
    category: str
    choice: Choice
    argv: tuple[str, ...]
    env: dict[str, str]
    limits: Limits
    deadline: float  # seconds from start after which it is stopped
    asked: bool  # the deadline is the duration that was asked for: reaching it is success


class Outcome(StrEnum):
    """How a run ended."""

    ENDED = "ended"  # the tool ended by itself
    DURATION = "duration"  # the duration asked for is over
    LIMIT = "limit"  # a limit ended it
    INTERRUPTED = "interrupted"  # a person or a signal to toolkit ended it
    OUTPUT_CLOSED = "output closed"  # nobody reads what it prints any more
    FAILED = "failed"  # toolkit could not run it


class Cost(Value, frozen=True):
    """What a run's BPF programs cost, from the kernel's own statistics."""

    time: float = 0.0  # seconds since start
    programs: int = 0
    attached: tuple[str, ...] = ()  # one entry a link or perf event: "tp_btf sched_switch"
    run_ns: int = 0
    run_count: int = 0
    unknown: str = ""  # why it could not be read


class Result(Value, frozen=True):
    """What came of a run."""

    outcome: Outcome
    status: int  # toolkit's exit status
    tool_status: int | None  # the tool's own; negative for a signal
    seconds: float
    stdout_bytes: int
    stderr_bytes: int
    dropped_bytes: int
    cost: Cost
    peak_memory: int | None
    detail: str = ""
