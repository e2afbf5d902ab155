"""What runs inside a kernel of the matrix: starts each tool alone and writes down what the kernel says it attached.

It stands alone: Python 3.9 and no package, because it is copied into every root. What it sees goes out as JSON lines,
one a tool, unjudged; `classify` makes verdicts of them on the other side, so that a mended rule needs no kernel.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

JOB = "/job"
SYS_BPF = 321  # x86_64
PROG_GET_NEXT_ID, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, TASK_FD_QUERY = 11, 13, 15, 20
LINK_GET_NEXT_ID, LINK_GET_FD_BY_ID = 31, 30
POLL = 0.5  # seconds
STEADY = 2.5  # seconds without a change of programs and attachments, and with the processor left alone
QUIET = 12.0  # the same for a tool that attached nothing: it may still be about to
TAIL = 4000  # characters kept of what a tool prints
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attributes: Any) -> int:
    """bpf(2). Raises OSError."""
    result = libc.syscall(SYS_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


class IdRequest(ctypes.Structure):
    """Of the commands that go from one object's id to the next, or to its descriptor."""

    _fields_ = [("start", ctypes.c_uint32), ("next", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


class InfoRequest(ctypes.Structure):
    """Of BPF_OBJ_GET_INFO_BY_FD."""

    _fields_ = [("fd", ctypes.c_uint32), ("size", ctypes.c_uint32), ("info", ctypes.c_uint64)]


class QueryRequest(ctypes.Structure):
    """Of BPF_TASK_FD_QUERY: which program a perf event of a process calls, and where it is attached."""

    _fields_ = [
        ("pid", ctypes.c_uint32),
        ("fd", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("program", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("offset", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
    ]


def list_ids(command: int) -> list[int]:
    found: list[int] = []
    last = 0
    while True:
        request = IdRequest(start=last)
        try:
            bpf(command, request)
        except OSError:
            return found
        last = request.next
        found.append(last)


def list_programs() -> dict[int, dict[str, Any]]:
    """Every program in the kernel by its id: type, name, and how often it ran."""
    programs = {}
    for number in list_ids(PROG_GET_NEXT_ID):
        info = (ctypes.c_ubyte * 232)()
        try:
            fd = bpf(PROG_GET_FD_BY_ID, IdRequest(start=number))
        except OSError:
            continue
        try:
            bpf(OBJ_GET_INFO_BY_FD, InfoRequest(fd=fd, size=232, info=ctypes.addressof(info)))
        finally:
            os.close(fd)
        data = bytes(info)
        programs[number] = {
            "type": int.from_bytes(data[0:4], "little"),
            "name": data[64:80].split(b"\0")[0].decode(errors="replace"),
            "ran": int.from_bytes(data[200:208], "little"),
        }
    return programs


def list_links() -> list[tuple[str, int]]:
    """Type and program of every link in the kernel."""
    links = []
    for number in list_ids(LINK_GET_NEXT_ID):
        try:
            fd = bpf(LINK_GET_FD_BY_ID, IdRequest(start=number))
        except OSError:
            continue
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        finally:
            os.close(fd)
        links.append((fields.get("link_type", "").strip(), int(fields.get("prog_id", "0"))))
    return links


def query_event(pid: int, fd: int) -> tuple[str, int] | None:
    """Place and program of a perf event; (perf_event, 0) where the kernel does not tell; None when it calls none."""
    buffer = ctypes.create_string_buffer(256)
    request = QueryRequest(pid=pid, fd=fd, size=256, buffer=ctypes.addressof(buffer))
    try:
        bpf(TASK_FD_QUERY, request)
    except OSError as error:
        return ("perf_event", 0) if error.errno == errno.EOPNOTSUPP else None
    kinds = ("raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")
    kind = kinds[request.kind] if request.kind < len(kinds) else str(request.kind)
    return f"{kind}:{buffer.value.decode(errors='replace')}", int(request.program)


def list_members(session: int) -> list[int]:
    """The processes of a session."""
    members = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(name))
    return members


def list_events(pids: list[int]) -> list[tuple[str, int]]:
    """What the perf events of some processes call."""
    found = []
    for pid in pids:
        try:
            fds = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for fd in fds:
            try:
                if "perf_event" not in os.readlink(f"/proc/{pid}/fd/{fd}"):
                    continue
            except OSError:
                continue
            event = query_event(pid, int(fd))
            if event is not None:
                found.append(event)
    return found


def read_ticks(pids: list[int]) -> int:
    """Processor time of some processes, in clock ticks."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks


class Watch:
    """One tool while it runs: the most that was attached at any time, and since when nothing changed."""

    def __init__(self, session: int, before: set[int]) -> None:
        self.session = session
        self.before = before
        self.programs: dict[int, dict[str, Any]] = {}
        self.held: set[int] = set()  # the programs that were there when the most was attached
        self.attached: list[tuple[str, int]] = []
        self.seen: tuple[int, int] = (0, 0)
        self.ticks = 0
        self.steady = time.monotonic()

    def look(self) -> None:
        """Ask the kernel what the tool has loaded and attached now."""
        now = {number: one for number, one in list_programs().items() if number not in self.before}
        self.programs.update(now)
        pids = list_members(self.session)
        links = [link for link in list_links() if link[1] in now]
        linked = {program for _, program in links}
        events = [one for one in list_events(pids) if one[1] not in linked or not one[1]]
        if not any(kind == "perf_event" and program for kind, program in links):
            attached = links + events
        else:  # a link of a perf event stands for its event too
            attached = links + [one for one in events if one[1]]
        if len(attached) >= len(self.attached):
            self.attached, self.held = attached, set(now)
        ticks = read_ticks(pids)
        busy = ticks - self.ticks > 0.6 * POLL * os.sysconf("SC_CLK_TCK")
        seen = (len(now), len(attached))
        if seen != self.seen or busy:
            self.steady = time.monotonic()
        self.seen, self.ticks = seen, ticks

    @property
    def done(self) -> bool:
        """Whether it will attach nothing more."""
        return time.monotonic() - self.steady > (STEADY if self.attached else QUIET)


def observe(task: dict[str, Any], number: int) -> dict[str, Any]:
    """Start one tool alone, watch until it is settled, ends, or its time is over, and stop it."""
    before = set(list_programs())
    out, err = f"/tmp/out.{number}", f"/tmp/err.{number}"
    started = time.monotonic()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        try:
            process = subprocess.Popen(
                task["argv"],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                cwd=task.get("cwd", "/"),
                env=environment,
            )
        except OSError as error:
            return {"id": task["id"], "failed": str(error)}
        watch = Watch(process.pid, before)
        limit = started + task.get("limit", 60)
        while process.poll() is None and time.monotonic() < limit and not watch.done:
            time.sleep(POLL)
            watch.look()
        status = process.poll()
        seconds = time.monotonic() - started
        watch.look()
        stop(process)
    wait_for_none(before)
    return {
        "id": task["id"],
        "exit": status,
        "overdue": status is None and not watch.done,
        "seconds": round(seconds, 1),
        "programs": [{"id": key, "held": key in watch.held, **one} for key, one in watch.programs.items()],
        "attached": watch.attached,
        "stdout": read_tail(out),
        "stderr": read_tail(err),
    }


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT to all of it, and SIGKILL after a grace."""
    for number, grace in ((signal.SIGINT, 6), (signal.SIGKILL, 3)):
        for pid in list_members(process.pid):
            try:
                os.kill(pid, number)
            except OSError:
                continue
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        if not list_members(process.pid):
            return


def wait_for_none(before: set[int]) -> None:
    """The kernel frees programs a moment after their last user is gone."""
    for _ in range(10):
        if set(list_programs()) <= before:
            return
        time.sleep(0.2)


def read_tail(path: str) -> str:
    with open(path, "rb") as file:
        text = file.read(1 << 20).decode(errors="replace")
    os.unlink(path)
    return text if len(text) <= TAIL else text[: TAIL // 2] + "\n[...]\n" + text[-TAIL // 2 :]


def main() -> None:
    with open(JOB + "/tasks.json") as file:
        tasks = json.load(file)
    load = subprocess.Popen([sys.executable, JOB + "/load.py"], start_new_session=True)
    places = {"{pid}": str(load.pid), "{disk}": "vda"}
    with open("/dev/ttyS1", "w") as stream:
        for number, task in enumerate(tasks):
            print(json.dumps({"starts": task["id"]}), file=stream, flush=True)
            task["argv"] = [places.get(word, word) for word in task["argv"]]
            print(json.dumps(observe(task, number)), file=stream, flush=True)
        print(json.dumps({"done": len(tasks)}), file=stream, flush=True)
    load.kill()


if __name__ == "__main__":
    main()
