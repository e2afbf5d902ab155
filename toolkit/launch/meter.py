"""What a run's BPF programs cost and what they are attached to, read from outside, from the kernel's own accounts.

BPF_ENABLE_STATS makes the kernel count time and runs of every BPF program while its descriptor is open, and only
then; /proc/PID/fdinfo of the tool's processes names their programs and links. The meter keeps a descriptor of each
program that it has seen, so that the last figures can be read after the tool is gone; a program that nothing is
attached to costs nothing, and the descriptors close with the meter or with us.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from toolkit.host import bpf
from toolkit.launch.processes import list_descendants
from toolkit.runs import Account, Cost

# Names of the values that BPF_TASK_FD_QUERY gives (enum bpf_task_fd_type in include/uapi/linux/bpf.h).
PERF_TYPES = ("raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")


TICKS = os.sysconf("SC_CLK_TCK")  # of /proc/PID/stat, a second


@dataclass(frozen=True)
class Attachment:
    """A program that is attached, and where: "tp_btf sched_switch"; 0 where the kernel does not name the program."""

    program: int
    text: str


@dataclass(frozen=True)
class Seen:
    """What one process holds: BPF program ids, and what is attached."""

    programs: frozenset[int]
    attached: tuple[Attachment, ...]


class Meter:
    """The accounts of one run; `close` it, or use it as a context."""

    def __init__(self) -> None:
        self._programs: dict[int, int | None] = {}  # program id -> our descriptor, None when we may not have one
        self._figures: dict[int, tuple[int, int]] = {}  # program id -> (run_time_ns, run_cnt) as last read
        self._described: dict[int, tuple[int, str]] = {}  # program id -> (type, name)
        self._attached: tuple[Attachment, ...] = ()
        self._cpu = 0.0
        self._most_programs = 0
        self.peak_memory: int | None = None  # bytes, the largest process's resident set
        self.unknown = ""
        try:
            self._statistics: int | None = bpf.enable_stats()
        except OSError as error:
            self._statistics = None
            self.unknown = f"BPF statistics cannot be enabled: {error.strerror}"

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sample(self, keeper: int, seconds: float) -> Cost:
        """Look at the tool's processes now; `seconds` is the time since its start."""
        programs: set[int] = set()
        attached: list[Attachment] = []
        cpu = 0.0
        for pid in list_descendants(keeper):
            seen = read_process(pid)
            programs |= seen.programs
            attached += seen.attached
            self._note_memory(pid)
            cpu += read_cpu(pid)
        self._cpu = cpu
        for program in programs - self._programs.keys():
            self._note_program(program)
        # A tool that is on its way out has closed its links already: what counts is the most it had.
        if len(attached) >= len(self._attached):
            self._attached = tuple(sorted(attached, key=lambda one: one.text))
        self._most_programs = max(self._most_programs, len(programs))
        return self.read_cost(seconds)

    def read_cost(self, seconds: float) -> Cost:
        """The figures of every program seen so far, also of those whose process has ended."""
        for program, descriptor in self._programs.items():
            if descriptor is not None:
                fields = read_fdinfo("self", descriptor)
                self._figures[program] = (_number(fields, "run_time_ns"), _number(fields, "run_cnt"))
        return Cost(
            time=round(seconds, 3),
            programs=self._most_programs,
            attached=tuple(one.text for one in self._attached),
            run_ns=sum(run_ns for run_ns, _ in self._figures.values()),
            run_count=sum(count for _, count in self._figures.values()),
            cpu=round(self._cpu, 2),
            unknown=self.unknown,
        )

    def read_accounts(self) -> tuple[Account, ...]:
        """Every program seen so far, by its figures as last read."""
        return tuple(
            Account(name=name, type=kind, attached=attached, run_ns=run_ns, run_count=count)
            for program, attached in self._place_attachments().items()
            for kind, name in (self._described[program],)
            for run_ns, count in (self._figures.get(program, (0, 0)),)
        )

    def _place_attachments(self) -> dict[int, tuple[str, ...]]:
        """What each program is attached to. An attachment without a program is one of type perf_event."""
        placed = {
            program: tuple(one.text for one in self._attached if one.program == program) for program in self._described
        }
        samplers = [program for program, (kind, _) in self._described.items() if kind == bpf.PERF_EVENT]
        homeless = tuple(one.text for one in self._attached if one.program not in placed)
        for at, program in enumerate(samplers):
            placed[program] = placed[program] or homeless[at :: len(samplers)]
        return placed

    def close(self) -> None:
        """Give back every program and turn the statistics off, unless somebody else keeps them on."""
        for descriptor in (*self._programs.values(), self._statistics):
            if descriptor is not None:
                os.close(descriptor)
        self._programs.clear()
        self._statistics = None

    def _note_program(self, program: int) -> None:
        descriptor = self._programs[program] = _open_program(program)
        try:
            self._described[program] = bpf.describe_program(descriptor) if descriptor is not None else (0, "")
        except OSError:
            self._described[program] = (0, "")

    def _note_memory(self, pid: int) -> None:
        try:
            with open(f"/proc/{pid}/status", "rb") as file:
                line = next((line for line in file if line.startswith(b"VmHWM:")), b"VmHWM: 0")
        except OSError:
            return
        self.peak_memory = max(self.peak_memory or 0, int(line.split()[1]) * 1024)


