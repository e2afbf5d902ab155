"""What runs left behind whose launcher and keeper were both killed: found by doctor, and removed where it is ours.

Processes carry the run's mark in their environment, cgroups in their name. Events of the older kind of kprobes and
uprobes stay in tracefs when their tool is killed; their name holds its PID: `p_vfs_read_bcc_PID`
(bpf_attach_probe in bcc's src/cc/libbpf.c), `libbpf_PID_…` (gen_probe_legacy_event_name in libbpf.c). BPF programs and
links need no search: toolkit pins none, so that they go with the last process that holds them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from enum import StrEnum

from toolkit.host.means import BOUND, COUNTED, Mount, read_mounts
from toolkit.launch.cgroups import PREFIX, SCOPE, Group
from toolkit.launch.processes import list_marks, owner_lives, read_stat, sweep_marked
from toolkit.model import Value
from toolkit.runs import Enforcement, Means

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
EVENTS = ("kprobe_events", "uprobe_events")
EVENT = re.compile(
    r"[pr][0-9]*:(?P<name>[a-z]+probes/(?:libbpf_(?P<libbpf>[0-9]+)_\w*|\w+_bcc_(?P<bcc>[0-9]+)))\s", re.A
)
MARKED = re.compile(re.escape(PREFIX) + r"([0-9]+\.[0-9]+\.[0-9]+)(?:" + re.escape(SCOPE) + ")?")


class Kind(StrEnum):
    """What was left."""

    PROCESS = "process"
    CGROUP = "cgroup"
    EVENT = "event"


class Leftover(Value, frozen=True, omit_defaults=False):
    """One thing that a dead run left: `name` is its PID, its folder, or the event's name in `place`."""

    kind: Kind
    name: str
    place: str = ""  # the file of tracefs that lists an event
    mark: str = ""  # of the run


def find_leftovers() -> tuple[Leftover, ...]:
    """Everything that dead runs left on this host and this user may see."""
    return (*_find_processes(), *_find_groups(), *find_events())


def remove_leftover(leftover: Leftover) -> str:
    """End or remove it; why that failed, empty when it is gone."""
    match leftover.kind:
        case Kind.PROCESS:
            sweep_marked(leftover.mark)
            state, _ = read_stat(int(leftover.name))
            return "" if state in (b"", b"Z") else f"it sleeps in the kernel (state {state.decode()})"
        case Kind.CGROUP:
            group = Group(_enforcement_of(leftover.name), leftover.mark)
            group.kill()
            return "" if group.remove() else "it cannot be emptied"
        case Kind.EVENT:
            return remove_event(leftover)


def _find_processes() -> Iterator[Leftover]:
    dead: dict[str, bool] = {}
    for pid, mark in list_marks():
        if mark not in dead:
            dead[mark] = not owner_lives(mark)
        if dead[mark]:
            yield Leftover(Kind.PROCESS, str(pid), mark=mark)


def _find_groups() -> Iterator[Leftover]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = read_mounts(file.read())
    except OSError:
        return
    for mount in filter(_holds_limits, mounts):
        for folder, below, _ in os.walk(mount.place):
            for name in below:
                found = MARKED.fullmatch(name)
                if found and os.access(folder, os.W_OK) and not owner_lives(found[1]):
                    yield Leftover(Kind.CGROUP, f"{folder}/{name}", mark=found[1])


def _holds_limits(mount: Mount) -> bool:
    return mount.version == 2 or bool(mount.controllers & {*BOUND, COUNTED})


def _enforcement_of(folder: str) -> Enforcement:
    """An enforcement whose cgroup is this folder, whatever its version: only emptied and removed."""
    means = Means.SCOPE if folder.endswith(SCOPE) else Means.CGROUP1
    return Enforcement(means=means, folders={"memory": os.path.dirname(folder)})


def find_events(pids: Collection[int] | None = None) -> Iterator[Leftover]:
    """The probe events whose process is dead: of these processes, or of any."""
    for file in EVENTS:
        place, text = _read_events(file)
        for line in text.splitlines(keepends=True):
            found = EVENT.match(line)
            if not found:
                continue
            pid = int(found["libbpf"] or found["bcc"])
            if (pids is None or pid in pids) and not os.path.exists(f"/proc/{pid}"):
                yield Leftover(Kind.EVENT, found["name"], place=place)


def remove_event(event: Leftover) -> str:
    """Remove a probe event; the kernel refuses one that somebody uses (EBUSY)."""
    try:
        # Appending: to open this file with O_TRUNC removes every event of the host.
        descriptor = os.open(event.place, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror or str(error)
    try:
        os.write(descriptor, f"-:{event.name}\n".encode())
    except FileNotFoundError:  # gone already
        return ""
    except OSError as error:
        return f"it is in use ({error.strerror})"
    finally:
        os.close(descriptor)
    return ""


def remove_events(pids: Collection[int]) -> None:
    """Remove what these processes, which were killed, left in tracefs."""
    for event in tuple(find_events(pids)):
        remove_event(event)


def _read_events(file: str) -> tuple[str, str]:
    for folder in TRACEFS:
        try:
            with open(f"{folder}/{file}", encoding="ascii", errors="replace") as events:
                return f"{folder}/{file}", events.read()
        except OSError:
            continue
    return "", ""
