"""The bpf(2) and perf_event_open(2) system calls: trials that leave nothing behind, and questions about programs.

Layouts are those of include/uapi/linux/bpf.h and perf_event.h. Every function raises OSError with the kernel's
errno, and every descriptor is close-on-exec: bpf(2) makes all of its own so, perf_event_open(2) when told.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from toolkit.model import Value

# System call numbers of bpf and perf_event_open, by uname -m.
SYSCALLS = {
    "x86_64": (321, 298),
    "aarch64": (280, 241),
    "riscv64": (280, 241),
    "loongarch64": (280, 241),
    "ppc64le": (361, 319),
    "s390x": (351, 331),
}

STATS_SETTING = "/proc/sys/kernel/bpf_stats_enabled"

# enum bpf_cmd
PROG_LOAD = 5
PROG_GET_NEXT_ID = 11
PROG_GET_FD_BY_ID = 13
OBJ_GET_INFO_BY_FD = 15
RAW_TRACEPOINT_OPEN = 17
TASK_FD_QUERY = 20
LINK_CREATE = 28
LINK_GET_FD_BY_ID = 30
LINK_GET_NEXT_ID = 31
ENABLE_STATS = 32

# enum bpf_prog_type and bpf_attach_type
KPROBE = 2
TRACEPOINT = 5
PERF_EVENT = 7
RAW_TRACEPOINT = 17
TRACING = 26
LSM = 29
TRACE_FENTRY = 24
LSM_MAC = 27
TRACE_ITER = 28
TRACE_KPROBE_MULTI = 42
TRACE_UPROBE_MULTI = 48

# The names of enum bpf_prog_type, in its order.
_TYPES = (
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out "
    "lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2 "
    "sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm "
    "sk_lookup syscall netfilter"
)
PROGRAM_TYPES = tuple(_TYPES.split())

SLEEPABLE = 1 << 4  # prog_flags

STATS_RUN_TIME = 0
PERF_FLAG_FD_CLOEXEC = 8

# r0 = 0; exit. The smallest program that the verifier takes.
PROGRAM = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)

# prog_type, insn_cnt, insns, license … prog_flags … expected_attach_type … attach_btf_id. What a trial does not need
# stays 0: a kernel too old for a field refuses the call only when it is set (bpf_check_uarg_tail_zero,
# kernel/bpf/syscall.c).
LOAD = struct.Struct("=II QQ 20x I 20x I 36x I 8x")
# link_create of many probes: prog_fd, target_fd, attach_type, flags; then kprobe_multi's flags, cnt, syms, or
# uprobe_multi's path, offsets, ref_ctr_offsets, cookies, cnt.
KPROBE_MULTI = struct.Struct("=IIII IIQ 16x")
UPROBE_MULTI = struct.Struct("=IIII QQ 16x I 12x")
NOWHERE = 8  # an address that no process has mapped: what the kernel reads there gives EFAULT
ASK_TASK = struct.Struct("=IIIIQIIQQ")
# struct bpf_prog_info up to run_cnt: type, id … created_by_uid … name, which is cut off after 15 bytes … run_time_ns.
# A kernel that knows less fills less (the name since 4.15, the figures since 5.1).
PROGRAM_INFO = struct.Struct("=II 40x I 12x 16s 112x QQ")
# struct perf_event_attr up to config2, PERF_ATTR_SIZE_VER1.
PERF_ATTRIBUTES = struct.Struct("=II Q 8x 8x 8x Q 4x 4x Q Q")
COUNTER = struct.Struct("=II QQ 8x 8x Q 16x")  # type, size, config, sample_period … flags; PERF_ATTR_SIZE_VER0
DISABLED = 1
PMU_HARDWARE = 0
RARELY = 1 << 40  # events before a sample

LONGEST_NAME = 512


class TaskFd(Value, frozen=True, kw_only=False):
    """What a perf event or raw tracepoint of a process carries; `fd_type` is enum bpf_task_fd_type."""

    prog_id: int
    fd_type: int  # 0 raw tracepoint, 1 tracepoint, 2 kprobe, 3 kretprobe, 4 uprobe, 5 uretprobe
    name: str  # the tracepoint, the function or the file
    probe_offset: int
    probe_addr: int


class ProgramInfo(Value, frozen=True, kw_only=False):
    """A loaded BPF program; `kind` is enum bpf_prog_type, the figures those of the kernel's statistics while on."""

    id: int
    kind: int
    name: str  # as its loader called it, 15 bytes of it
    uid: int  # who loaded it
    run_ns: int
    run_count: int