def _open_program(program: int) -> int | None:
    try:
        return bpf.program_fd(program)
    except OSError:  # gone already, or this user has CAP_BPF but not CAP_SYS_ADMIN, which ids need
        return None


def read_process(pid: int) -> Seen:
    """The BPF programs that a process holds and what its links and perf events attach; empty when it is gone."""
    programs: set[int] = set()
    links: list[Attachment] = []
    events: list[Attachment] = []
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return Seen(frozenset(), ())
    for name in descriptors:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target == "anon_inode:bpf-prog":
            programs.add(_number(read_fdinfo(str(pid), int(name)), "prog_id"))
        elif target in ("anon_inode:bpf_link", "anon_inode:bpf-link"):
            fields = read_fdinfo(str(pid), int(name))
            links.append(Attachment(_number(fields, "prog_id"), describe_link(fields)))
        elif target == "anon_inode:[perf_event]":
            events += describe_perf_event(pid, int(name))
        elif target.startswith("anon_inode:bpf-raw-tracepoint"):
            fields = read_fdinfo(str(pid), int(name))
            text = f"raw_tracepoint {fields.get('tp_name', '')}".strip()
            links.append(Attachment(_number(fields, "prog_id"), text))
    # libbpf holds both a link of type perf and the perf event below it: one attachment, which the event names better.
    bare = [link for link in links if link.text.split()[0] == "perf"]
    others = [link for link in links if link not in bare]
    return Seen(frozenset(programs - {0}), (*others, *(events if len(events) >= len(bare) else bare)))


def describe_link(fields: dict[str, str]) -> str:
    """A BPF link in words: its type, and the tracepoint or function where the kernel says it."""
    kind = fields.get("link_type", "link")
    name = fields.get("tp_name") or fields.get("func") or fields.get("name") or ""
    return f"{kind} {name}".strip()


def describe_perf_event(pid: int, descriptor: int) -> tuple[Attachment, ...]:
    """What a perf event attaches, or nothing: bpftrace and libbpf also use perf events as plain buffers."""
    try:
        info = bpf.query_task_fd(pid, descriptor)
    except OSError as error:
        # EOPNOTSUPP: a program of type perf_event (profile, software and hardware events), of which the kernel
        # tells no more (bpf_get_perf_event_info in kernel/trace/bpf_trace.c). ENOENT: no program.
        # EPERM: the question needs CAP_SYS_ADMIN; that something is attached is then the better guess.
        silent = error.errno in (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)
        return (Attachment(0, "perf_event"),) if silent else ()
    kind = PERF_TYPES[info.fd_type] if 0 <= info.fd_type < len(PERF_TYPES) else "perf_event"
    return (Attachment(info.prog_id, f"{kind} {info.name}".strip()),)


def read_cpu(pid: int) -> float:
    """Seconds of CPU that a process and the children that it has waited for used; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS
    except (OSError, ValueError):
        return 0.0


def read_fdinfo(pid: str, descriptor: int) -> dict[str, str]:
    """The fields of /proc/PID/fdinfo/N; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return {key.strip(): value.strip() for key, _, value in pairs}
    except OSError:
        return {}


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "0").split(" ")[0]
    return int(text) if text.isdigit() else 0
