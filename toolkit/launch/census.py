"""Every BPF program of this host, who holds it and where it is attached, with the kernel's statistics on meanwhile.

The ids of all programs and links are CAP_SYS_ADMIN's to ask for. Who holds them is read from /proc, which takes a
while on a host with many processes: so only when a program has come or gone since the last look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from toolkit.errors import CannotRun
from toolkit.host import bpf
from toolkit.launch.held import Attachment, read_link, read_process
from toolkit.launch.load import Holder, Loaded
from toolkit.launch.processes import MARK

NAME = re.compile(r"[\w.+-]{1,64}")
# What starts a tool and says nothing of it, as the first word of a command.
STARTERS = frozenset({"bpftrace", "python", "bash", "sh", "dash", "env"})


class Census:
    """Looks at the BPF programs of this host again and again; `close` it, or use it as a context."""

    def __init__(self) -> None:
        """Raises CannotRun where this user may not ask, or the kernel cannot tell."""
        try:
            self._statistics = bpf.enable_stats()
        except OSError as error:
            raise CannotRun(
                f"what BPF programs cost cannot be measured: {error.strerror}",
                fix="it needs root, or CAP_SYS_ADMIN, and Linux 5.8 or newer",
            ) from error
        self._known: dict[int, Loaded] = {}

    def __enter__(self) -> Census:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._statistics)

    def look(self) -> tuple[Loaded, ...]:
        """The programs as they are now. Raises CannotRun."""
        try:
            figures = {info.id: info for info in _read_programs()}
        except PermissionError as error:
            raise CannotRun(
                f"the programs of others cannot be listed: {error.strerror}", fix="it needs root, or CAP_SYS_ADMIN"
            ) from error
        if figures.keys() != self._known.keys():
            self._known = _find_holders(figures.values())
        return tuple(
            replace(one, run_ns=figures[number].run_ns, run_count=figures[number].run_count)
            for number, one in self._known.items()
        )


def _read_programs() -> Iterator[bpf.ProgramInfo]:
    for number in bpf.list_programs():
        with _opened(bpf.program_fd, number) as descriptor:
            if descriptor is not None:
                yield bpf.read_program(descriptor)


def _find_holders(infos: Iterable[bpf.ProgramInfo]) -> dict[int, Loaded]:
    holders: dict[int, list[Holder]] = {}
    attached: dict[int, list[str]] = {}
    samplers: dict[int, str] = {}  # programs of processes that hold a perf event of which the kernel tells no more
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        held = read_process(pid)
        numbers = {*held.programs, *(one.program for one in held.attached)} - {0}
        for number in numbers:
            holders.setdefault(number, []).append(describe_holder(pid))
        for one in held.attached:
            if one.program:
                attached.setdefault(one.program, []).append(one.text)
            else:
                samplers |= dict.fromkeys(held.programs, one.text)
    for one in _read_links():
        if one.program not in attached:
            attached[one.program] = [one.text]
    return {
        info.id: Loaded(
            id=info.id,
            name=info.name,
            type=bpf.PROGRAM_TYPES[info.kind] if info.kind < len(bpf.PROGRAM_TYPES) else f"type {info.kind}",
            attached=tuple(
                attached.get(
                    info.id, [samplers[info.id]] if info.kind == bpf.PERF_EVENT and info.id in samplers else []
                )
            ),
            holders=tuple(holders.get(info.id, ())),
        )
        for info in infos
    }


def _read_links() -> Iterator[Attachment]:
    try:
        for number in bpf.list_links():
            with _opened(bpf.link_fd, number) as descriptor:
                if descriptor is not None:
                    yield read_link("self", descriptor)
    except OSError:  # a kernel whose links cannot be listed: what holds them tells enough
        return


def describe_holder(pid: int) -> Holder:
    """A process that holds programs: the run that it belongs to, and what it is called."""
    command = [os.fsdecode(word) for word in _read(pid, "cmdline").split(b"\0") if word]
    comm = os.fsdecode(_read(pid, "comm").strip())
    prefix = f"{MARK}=".encode()
    run = next((word[len(prefix) :] for word in _read(pid, "environ").split(b"\0") if word.startswith(prefix)), b"")
    return Holder(pid=pid, name=name_tool(command) or comm, run=os.fsdecode(run))


def name_tool(command: list[str]) -> str:
    """The tool in a command: "bpftrace /x/runqlat.bt" is runqlat.bt; empty where a program text stands in its place."""
    for word in command:
        name = os.path.basename(word)
        if word.startswith("-") or name.rstrip("0123456789.") in STARTERS:
            continue
        return name if NAME.fullmatch(name) else ""
    return ""


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:  # gone meanwhile
        return b""


@contextmanager
def _opened(opener: Callable[[int], int], number: int) -> Iterator[int | None]:
    """The descriptor of a program or link while it is looked at; None when it is gone."""
    try:
        descriptor = opener(number)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
