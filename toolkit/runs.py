"""The types of a run: its limits, the decision before it starts, what it cost, and what came of it.

Frozen and small like those of `model`, which they build on. Times are seconds and sizes are bytes unless a name says
otherwise.
"""

from __future__ import annotations

from enum import StrEnum

from toolkit.model import Choice, Status, Value


class Limits(Value, frozen=True):
    """The bounds of one run; 0 means no bound where that makes sense: rate, CPU, and the counts of runs."""

    duration: float = 60.0
    grace: float = 10.0  # between SIGINT and SIGTERM
    output_bytes: int = 64 << 20  # of stdout, and as many of stderr
    nice: int = 5
    output_rate: int = 0  # bytes a second of both streams, over any 3 s
    memory_bytes: int = 1 << 30  # of all its processes together
    cpu: float = 0.0  # percent of one CPU that its processes may use over any 3 s; BCC's compiler takes all of one
    processes: int = 128  # and threads
    bpf_cost: float = 5.0  # percent of one CPU that its BPF programs may burn over any 3 s
    runs: int = 4  # on this host at the same time
    runs_of_tool: int = 2  # of the same tool
    free_bytes: int = 256 << 20  # that the disk of the recordings must have left


class Means(StrEnum):
    """What holds memory, CPU and processes of a run within its limits, best first."""

    SCOPE = "systemd scope"
    CGROUP2 = "cgroup v2"
    CGROUP1 = "cgroup v1"
    WATCHING = "rlimits and watching"


class Enforcement(Value, frozen=True):
    """The means that this host has, and why it has no better one."""

    means: Means = Means.WATCHING
    folders: dict[str, str] = {}  # by controller: the cgroup below which a run gets one of its own
    why: str = ""  # there is no better one
    unmetered: str = ""  # why nobody can tell what its BPF programs cost, so that nothing holds the limit of that


class Form(StrEnum):
    """What a tool prints: text for people, or data that its engine was asked for."""

    TEXT = "text"
    BPFTRACE_JSON = "bpftrace json"  # `bpftrace -f json`: a message a line


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
    enforcement: Enforcement = Enforcement()
    form: Form = Form.TEXT  # of what it prints on stdout
    folder: str = ""  # where it is started; empty: where the caller is


class Outcome(StrEnum):
    """How a run ended."""

    ENDED = "ended"  # the tool ended by itself
    DURATION = "duration"  # the duration asked for is over
    LIMIT = "limit"  # a limit ended it
    INTERRUPTED = "interrupted"  # a person or a signal to toolkit ended it
    OUTPUT_CLOSED = "output closed"  # nobody reads what it prints any more
    FAILED = "failed"  # toolkit could not run it


NOBODY_READS = "nobody reads its output any more"  # the detail of OUTPUT_CLOSED when a reader left, as `head` does


class Cost(Value, frozen=True):
    """What a run's BPF programs cost, from the kernel's own statistics."""

    time: float = 0.0  # seconds since start
    programs: int = 0
    attached: tuple[str, ...] = ()  # one entry a link or perf event: "tp_btf sched_switch"
    run_ns: int = 0
    run_count: int = 0
    cpu: float = 0.0  # seconds of CPU that its living processes and what they waited for have used
    memory: int = 0  # bytes that its processes have in memory now
    lost: int = 0  # events that the engine said it lost so far
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
    limit: str = ""  # the name of the limit that ended it: "bpf_cost", as in Limits
    unheld: str = ""  # why the means of its plan could not be had: then it was only watched
    accounts: tuple[Account, ...] = ()
    left: tuple[int, ...] = ()  # processes that could not be killed, because they sleep in the kernel


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
