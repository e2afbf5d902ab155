"""What one process holds of BPF: its programs with the kernel's accounts, and what its links and perf events attach."""

from __future__ import annotations

import errno
import os

from toolkit.host import bpf
from toolkit.model import Value

# Names of the values that BPF_TASK_FD_QUERY gives (enum bpf_task_fd_type in include/uapi/linux/bpf.h).
PERF_TYPES = ("raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")


class Attachment(Value, frozen=True, kw_only=False):
    """A program that is attached, and where: "tp_btf sched_switch"; 0 where the kernel does not name the program."""

    program: int
    text: str


class Figures(Value, frozen=True, kw_only=False):
    """What the kernel counted of one program while its statistics were on."""

    run_ns: int = 0
    run_count: int = 0


class Held(Value, frozen=True, kw_only=False):
    """What one process holds: BPF programs by id, and what is attached. `problem`: why that cannot be seen."""

    programs: dict[int, Figures] = {}
    attached: tuple[Attachment, ...] = ()
    problem: str = ""


def read_process(pid: int) -> Held:
    """What a process holds; nothing when it is gone."""
    programs: dict[int, Figures] = {}
    links: list[Attachment] = []
    events: list[Attachment] = []
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)
    except PermissionError as error:
        return Held(problem=f"{folder}: {error.strerror}")
    except OSError:
        return Held()
    for name in descriptors:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if not target.startswith("anon_inode:"):
            continue
        if target == "anon_inode:bpf-prog":
            fields = read_fdinfo(str(pid), int(name))
            programs[read_number(fields, "prog_id")] = Figures(
                read_number(fields, "run_time_ns"), read_number(fields, "run_cnt")
            )
        elif target in ("anon_inode:bpf_link", "anon_inode:bpf-link"):
            links.append(read_link(str(pid), int(name)))
        elif target == "anon_inode:[perf_event]":
            events += describe_perf_event(pid, int(name))
        elif target.startswith("anon_inode:bpf-raw-tracepoint"):
            fields = read_fdinfo(str(pid), int(name))
            text = f"raw_tracepoint {fields.get('tp_name', '')}".strip()
            links.append(Attachment(read_number(fields, "prog_id"), text))
    programs.pop(0, None)
    # libbpf holds both a link of type perf and the perf event below it: one attachment, which the event names better.
    bare = [link for link in links if link.text.split()[0] == "perf"]
    others = [link for link in links if link not in bare]
    return Held(programs, (*others, *(events if len(events) >= len(bare) else bare)))


def read_link(pid: str, descriptor: int) -> Attachment:
    """The BPF link behind a descriptor of a process, or of ours ("self")."""
    fields = read_fdinfo(pid, descriptor)
    return Attachment(read_number(fields, "prog_id"), describe_link(fields))


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


def read_fdinfo(pid: str, descriptor: int) -> dict[str, str]:
    """The fields of /proc/PID/fdinfo/N; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return {key.strip(): value.strip() for key, _, value in pairs}
    except OSError:
        return {}


def read_number(fields: dict[str, str], name: str) -> int:
    """A count among these fields; 0 where there is none."""
    text = fields.get(name, "0").split(" ")[0]
    return int(text) if text.isdigit() else 0