def load_trial(prog_type: int, attach_type: int = 0, btf_id: int = 0, flags: int = 0) -> None:
    """Load a program of two instructions and let go of it."""
    os.close(_load(prog_type, attach_type, btf_id, flags))


def load_fentry_trial(btf_id: int) -> None:
    """Load a program for the entry of the function with this type id in the kernel's BTF, and let go of it."""
    load_trial(TRACING, TRACE_FENTRY, btf_id)


def attach_raw_tracepoint_trial() -> None:
    """Ask for a raw tracepoint whose name cannot be read. EFAULT: all else about it was accepted."""
    program = _load(RAW_TRACEPOINT, 0, 0)
    try:
        os.close(_bpf(RAW_TRACEPOINT_OPEN, bytearray(struct.pack("=QI4x", NOWHERE, program))))
    finally:
        os.close(program)


def attach_many_trial(attach_type: int) -> None:
    """Ask for one link on many functions whose names cannot be read. EFAULT: all else about it was accepted.

    `attach_type` is TRACE_KPROBE_MULTI (since Linux 5.18, with CONFIG_FPROBE) or TRACE_UPROBE_MULTI (since 6.6).
    """
    program = _load(KPROBE, attach_type, 0)
    try:
        if attach_type == TRACE_KPROBE_MULTI:
            attributes = KPROBE_MULTI.pack(program, 0, attach_type, 0, 0, 1, NOWHERE)
        else:
            attributes = UPROBE_MULTI.pack(program, 0, attach_type, 0, NOWHERE, NOWHERE, 1)
        os.close(_bpf(LINK_CREATE, bytearray(attributes)))
    finally:
        os.close(program)


def attach_fentry_trial(btf_id: int) -> None:
    """Load a program for the entry of a function, attach it, and let go of both at once."""
    program = _load(TRACING, TRACE_FENTRY, btf_id)
    try:
        os.close(_bpf(RAW_TRACEPOINT_OPEN, bytearray(struct.pack("=QI4x", 0, program))))
    finally:
        os.close(program)


def enable_stats() -> int:
    """Have the kernel count time and runs of every BPF program while the descriptor is open (since Linux 5.8)."""
    return _bpf(ENABLE_STATS, bytearray(struct.pack("=I", STATS_RUN_TIME)))


def find_unmetered() -> str:
    """Why the kernel tells this user nothing of what BPF programs cost; empty where it does."""
    try:
        os.close(enable_stats())
    except OSError as error:
        return "" if are_stats_on() else explain_refusal(error)
    return ""


def are_stats_on() -> bool:
    """Whether somebody keeps the statistics on for all, which is the only way before Linux 5.8."""
    try:
        with open(STATS_SETTING, "rb") as file:
            return file.read().strip() == b"1"
    except OSError:
        return False


def explain_refusal(error: OSError) -> str:
    """Why `enable_stats` failed, and what would help."""
    why = "needs CAP_SYS_ADMIN" if error.errno == errno.EPERM else f"fails here ({error.strerror})"
    return f"turning the kernel's BPF statistics on {why}; `sysctl kernel.bpf_stats_enabled=1` does it for all"


def program_fd(prog_id: int) -> int:
    """A descriptor of the program with this id; ENOENT when it is gone."""
    return _bpf(PROG_GET_FD_BY_ID, bytearray(struct.pack("=III", prog_id, 0, 0)))


def read_program(program: int) -> ProgramInfo:
    """The program with this descriptor and its figures now."""
    info = bytearray(PROGRAM_INFO.size)
    buffer = (ctypes.c_char * len(info)).from_buffer(info)
    question = struct.pack("=IIQ", program, len(info), ctypes.addressof(buffer))
    _bpf(OBJ_GET_INFO_BY_FD, bytearray(question))
    kind, number, uid, name, run_ns, run_count = PROGRAM_INFO.unpack(info)
    return ProgramInfo(number, kind, name.partition(b"\0")[0].decode(errors="replace"), uid, run_ns, run_count)


def list_programs() -> Iterator[int]:
    """The ids of all loaded programs (needs CAP_SYS_ADMIN)."""
    return _list_ids(PROG_GET_NEXT_ID)


def list_links() -> Iterator[int]:
    """The ids of all BPF links (since Linux 5.8, needs CAP_SYS_ADMIN)."""
    return _list_ids(LINK_GET_NEXT_ID)


def link_fd(link_id: int) -> int:
    """A descriptor of the link with this id; ENOENT when it is gone."""
    return _bpf(LINK_GET_FD_BY_ID, bytearray(struct.pack("=III", link_id, 0, 0)))


