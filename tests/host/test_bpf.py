"""The bpf(2) system call: what loads, what is refused, what a process has attached, and nothing that stays."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from toolkit.host import bpf

# Far above what any kernel has.
NO_SUCH_TYPE = 9999


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.bpf
@pytest.mark.parametrize("kind", [bpf.TRACEPOINT, bpf.RAW_TRACEPOINT, bpf.PERF_EVENT])
def test_the_smallest_program_loads_and_is_let_go(kind: int) -> None:
    before = open_files()
    bpf.load_trial(kind)
    assert open_files() == before


@pytest.mark.bpf
def test_a_refusal_is_the_kernels_own_error() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        bpf.load_trial(NO_SUCH_TYPE)


@pytest.mark.bpf
def test_a_trial_leaves_the_limit_of_locked_memory_alone() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    bpf.load_trial(bpf.TRACEPOINT)
    assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == before


def test_a_machine_that_is_not_known_has_no_bpf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "SYSCALLS", {})
    with pytest.raises(OSError, match="not known") as caught:
        bpf.load_trial(bpf.TRACEPOINT)
    assert caught.value.errno == errno.ENOSYS


def test_layouts_are_those_of_the_kernels_headers() -> None:
    assert bpf.LOAD.size == 120  # up to attach_prog_fd, rounded to 8
    assert bpf.ASK_TASK.size == 48
    assert bpf.PERF_ATTRIBUTES.size == 72  # PERF_ATTR_SIZE_VER1


@pytest.mark.bpf
@pytest.mark.root
def test_statistics_are_on_while_the_descriptor_is_open() -> None:
    descriptor = bpf.enable_stats()
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.bpf
@pytest.mark.root
def test_a_program_that_is_gone() -> None:
    with pytest.raises(FileNotFoundError):
        bpf.program_fd(0x7FFFFFFF)


@pytest.mark.bpf
@pytest.mark.root
def test_a_descriptor_that_is_not_there() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        bpf.query_task_fd(os.getpid(), 1000)


@pytest.mark.bpf
@pytest.mark.root
def test_a_probe_on_nothing_is_not_found_and_leaves_nothing() -> None:
    kind = Path("/sys/bus/event_source/devices/uprobe/type")
    if not kind.exists():
        pytest.skip("this kernel has no uprobe PMU")
    before = open_files()
    with pytest.raises(FileNotFoundError):
        bpf.open_probe(int(kind.read_text()), "/no/such/file")
    assert open_files() == before


@pytest.mark.bpf
@pytest.mark.root
def test_a_perf_event_without_a_program_is_not_found() -> None:
    kind = Path("/sys/bus/event_source/devices/uprobe/type")
    if not kind.exists():
        pytest.skip("this kernel has no uprobe PMU")
    program = os.path.realpath("/bin/sh")
    descriptor = bpf.open_probe(int(kind.read_text()), program, offset=entry_of(program))
    try:
        assert not os.get_inheritable(descriptor)
        with pytest.raises(FileNotFoundError):
            bpf.query_task_fd(os.getpid(), descriptor)
    finally:
        os.close(descriptor)


def entry_of(program: str) -> int:
    """Where in its file a program begins to run."""
    with open(program, "rb") as file:
        elf = ELFFile(file)
        (offset,) = elf.address_offsets(elf["e_entry"])
    return int(offset)


@pytest.fixture(scope="module")
def tracing() -> Iterator[int]:
    """The process id of a bpftrace that counts context switches."""
    bpftrace = shutil.which("bpftrace", path="/usr/local/bin:/usr/bin:/usr/sbin")
    if os.geteuid() != 0 or not bpftrace:
        pytest.skip("needs root and bpftrace")
    program = 'tracepoint:sched:sched_switch { @ = count(); } BEGIN { printf("ready\\n"); }'
    child = subprocess.Popen(
        [bpftrace, "-e", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/bin"},
    )
    try:
        assert child.stdout is not None
        said = next((line for line in child.stdout if "ready" in line), "")
        assert said, "bpftrace did not start"
        yield child.pid
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def descriptors(pid: int, kind: str) -> list[int]:
    folder = Path(f"/proc/{pid}/fd")
    return [int(link.name) for link in folder.iterdir() if os.readlink(link) == kind]


@pytest.mark.bpf
@pytest.mark.root
def test_a_tools_perf_events_tell_what_they_are_attached_to(tracing: int) -> None:
    attached: list[bpf.TaskFd] = []
    without = 0
    for descriptor in descriptors(tracing, "anon_inode:[perf_event]"):
        try:
            attached.append(bpf.query_task_fd(tracing, descriptor))
        except FileNotFoundError:
            without += 1  # a buffer for output
    assert [(one.name, one.fd_type) for one in attached if one.fd_type == 1] == [("sched_switch", 1)]
    assert all(one.prog_id > 0 for one in attached)
    assert without > 0


@pytest.mark.bpf
@pytest.mark.root
def test_a_tools_program_can_be_held_by_its_id_and_counts_while_we_look(tracing: int) -> None:
    statistics = bpf.enable_stats()
    time.sleep(0.1)
    try:
        for theirs in descriptors(tracing, "anon_inode:bpf-prog"):
            ours = bpf.program_fd(fields(tracing, theirs)["prog_id"])
            seen = fields(os.getpid(), ours)
            os.close(ours)
            assert seen["prog_id"] == fields(tracing, theirs)["prog_id"]
            if seen["run_cnt"] > 0:
                return
        pytest.fail("no program of bpftrace's has run in 0.1 s")
    finally:
        os.close(statistics)


def fields(pid: int, descriptor: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key: int(value) for key, value in pairs if value.strip().isdigit()}
