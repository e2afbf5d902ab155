"""Run a plan: start the keeper and the tool, pass output on as it comes, watch limits and cost, say how it ended.

The launcher is one loop over a few descriptors: the tool's stdout and stderr, the keeper's events, signals, and
whoever reads what we print. It never waits for the tool or for a reader in any other way, so every limit holds while
the tool floods, sleeps or ignores signals, and while the terminal stands still. The deadline itself is kept by the
keeper (launch/keeper.py), which also lives on when the launcher is stopped or killed.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from msgspec.structs import replace

from toolkit.launch.bounds import describe_limit
from toolkit.launch.budget import describe_excess
from toolkit.launch.keeper import CAUGHT, Kept, keep, release_signals
from toolkit.launch.ladder import Order
from toolkit.launch.meter import Meter
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.warden import bury_run
from toolkit.launch.window import Window
from toolkit.model import Value
from toolkit.runs import Account, Cost, Outcome, Plan, Result

CHUNK = 1 << 18
# A tool that prints line by line is not read at each line but when, at its rate, a quarter of its pipe is full: so it
# need not wait for us, and we wait for REST seconds at most.
REST = 0.001
PLENTY = 4
LAST_WORDS = 4 << 20  # bytes that it may still print after it reached its output cap: what is in the pipe, its maps
# Bytes that may wait for a reader. The tool is read no further until some are taken, and has to wait as it would
# without us; when it is stopped, there is room for its last words as well.
MOST_WAITING = 16 << 20
FIRST_SAMPLES = (0.1, 0.25, 0.5)  # seconds after start: short runs have a cost too
SAMPLE_EVERY = 1.0
RATED_EVERY = 0.1  # seconds between two looks at the rate of output
ESCALATION = (Order.STOP, Order.TERMINATE, Order.KILL)


class Sinks(Value, frozen=True):
    """Where a run's output and samples go.

    `stdout` and `stderr` take all bytes at once and give why nobody reads them, empty while somebody may; they get
    what comes after that, too. `enough` says after a sample of the cost whether the run has done what it was for: it is
    then stopped as if its time were over. `pause` is called about once a second and gives the same as `stdout`: what
    waits for the next line of a tool that has none for now can be shown. `lost` tells how many events the engine said
    it lost. `outgoing` is what they print through, if they print; what waits in it is written while the run goes on.
    """

    stdout: Callable[[bytes], str]
    stderr: Callable[[bytes], str]
    cost: Callable[[Cost], None]
    enough: Callable[[Cost], bool] = lambda _: False
    pause: Callable[[], str] = lambda: ""
    lost: Callable[[], int] = lambda: 0
    outgoing: Outgoing | None = None


def supervise(plan: Plan, sinks: Sinks) -> Result:
    """Run the plan to its end; nothing of the tool is left when this returns."""
    with keep(plan) as kept, Meter() as meter:
        return watch(kept, sinks, meter)


def watch(kept: Kept, sinks: Sinks, meter: Meter) -> Result:
    """Watch a run that has been started to its end; the meter is best made as soon as it is."""
    with Run(kept, sinks, meter) as run, _catch_signals(run):
        run.loop()
        return run.result()


class Run:
    """One run while it goes on: its descriptors, and what is known of it so far."""

    def __init__(self, kept: Kept, sinks: Sinks, meter: Meter) -> None:
        self._kept = kept
        self._plan = kept.plan
        self._sinks = sinks
        self._meter = meter
        self._selector = selectors.DefaultSelector()
        self._bytes = {"stdout": 0, "stderr": 0}
        self._printed: Window[str] = Window()
        self._printed.add(0.0, self._bytes)
        self._rated = 0.0
        self._dropped = 0
        self._samples = 0
        self._events = b""
        self._stopped_for: Outcome | None = None
        self._caught: int | None = None
        self._signals = 0
        self._metered = False  # the last figures have been read
        self._tool = 0  # its PID, which is also its process group
        self._detail = ""
        self._limit = ""  # the name of the limit that ended it, as in Limits
        self._unheld = ""
        self._left: tuple[int, ...] = ()
        self._tool_status: int | None = None
        self._ended = False
        self._cost = Cost()
        self._accounts: tuple[Account, ...] = ()
        self._outgoing = sinks.outgoing or Outgoing()
        self._blocked: tuple[int, ...] = ()  # its descriptors that are waited for
        self._holding = False  # the tool is not read, because too much waits
        self._readers = {kept.stdout: "stdout", kept.stderr: "stderr", kept.events: "events"}
        self._read_at = 0.0  # seconds after the start
        self._plenty = min(fcntl.fcntl(kept.stdout, fcntl.F_GETPIPE_SZ) // PLENTY, CHUNK)
        for descriptor in self._readers:
            self._selector.register(descriptor, selectors.EVENT_READ)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._readers:
            os.close(descriptor)
        self._selector.close()

    # --- The loop -------------------------------------------------------------------------------------------------

    def loop(self) -> None:
        """Until the keeper says that the tool ended and all of its output has been read."""
        while self._readers and not (self._ended and self._drained()):
            ready = [key.fd for key, _ in self._selector.select(self._until_sample())]
            if self._blocked and not set(ready).isdisjoint(self._blocked):
                self._note_closed(self._outgoing.push())
            printed = sum(map(self._read, ready))
            self._sample_when_due()
            self._heed_reader()
            self._rest(printed)
        self._close_meter()

    def _heed_reader(self) -> None:
        """Wait for who reads our output while something waits there; while it is too much, read none of the tool's."""
        blocked = self._outgoing.blocked
        if blocked != self._blocked:
            for descriptor in self._blocked:
                self._selector.unregister(descriptor)
            for descriptor in blocked:
                self._selector.register(descriptor, selectors.EVENT_WRITE)
            self._blocked = blocked
        most = MOST_WAITING if self._stopped_for is None else MOST_WAITING + LAST_WORDS
        holding = self._outgoing.waiting >= most and not self._ended
        if holding != self._holding:
            self._holding = holding
            for descriptor in (one for one, name in self._readers.items() if name != "events"):
                if holding:
                    self._selector.unregister(descriptor)
                else:
                    self._selector.register(descriptor, selectors.EVENT_READ)

    def _rest(self, printed: int) -> None:
        """Let the pipe fill after so many bytes of output came."""
        passed = self._seconds() - self._read_at
        if 0 < printed < self._plenty and not self._ended:
            time.sleep(min(REST, passed * self._plenty / printed))
        if printed:
            self._read_at = self._seconds()

    def _drained(self) -> bool:
        """Nothing is left to read now. Whoever still held the pipes is gone: the keeper has swept."""
        ready = (self._readers.get(key.fd) for key, _ in self._selector.select(0))
        return not any(name in self._bytes for name in ready)

    def _read(self, descriptor: int) -> int:
        """Take what is there; gives how many bytes of output it was."""
        name = self._readers.get(descriptor)
        if name is None:
            return 0
        data = os.read(descriptor, CHUNK)
        if not data:
            self._selector.unregister(descriptor)
            del self._readers[descriptor]
            os.close(descriptor)
            if name == "events" and not self._ended:
                self._bury_keeper()
        elif name == "events":
            self._hear(data)
        else:
            self._pass_on(name, data)
            return len(data)
        return 0

    def _bury_keeper(self) -> None:
        """Somebody killed the keeper: the kernel has killed the tool with it, its group is ours to end."""
        self._stopped_for, self._detail, self._ended = (
            Outcome.FAILED,
            "the process that kept its limits was killed",
            True,
        )
        bury_run(self._plan, self._kept.mark)

    def _pass_on(self, name: str, data: bytes) -> None:
        cap = self._plan.limits.output_bytes
        self._bytes[name] += len(data)
        if self._bytes[name] > cap:
            self.stop(Outcome.LIMIT, f"it printed more than {cap / (1 << 20):g} MiB on {name}", "output_bytes")
        self._check_rate()
        over = max(0, self._bytes[name] - cap - LAST_WORDS)
        kept = data[: max(0, len(data) - over)]
        self._dropped += len(data) - len(kept)
        sink = self._sinks.stdout if name == "stdout" else self._sinks.stderr
        if kept:
            self._note_closed(sink(kept))

    def _note_closed(self, closed: str) -> None:
        if closed:
            self.stop(Outcome.OUTPUT_CLOSED, closed)

    def _check_rate(self) -> None:
        """Hold the output of the last seconds against the limit of its rate."""
        most = self._plan.limits.output_rate
        if not most or self._seconds() - self._rated < RATED_EVERY:
            return
        self._rated = self._seconds()
        self._printed.add(self._rated, self._bytes)
        if self._printed.full and sum(self._printed.rates().values()) > most:
            self.stop(Outcome.LIMIT, f"it printed more than {most / 1024:g} KiB a second", "output_rate")

    def _close_meter(self) -> None:
        if not self._metered:
            self._metered = True
            self._keep_cost(self._meter.read_cost(self._seconds()))
            self._accounts = self._meter.read_accounts()
            self._meter.close()

    def _hear(self, data: bytes) -> None:
        *lines, self._events = (self._events + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "stopping" and self._stopped_for is None:
                self._note_limit(rest)
            elif word == "unheld":
                self._unheld = rest
            elif word == "started":
                self._tool = int(rest)
            elif word == "ended":
                self._tool_status, self._ended = int(rest), True
            elif word == "left":
                self._left = tuple(map(int, rest.split()))
            elif word == "stuck":
                self._stopped_for, self._ended = Outcome.FAILED, True
                self._detail = f"process {self._tool} sleeps in the kernel and cannot be killed"
            elif word == "failed":
                self._stopped_for, self._ended = Outcome.FAILED, True
                self._detail = f"{self._plan.argv[0]}: {os.strerror(int(rest))}"

    def _note_limit(self, why: str) -> None:
        """The keeper stops the tool: at the deadline, or at a limit that it watches."""
        limits = self._plan.limits
        self._stopped_for = Outcome.LIMIT
        if why == "deadline" and self._plan.asked:
            self._stopped_for = Outcome.DURATION
        elif why == "deadline":
            self._detail, self._limit = f"the limit of {self._plan.deadline:g} s was reached", "duration"
        else:
            self._detail, self._limit = describe_limit(why, limits), why
        self._sample(thoroughly=True)

    # --- Stopping -------------------------------------------------------------------------------------------------

    def stop(self, why: Outcome, detail: str, limit: str = "") -> None:
        """Ask the keeper to end the tool, SIGINT first; the first reason to stop is the one that counts."""
        if self._stopped_for is not None:
            return
        self._stopped_for, self._detail, self._limit = why, detail, limit
        self._sample(thoroughly=True)  # the last look before its links and programs go
        self._order(Order.STOP)

    def catch(self, number: int, _: FrameType | None) -> None:
        """A signal to the launcher: the first asks the tool to finish, the second insists, the third kills.

        It runs between any two instructions of the loop, so it only sets what nobody else changes and writes orders.
        """
        self._signals += 1
        if self._stopped_for is None:
            self._stopped_for, self._detail = Outcome.INTERRUPTED, signal.Signals(number).name
            self._caught = number
        self._order(ESCALATION[min(self._signals, len(ESCALATION)) - 1])

    def _order(self, order: Order) -> None:
        try:
            os.write(self._kept.orders, order)
        except OSError:
            return  # the keeper has ended, and the tool with it

    # --- Cost -----------------------------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return time.monotonic() - self._kept.started

    def _due(self) -> float:
        """When the next sample is due, in seconds after the start."""
        if self._samples < len(FIRST_SAMPLES):
            return FIRST_SAMPLES[self._samples]
        return SAMPLE_EVERY * (self._samples - len(FIRST_SAMPLES) + 1)

    def _until_sample(self) -> float:
        return max(0.0, self._due() - self._seconds())

    def _sample_when_due(self) -> None:
        if self._seconds() < self._due():
            return
        self._sample()
        if not self._metered and self._sinks.enough(self._cost):
            self.stop(Outcome.DURATION, "")
        self._note_closed(self._sinks.pause())
        self._check_cost()
        self._samples += 1
        while self._due() < self._seconds():  # after a pause, such as ^Z, no burst of samples
            self._samples += 1

    def _sample(self, *, thoroughly: bool = False) -> None:
        if self._metered:
            return
        self._keep_cost(self._meter.sample(self._kept.keeper, self._seconds(), thoroughly=thoroughly))

    def _keep_cost(self, cost: Cost) -> None:
        self._cost = replace(cost, lost=self._sinks.lost())
        self._sinks.cost(self._cost)

    def _check_cost(self) -> None:
        """Stop a tool whose BPF programs burn more than they may: every event of the host pays for them."""
        excess = describe_excess(self._meter.read_burns(), self._plan.limits.bpf_cost)
        if excess:
            self.stop(Outcome.LIMIT, excess, "bpf_cost")

    # --- The end --------------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """How the run ended, as a value."""
        outcome = self._stopped_for or Outcome.ENDED
        return Result(
            outcome=outcome,
            status=exit_status(outcome, self._tool_status, self._caught),
            tool_status=self._tool_status,
            seconds=round(self._seconds(), 3),
            stdout_bytes=self._bytes["stdout"],
            stderr_bytes=self._bytes["stderr"],
            dropped_bytes=self._dropped,
            cost=self._cost,
            peak_memory=self._meter.peak_memory,
            detail=self._detail,
            limit=self._limit,
            unheld=self._unheld,
            left=self._left,
            accounts=self._accounts,
        )


def exit_status(outcome: Outcome, tool_status: int | None, caught: int | None) -> int:
    """Toolkit's exit status, after timeout(1) and docker-run(1); `caught` is the signal that toolkit got."""
    match outcome:
        case Outcome.ENDED:
            status = tool_status or 0
            return status if status >= 0 else 128 - status
        case Outcome.DURATION:
            return 0
        case Outcome.LIMIT:
            return 124
        case Outcome.INTERRUPTED:
            return 128 + (caught or signal.SIGINT)
        case Outcome.OUTPUT_CLOSED:
            return 128 + signal.SIGPIPE
        case Outcome.FAILED:
            return 125


@contextmanager
def _catch_signals(run: Run) -> Iterator[None]:
    """Hand SIGINT, SIGTERM and SIGHUP to the run while it goes on; what comes later waits until `keep` is left.

    So a second ^C does not come between the end of a run and its result. SIGHUP that the caller ignores (nohup) stays
    ignored; so does SIGINT of a background job.
    """
    before = {}
    for number in CAUGHT:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, run.catch)
    release_signals()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        for number, handler in before.items():
            signal.signal(number, handler)