def _list_ids(command: int) -> Iterator[int]:
    attributes = bytearray(12)  # start_id, next_id, open_flags
    while True:
        try:
            _bpf(command, attributes)
        except OSError as error:
            if error.errno == errno.ENOENT:  # that was the last
                return
            raise
        _, found, _ = struct.unpack("=III", attributes)
        yield found
        struct.pack_into("=III", attributes, 0, found, 0, 0)


def query_task_fd(pid: int, fd: int) -> TaskFd:
    """What descriptor `fd` of process `pid` carries (since Linux 4.18, needs CAP_SYS_ADMIN).

    ENOENT: a perf event without a program. EOPNOTSUPP: a program of type perf_event, of which the kernel tells no
    more. EBADF: no such descriptor. 524 (ENOTSUPP): something else than a perf event or a raw tracepoint.
    """
    name = ctypes.create_string_buffer(LONGEST_NAME)
    attributes = bytearray(ASK_TASK.pack(pid, fd, 0, LONGEST_NAME, ctypes.addressof(name), 0, 0, 0, 0))
    try:
        _bpf(TASK_FD_QUERY, attributes)
    except OSError as error:
        if error.errno != errno.ENOSPC:  # the name was cut off, all else is there
            raise
    *_, prog_id, fd_type, probe_offset, probe_addr = ASK_TASK.unpack(attributes)
    return TaskFd(prog_id, fd_type, name.value.decode(errors="replace"), probe_offset, probe_addr)


def open_probe(pmu: int, target: str, *, offset: int = 0) -> int:
    """A perf event of this thread on a function, or an offset in a file, through the kprobe or uprobe PMU.

    Since Linux 4.17 (commit e12f03d7031a). ENOENT: the target does not exist. The probe is there until closed.
    """
    text = ctypes.create_string_buffer(target.encode())
    return _open_event(PERF_ATTRIBUTES.pack(pmu, PERF_ATTRIBUTES.size, 0, 0, ctypes.addressof(text), offset))


def open_counter(pmu: int, event: int) -> int:
    """A perf event of this thread that counts and could sample, as tools use it, but is switched off."""
    return _open_event(COUNTER.pack(pmu, COUNTER.size, event, RARELY, DISABLED))


def _open_event(attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    this_thread, any_processor, no_group = 0, -1, -1
    return _call(1, ctypes.byref(buffer), this_thread, any_processor, no_group, PERF_FLAG_FD_CLOEXEC)


def _load(prog_type: int, attach_type: int, btf_id: int, flags: int = 0) -> int:
    program = ctypes.create_string_buffer(PROGRAM, len(PROGRAM))
    licence = ctypes.create_string_buffer(b"GPL")
    pointers = ctypes.addressof(program), ctypes.addressof(licence)
    attributes = LOAD.pack(prog_type, len(PROGRAM) // 8, *pointers, flags, attach_type, btf_id)
    with _more_memlock():
        return _bpf(PROG_LOAD, bytearray(attributes))


@contextmanager
def _more_memlock() -> Iterator[None]:
    """Lift RLIMIT_MEMLOCK as far as we may for a moment, as every tool does for itself.

    Before Linux 5.11 the programs of all of a user's processes counted against it, and a load beyond it gave EPERM
    as if BPF were forbidden: https://lore.kernel.org/bpf/20201119173754.4125257-1-guro@fb.com/
    """
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    _, hard = before
    for most in (resource.RLIM_INFINITY, hard):  # the first needs CAP_SYS_RESOURCE
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
            break
        except (ValueError, OSError):
            continue
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)


def _bpf(command: int, attributes: bytearray) -> int:
    """Call bpf(2); the kernel writes its answers into `attributes`."""
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    return _call(0, command, ctypes.byref(buffer), len(attributes))


def _call(which: int, *arguments: object) -> int:
    # A bare int would be passed as 32 bits, and syscall(2) reads longs.
    longs = (ctypes.c_long(one) if isinstance(one, int) else one for one in (_number(which), *arguments))
    result: int = _libc().syscall(*longs)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _number(which: int) -> int:
    """The number of bpf (0) or perf_event_open (1) here."""
    machine = os.uname().machine
    # A 32-bit Python on a 64-bit kernel has other numbers under the same machine name.
    if machine not in SYSCALLS or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(errno.ENOSYS, f"the number of bpf(2) is not known for {machine}")
    return SYSCALLS[machine][which]
