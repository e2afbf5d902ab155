"""What a run's BPF programs cost and what they are attached to, read from outside, from the kernel's own accounts.

BPF_ENABLE_STATS makes the kernel count time and runs of every BPF program while its descriptor is open, and only
then; /proc/PID/fdinfo of the tool's processes names their programs and links. The meter keeps a descriptor of each
program that it has seen, so that the last figures can be read after the tool is gone; a program that nothing is
attached to costs nothing, and the descriptors close with the meter or with us.

Looking costs, too: a tool with hundreds of probes has a thousand descriptors. How often the meter goes through all of
them depends on how long that took (LOOK_SHARE); in between it reads only the figures of the programs that it knows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import msgspec

from toolkit.host import bpf
from toolkit.launch.budget import Burn
from toolkit.launch.held import Attachment, Figures, Held, read_process
from toolkit.launch.processes import list_descendants
from toolkit.launch.window import Window
from toolkit.runs import Account, Cost

TICKS = os.sysconf("SC_CLK_TCK")  # of /proc/PID/stat, a second
LOOK_SHARE = 0.005  # of one CPU that looking at the tool's descriptors may take
MOST_KEPT = 256  # descriptors of programs that we keep: a process may have 1,024 by default


class Watched(msgspec.Struct):
    """A BPF program of the run."""

    descriptor: int | None  # ours, None when we may not have one, or have too many
    kind: int = 0
    name: str = ""
    figures: Figures = Figures()


class Meter:
    """The accounts of one run; `close` it, or use it as a context."""

    def __init__(self) -> None:
        self._programs: dict[int, Watched] = {}
        self._attached: tuple[Attachment, ...] = ()
        self._times: Window[int] = Window()
        self._counts: Window[int] = Window()
        self._cpu = 0.0
        self._memory = 0
        self._most_programs = 0
        self._look_again = 0.0
        self._blind = False  # the figures mean nothing
        self.peak_memory: int | None = None  # bytes, the largest process's resident set
        self.unknown = ""  # why the figures are not, or not all, there
        self._times.add(0.0, {})
        self._counts.add(0.0, {})
        try:
            self._statistics: int | None = bpf.enable_stats()
        except OSError as error:
            self._statistics = None
            self._refusal = bpf.explain_refusal(error)

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sample(self, keeper: int, seconds: float, *, thoroughly: bool = False) -> Cost:
        """Look at the tool's processes now; `seconds` is the time since its start.

        `thoroughly`: also when the last look was long ago only for what it cost, as before a tool is stopped.
        """
        if thoroughly or seconds >= self._look_again:
            began = time.process_time()
            self._look(list_descendants(keeper))
            self._look_again = seconds + (time.process_time() - began) / LOOK_SHARE
        cost = self.read_cost(seconds)
        self._times.add(seconds, {number: one.figures.run_ns for number, one in self._programs.items()})
        self._counts.add(seconds, {number: one.figures.run_count for number, one in self._programs.items()})
        return cost

    def _look(self, processes: Iterable[int]) -> None:
        programs: set[int] = set()
        attached: list[Attachment] = []
        cpu, memory = 0.0, 0
        for pid in processes:
            held = read_process(pid)
            self._note_programs(held)
            programs |= held.programs.keys()
            attached += held.attached
            memory += self._note_memory(pid)
            cpu += read_cpu(pid)
        self._cpu, self._memory = max(cpu, self._cpu), memory
        # A tool that is on its way out has closed its links already: what counts is the most it had.
        if len(attached) >= len(self._attached):
            self._attached = tuple(sorted(attached, key=lambda one: one.text))
        self._most_programs = max(self._most_programs, len(programs))

    def read_cost(self, seconds: float) -> Cost:
        """The figures of every program seen so far, also of those whose process has ended."""
        for one in self._programs.values():
            if one.descriptor is not None:
                info = bpf.read_program(one.descriptor)
                one.figures = Figures(info.run_ns, info.run_count)
        if self._statistics is None and not bpf.are_stats_on():
            # Before Linux 5.8 only the setting turns them on, and whoever did may turn them off again.
            self._blind = True
            self.unknown = f"their cost is not known: {self._refusal}"
        return Cost(
            time=round(seconds, 3),
            programs=self._most_programs,
            attached=tuple(one.text for one in self._attached),
            run_ns=sum(one.figures.run_ns for one in self._programs.values()),
            run_count=sum(one.figures.run_count for one in self._programs.values()),
            cpu=round(self._cpu, 2),
            memory=self._memory,
            unknown=self.unknown,
        )

    def read_burns(self) -> tuple[Burn, ...]:
        """What each program costs over the last seconds; nothing before there are so many, or where it is not known."""
        if self._blind or not self._times.full:
            return ()
        times, counts = self._times.rates(), self._counts.rates()
        return tuple(
            Burn(account=account, events=counts.get(number, 0.0), percent=times.get(number, 0.0) / 1e7)
            for number, account in zip(self._programs, self.read_accounts(), strict=True)
        )

    def read_accounts(self) -> tuple[Account, ...]:
        """Every program seen so far, by its figures as last read."""
        placed = self._place_attachments()
        return tuple(
            Account(
                name=one.name,
                type=one.kind,
                attached=placed[number],
                run_ns=one.figures.run_ns,
                run_count=one.figures.run_count,
            )
            for number, one in self._programs.items()
        )

    def _place_attachments(self) -> dict[int, tuple[str, ...]]:
        """What each program is attached to. An attachment without a program is one of type perf_event."""
        texts: dict[int, list[str]] = {number: [] for number in self._programs}
        homeless: list[str] = []
        for attachment in self._attached:
            texts.get(attachment.program, homeless).append(attachment.text)
        placed = {number: tuple(found) for number, found in texts.items()}
        samplers = [number for number, one in self._programs.items() if one.kind == bpf.PERF_EVENT]
        for at, number in enumerate(samplers):
            placed[number] = placed[number] or tuple(homeless[at :: len(samplers)])
        return placed

    def close(self) -> None:
        """Give back every program and turn the statistics off, unless somebody else keeps them on."""
        for descriptor in (*(one.descriptor for one in self._programs.values()), self._statistics):
            if descriptor is not None:
                os.close(descriptor)
        self._programs.clear()
        self._statistics = None

    def _note_programs(self, held: Held) -> None:
        self.unknown = self.unknown or held.problem  # what the others hold is true all the same
        for number, figures in held.programs.items():
            watched = self._programs.get(number)
            if watched is None:
                watched = self._programs[number] = _watch(number, keep=len(self._programs) < MOST_KEPT)
            watched.figures = figures

    def _note_memory(self, pid: int) -> int:
        """The bytes that a process has in memory now; its peak is noted."""
        now, peak = read_memory(pid)
        if peak:
            self.peak_memory = max(self.peak_memory or 0, peak)
        return now


def _watch(number: int, *, keep: bool) -> Watched:
    """A program from now on; without a descriptor, its process tells the figures while it lives."""
    try:
        descriptor = bpf.program_fd(number)
    except OSError:  # gone already, or this user has CAP_BPF but not CAP_SYS_ADMIN, which ids need
        return Watched(None)
    try:
        info = bpf.read_program(descriptor)
    except OSError:
        os.close(descriptor)
        return Watched(None)
    if not keep:
        os.close(descriptor)
    return Watched(descriptor if keep else None, info.kind, info.name)


def read_memory(pid: int) -> tuple[int, int]:
    """The bytes that a process has in memory, now and at its peak; 0 when it is gone."""
    sizes = {b"VmRSS": 0, b"VmHWM": 0}
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                name, _, value = line.partition(b":")
                if name in sizes:
                    sizes[name] = int(value.split()[0]) << 10
    except (OSError, ValueError):
        return 0, 0
    return sizes[b"VmRSS"], sizes[b"VmHWM"]


def read_cpu(pid: int) -> float:
    """Seconds of CPU that a process and the children that it has waited for used; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS
    except (OSError, ValueError):
        return 0.0
