"""Whether one need is met: of each kind, what is said where it is not."""

from __future__ import annotations

import pytest

from tests.support.samples import make_facts, need
from toolkit.answers import DECIDERS, answer_need
from toolkit.kernels import KINDS
from toolkit.model import LOOKED_KINDS, Fact, NeedKind

POOR = {
    "tracepoints": Fact(value=frozenset[str]()),
    "kprobes": Fact(value=False, origin="EPERM"),
    "functions": Fact(value=frozenset[str]()),
    "fentry": Fact(value=False, origin="EPERM"),
    "btf_functions": Fact(value=frozenset[str]()),
    "uprobes": Fact(value=False, origin="EPERM"),
    "symbols": Fact(value=frozenset[str]()),
    "pmus": Fact(value=frozenset[str]()),
    "counters": Fact(value=frozenset({"cpu-cycles"})),
    "features": Fact(value=frozenset[str]()),
    "config": Fact(value={"CONFIG_KPROBES": "y", "CONFIG_NUMA": "n"}),
    "program_kinds": {name: Fact(value=False, origin="EPERM") for name in KINDS},
    "headers": Fact(unknown="there are none"),
    "engines": (),
}
POOR_NEEDS = {
    NeedKind.TRACEPOINT: ("a:b",),
    NeedKind.RAW_TRACEPOINT: ("a_b",),
    NeedKind.TP_BTF: ("a_b",),
    NeedKind.KPROBE: ("", "gone"),
    NeedKind.FENTRY: ("", "gone"),
    NeedKind.UPROBE: ("", "libc:gone"),
    NeedKind.USDT: ("", "libc:libc:gone"),
    NeedKind.PERF_EVENT: ("hardware:cache-misses",),
    NeedKind.LSM: ("", "file_open"),
    NeedKind.ITER: ("", "task"),
    NeedKind.STRUCT_OPS: ("",),
    NeedKind.NETWORK: ("xdp", "tc", "socket"),
    NeedKind.ATTACH: ("watchpoint", "kprobe.multi", "freplace", "netfilter"),
    NeedKind.KERNEL_SYMBOL: ("gone",),
    NeedKind.STRUCT_FIELD: ("task_struct.gone", "gone"),
    NeedKind.HEADERS: ("",),
    NeedKind.HELPER: ("bpf_ringbuf_output", "bpf_get_func_ip", "bpf_unheard_of", "bpf_override_return"),
    NeedKind.MAP_TYPE: ("ringbuf", "unheard_of"),
    NeedKind.PROGRAM_TYPE: ("lsm", "unheard_of"),
    NeedKind.ENGINE: ("bpftrace", "bcc"),
    NeedKind.CONFIG: ("CONFIG_NUMA",),
    NeedKind.TERMINAL: ("",),
}


@pytest.mark.parametrize("name", [f"{kind}:{name}" for kind, names in POOR_NEEDS.items() for name in names])
@pytest.mark.parametrize("release", ["4.17.0", "6.18.0"])
def test_on_a_poor_host_every_reason_says_what_helps(name: str, release: str) -> None:
    facts = make_facts(release=release, fields=Fact(value=frozenset({"task_struct"})), **POOR)
    answer = answer_need(need(name), facts)
    assert answer.met is False
    assert answer.cause
    assert answer.fix


def test_every_kind_of_need_is_looked_at_there_or_is_looked_up() -> None:
    elsewhere = {NeedKind.BTF, NeedKind.HEADER_FIELD, NeedKind.TRACEPOINT_FIELD, NeedKind.PLAIN_HEADERS}
    assert POOR_NEEDS.keys() | LOOKED_KINDS | elsewhere == set(DECIDERS)
