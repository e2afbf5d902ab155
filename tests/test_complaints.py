"""What engines print, as their versions print it, and which of it tells the cause."""

from __future__ import annotations

import pytest

from toolkit.complaints import LONGEST, read_complaints

BPFTRACE_PARTIAL = b"""\
ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try x
x.bt:1-2: WARNING: foo is not traceable (either non-existing, inlined, or x); attaching to it will likely fail
Attaching 6 probes...
create_probe_event: open(/sys/kernel/tracing/kprobe_events): No such file or directory
WARNING: could not attach probe kprobe:foo, skipping.
"""
KPROBE = b"""\
libbpf: failed to add legacy kprobe event for 'vfs_read+0x0': No such file or directory
libbpf: prog 'e': failed to create kprobe 'vfs_read+0x0' perf event: No such file or directory
libbpf: prog 'e': failed to auto-attach: -2
failed to attach BPF programs: No such file or directory
"""
FENTRY = b"""\
libbpf: prog 'b': BPF program load failed: Operation not permitted
libbpf: permission error while running as root; try raising 'ulimit -l'? current value: 8.0 MiB
libbpf: failed to load BPF skeleton 'x_bpf': -1
failed to load BPF object: -1
"""
RELOCATION = b"""\
77: <invalid CO-RE relocation>
failed to resolve CO-RE relocation <byte_off> [77] struct sock.x (0:1)
processed 65 insns (limit 1000000)
-- END PROG LOAD LOG --
libbpf: prog 'p': failed to load: -22
"""
NO_HEADERS = b"""\
chdir(/lib/modules/1/build): No such file or directory
Traceback (most recent call last):
  File "/usr/sbin/x", line 3, in <module>
    b = BPF(text=text)
Exception: Failed to compile BPF module <text>
"""


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        (b"ERROR: Error attaching probe: 'kprobe:md_flush_request'\n", "Error attaching probe"),
        (
            b"definitions.h:2:10: fatal error: 'net/sock.h' file not found\nERROR: Failed to compile\n",
            "definitions.h:2:10: fatal error: 'net/sock.h' file not found",
        ),
        (KPROBE, "failed to create kprobe 'vfs_read+0x0'"),
        (FENTRY, "BPF program load failed: Operation not permitted"),
        (RELOCATION, "failed to resolve CO-RE relocation"),
        (NO_HEADERS, "chdir(/lib/modules/1/build): No such file or directory"),
        (
            b"ERROR: no vm_stat in /proc/kallsyms. Exiting.\nHINT: build it with CONFIG_KALLSYMS_ALL.\n",
            "ERROR: no vm_stat",
        ),
        (b"failed to load BPF object: -1\n", "failed to load BPF object: -1"),
        (b"", ""),
    ],
)
def test_the_line_that_tells_the_cause_is_found(printed: bytes, cause: str) -> None:
    found = read_complaints(printed).cause
    assert cause in found
    assert bool(cause) is bool(found)


@pytest.mark.parametrize(
    ("printed", "points"),
    [
        (BPFTRACE_PARTIAL, ("kprobe:foo",)),
        (b"WARNING: Unable to attach probe: kprobe:foo. Skipping.\n", ("kprobe:foo",)),  # bpftrace since 0.24
        (b"libbpf: prog 'on_x': failed to auto-attach: -2\n", ("on_x",)),
        (
            b"x.bt:1: WARNING: foo is not traceable; attaching to it will likely fail\n",
            (),
        ),  # it may attach all the same
    ],
)
def test_attach_points_that_were_given_up_are_named(printed: bytes, points: tuple[str, ...]) -> None:
    assert read_complaints(printed).given_up == points


@pytest.mark.parametrize(
    "printed",
    [
        b"USAGE: shellsnoop.bt PID\n",
        b"usage: x [-h] pid\nx: error: the following arguments are required: pid\n",
        b"filesystem must be specified using -t option.\n",
        b"Please specify a network interface.\n",
        b"at least one specifier is required\n",
    ],
)
def test_a_tool_that_asks_for_an_argument_is_known(printed: bytes) -> None:
    assert read_complaints(b"", printed).asks_for_arguments
    assert not read_complaints(BPFTRACE_PARTIAL).asks_for_arguments


def test_nothing_that_moves_a_cursor_and_nothing_endless_is_kept() -> None:
    cause = read_complaints(b"\x1b[2J\x1b]0;title\x07Error: \x9b1m" + b"x" * 10000 + b"\xff\r\x00\n").cause
    assert cause.isprintable()
    assert len(cause) <= LONGEST
