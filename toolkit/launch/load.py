"""What BPF programs cost on a host, by who holds them: two looks in, rates out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from toolkit.model import Value


class Held(StrEnum):
    """By what a program is kept in the kernel."""

    RUN = "run"  # a run of toolkit
    PROCESS = "process"  # a process that nobody here started
    NOBODY = "nobody"  # it is pinned, or kept by what it is attached to: an interface, a cgroup


class Holder(Value, frozen=True):
    """A process that holds a program."""

    pid: int
    name: str  # the tool of a run, else the command
    run: str = ""  # the mark of its run


class Loaded(Value, frozen=True):
    """One BPF program of the host; its figures are those of the kernel's statistics."""

    id: int
    name: str
    type: str
    attached: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    run_ns: int = 0
    run_count: int = 0


class Row(Value, frozen=True, omit_defaults=False):
    """What one program costs."""

    id: int
    name: str
    type: str
    attached: tuple[str, ...]
    percent: float  # of one CPU
    events: float  # a second
    ns: float  # an event


class Owner(Value, frozen=True, omit_defaults=False):
    """What the programs of one run, of one process, or of nobody cost, the hottest first."""

    held: Held
    name: str
    pids: tuple[int, ...]
    percent: float
    events: float
    programs: tuple[Row, ...]


class Load(Value, frozen=True, omit_defaults=False):
    """What all BPF programs cost, the hottest owner first."""

    seconds: float
    programs: int
    percent: float
    events: float
    owners: tuple[Owner, ...]


def measure_load(before: Iterable[Loaded], after: Sequence[Loaded], seconds: float) -> Load:
    """The load between two looks; a program that is new began with nothing."""
    first = {one.id: (one.run_ns, one.run_count) for one in before}
    groups: dict[tuple[Held, str], list[tuple[Loaded, Row]]] = {}
    for one in after:
        key = _find_owner(one)
        groups.setdefault(key, []).append((one, _make_row(one, first.get(one.id, (0, 0)), seconds)))
    owners = sorted(
        (_make_owner(key, found) for key, found in groups.items()), key=lambda one: (-one.percent, one.name)
    )
    return Load(
        seconds=round(seconds, 3),
        programs=len(after),
        percent=sum(one.percent for one in owners),
        events=sum(one.events for one in owners),
        owners=tuple(owners),
    )


def _find_owner(one: Loaded) -> tuple[Held, str]:
    """A run if one holds it, else the first of the processes."""
    for holder in one.holders:
        if holder.run:
            return Held.RUN, holder.run
    return (Held.PROCESS, str(min(holder.pid for holder in one.holders))) if one.holders else (Held.NOBODY, "")


def _make_row(one: Loaded, first: tuple[int, int], seconds: float) -> Row:
    spent, ran = max(0, one.run_ns - first[0]), max(0, one.run_count - first[1])
    return Row(
        id=one.id,
        name=one.name,
        type=one.type,
        attached=one.attached,
        percent=round(spent / 1e7 / seconds, 4),
        events=round(ran / seconds, 1),
        ns=round(spent / ran, 1) if ran else 0.0,
    )


def _make_owner(key: tuple[Held, str], found: list[tuple[Loaded, Row]]) -> Owner:
    held, mark = key
    holders = {holder.pid: holder for one, _ in found for holder in one.holders if held is not Held.RUN or holder.run}
    if held is Held.PROCESS:
        holders = {pid: holder for pid, holder in holders.items() if str(pid) == mark}
    rows = sorted((row for _, row in found), key=lambda row: (-row.percent, -row.events, row.id))
    return Owner(
        held=held,
        name=holders[min(holders)].name if holders else "",
        pids=tuple(sorted(holders)),
        percent=round(sum(row.percent for row in rows), 4),
        events=round(sum(row.events for row in rows), 1),
        programs=tuple(rows),
    )
