"""The types of a run: its limits, the decision before it starts, what it cost, and what came of it.

Frozen and small like those of `model`, which they build on. Times are seconds and sizes are bytes unless a name says
otherwise.
"""

from __future__ import annotations

from enum import StrEnum

from toolkit.model import Choice, Status, Value


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
    cpu: float = 0.0  # seconds of CPU that its living processes and what they waited for have used
    unknown: str = ""  # why it could not be read


class Account(Value, frozen=True):
    """One BPF program of a run: its name (15 bytes of it), where it was attached, how often it ran."""

    name: str = ""
    type: int = 0  # enum bpf_prog_type
    attached: tuple[str, ...] = ()
    run_ns: int = 0
    run_count: int = 0


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
    accounts: tuple[Account, ...] = ()


class Observed(StrEnum):
    """What came of a trial, in the words of verdicts; `untested`: it could not be tried, or only with arguments."""

    RUNS = "runs"
    PARTIAL = "partial"
    BLOCKED = "blocked"
    UNTESTED = "untested"


class Seen(Value, frozen=True):
    """What a trial showed: by the kernel's accounts, and by the engine's own words on what went wrong."""

    observed: Observed
    reason: str = ""  # in a sentence
    symptom: str = ""  # the engine's line that tells the cause
    lacking: tuple[str, ...] = ()  # attach points that it went on without
    blind: bool = False  # it went on, attached to no event
    programs: int = 0
    attached: int = 0  # programs that were attached
    saw_events: bool = False  # one of those that trace something ran


class Trial(Value, frozen=True):
    """What happened when a variant was started for a moment, and what that depends on: where it changed, it expires."""

    variant: str  # its id
    sha256: str
    seen: Seen
    arguments: tuple[str, ...] = ()
    kernel: str = ""  # release and build
    engines: str = ""  # "bpftrace 0.17.0"
    predicted: Status = Status.UNKNOWN
    lacked: tuple[str, ...] = ()  # what the prediction said is missing
    seconds: float = 0.0
    time: float = 0.0  # seconds since 1970 when it began
