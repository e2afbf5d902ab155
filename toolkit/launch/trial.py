"""Start one variant for a moment and see what it attaches: the plan and guard of any run, and a watch that ends it.

A trial is over when what is attached has not changed for a moment and something was seen, or when the tool rests
without being attached. A tool that still computes is still starting: clang on a slow machine takes its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from toolkit.complaints import read_complaints
from toolkit.host.means import find_enforcement
from toolkit.launch.guard import check_file, check_programs
from toolkit.launch.plan import make_plan
from toolkit.launch.supervise import Sinks, supervise
from toolkit.model import Choice, Facts, Tool
from toolkit.runs import Cost, Limits, Outcome, Trial
from toolkit.trials import decide, list_lacks, name_engines

GRACE = 5.0  # seconds between SIGINT and SIGTERM
NICE = 10
OUTPUT = 4 << 20  # bytes of either stream; more ends the trial, which has shown what it was for
KEPT = 16 << 10  # bytes of each end of a stream in which the engine's complaints are looked for, in memory only

STEADY = 0.7  # seconds for which what is attached must not change
UNSEEN = 2.0  # the same while no event came
RESTING = 2.0  # seconds without work and without an attachment
BUSY = 0.03  # share of a CPU above which a process works
HEAVY = 0.25  # share of a CPU that its BPF programs may burn


@dataclass
class Watch:
    """Looks at each sample of the cost, and says when there is no more to see."""

    last: Cost = field(default_factory=Cost)
    changed: float = 0.0  # seconds after the start when an attachment or a program came or went
    worked: float = 0.0  # … when it used the CPU
    settled: bool = False
    heavy: float = 0.0  # share of a CPU, when it was too much

    def look(self, cost: Cost) -> bool:
        """Whether the trial is over."""
        before, self.last = self.last, cost
        passed = max(cost.time - before.time, 1e-3)
        if (cost.attached, cost.programs) != (before.attached, before.programs):
            self.changed = cost.time
        if cost.cpu - before.cpu > BUSY * passed:
            self.worked = cost.time
        share = (cost.run_ns - before.run_ns) / 1e9 / passed
        if share > HEAVY and cost.attached and before.attached:
            self.heavy = self.heavy or share
        quiet = cost.time - self.changed
        if cost.attached:
            self.settled = quiet >= (STEADY if cost.run_count else UNSEEN)
        else:
            self.settled = min(quiet, cost.time - self.worked) >= RESTING
        return self.settled or bool(self.heavy)


@dataclass
class Ends:
    """The beginning and the end of a stream: a compiler tells the cause first, a verifier last."""

    first: bytes = b""
    last: bytes = b""

    def take(self, data: bytes) -> str:
        """Keep what is at either end."""
        room = KEPT - len(self.first)
        self.first += data[:room]
        self.last = (self.last + data[room:])[-KEPT:]
        return ""

    @property
    def data(self) -> bytes:
        """What is kept; where something is left out between, the line that it cut is left out too."""
        return self.first + (b"\n" + self.last.partition(b"\n")[2] if len(self.last) == KEPT else self.last)


def try_variant(
    tool: Tool, choice: Choice, facts: Facts, kernel: str, seconds: float, stopping: Callable[[], bool] = lambda: False
) -> Trial | int:
    """Start a variant, at most for so many seconds, and say what was seen; or the exit status after a signal.

    `kernel` is the name of the running kernel, its build included; `stopping` is asked whether to end it at once.
    Raises CannotRun for what the guard refuses, and where there is no engine.
    """
    variant = choice.variant
    # What its programs may burn is for the watch to say, which knows why it ends.
    limits = Limits(duration=seconds, grace=GRACE, output_bytes=OUTPUT, nice=NICE, bpf_cost=0)
    plan = make_plan(tool, choice, limits, facts, {}, duration=seconds, enforcement=find_enforcement())
    check_file(variant)
    check_programs(plan)
    watch, stdout, stderr = Watch(), Ends(), Ends()
    began = time.time()
    sinks = Sinks(
        stdout=stdout.take, stderr=stderr.take, cost=lambda _: None, enough=lambda cost: watch.look(cost) or stopping()
    )
    result = supervise(plan, sinks)
    if result.outcome is Outcome.INTERRUPTED:
        return result.status
    # What a tool that traces prints to stdout is other people's data: it is not even looked at.
    gave_up = result.outcome is Outcome.ENDED and not any(one.attached for one in result.accounts)
    complaints = read_complaints(stderr.data, stdout.data if gave_up else b"")
    settled = watch.settled or bool(watch.heavy) or result.outcome is Outcome.LIMIT
    return Trial(
        variant=variant.id,
        sha256=variant.sha256,
        seen=decide(variant, facts, result, complaints, settled=settled),
        arguments=choice.arguments,
        kernel=kernel,
        engines=name_engines(variant.engine, facts),
        predicted=choice.verdict.status,
        lacked=list_lacks(choice.verdict),
        seconds=result.seconds,
        time=round(began, 3),
    )
