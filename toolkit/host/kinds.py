"""Which kinds of BPF programs the kernel takes beyond kprobes and fentry: tried, or concluded where nothing is tried.

A trial loads two instructions, or asks for a link to what cannot be read: the kernel's refusal of that alone (EFAULT)
means that it would take the real thing. Concluding takes a kernel's own enumerations (BTF) and its configuration.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from toolkit.host import bpf
from toolkit.host.btf import Btf
from toolkit.host.names import Names
from toolkit.host.places import LSMS
from toolkit.host.tree import Tree, explain, name_error
from toolkit.host.trials import NOT_LIVE, TRACING, try_call
from toolkit.kernels import KINDS, PROCESSOR_PMUS
from toolkit.model import Fact

Config = Fact[dict[str, str]]


class Kind(NamedTuple):
    """What loads a program of a kind, and its name in the kernel's enumerations."""

    prog_type: int
    attach_type: int = 0
    flags: int = 0
    listed: str = ""  # in Facts.features; the program type of the same name unless it says otherwise


# By the names of `toolkit.kernels.KINDS`.
LOADED = {
    "socket_filter": Kind(1),
    "sched_cls": Kind(3),
    "sched_act": Kind(4),
    "xdp": Kind(6),
    "cgroup_skb": Kind(8),
    "cgroup_sock": Kind(9),
    "lwt_in": Kind(10),
    "lwt_out": Kind(11),
    "lwt_xmit": Kind(12),
    "sock_ops": Kind(13),
    "sk_skb": Kind(14),
    "cgroup_device": Kind(15),
    "sk_msg": Kind(16),
    "cgroup_sock_addr": Kind(18, 10),
    "lwt_seg6local": Kind(19),
    "sk_reuseport": Kind(21),
    "flow_dissector": Kind(22),
    "cgroup_sysctl": Kind(23),
    "cgroup_sockopt": Kind(25, 21),
    "sk_lookup": Kind(30, 36),
    "syscall": Kind(31, 0, bpf.SLEEPABLE),
    "netfilter": Kind(32, 45),
}
CONCLUDED = {
    **LOADED,
    "raw_tp": Kind(bpf.RAW_TRACEPOINT, listed="program_type:raw_tracepoint"),
    "kprobe.multi": Kind(bpf.KPROBE, listed="attach_type:trace_kprobe_multi"),
    "uprobe.multi": Kind(bpf.KPROBE, listed="attach_type:trace_uprobe_multi"),
    "iter": Kind(bpf.TRACING, listed="attach_type:trace_iter"),
    "lsm": Kind(bpf.LSM, listed="attach_type:lsm_mac"),
}
# Functions that name themselves to BPF, so that a trial has something to load for: kernel/bpf/task_iter.c, bpf_lsm.c.
ITERATOR = "bpf_iter_task"
HOOK = "bpf_lsm_file_open"
STRUCT_OPS = re.compile(r"\n(bpf_struct_ops_\w+_ops)\n")

# enum perf_hw_id, by the names that tools use for them.
COUNTERS = (
    *("cpu-cycles", "instructions", "cache-references", "cache-misses", "branch-instructions"),
    *("branch-misses", "bus-cycles", "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles"),
)
NO_COUNTER = (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL)


def read_kinds(
    tree: Tree,
    may_load: Fact[bool],
    btf: Fact[Btf],
    config: Config,
    fields: Fact[AbstractSet[str]],
    features: Fact[AbstractSet[str]],
) -> dict[str, Fact[bool]]:
    """Each kind of program by name, and whether the kernel takes it."""
    if not tree.live:
        kinds = conclude_kinds(config, features)
    elif may_load.value:
        kinds = _try_kinds(btf)
    else:
        why = f"not tried: {may_load.unknown or may_load.origin}"
        kinds = {name: Fact(unknown=why) for name in CONCLUDED}
    kinds["lsm"] = _check_lsm(tree, kinds["lsm"], config)
    kinds["struct_ops"] = _find_struct_ops(fields)
    return kinds


def conclude_kinds(config: Config, features: Fact[AbstractSet[str]]) -> dict[str, Fact[bool]]:
    """What enumerations and configuration tell of each kind, where nothing can be tried."""
    return {name: _conclude(name, kind, config, features) for name, kind in CONCLUDED.items()}


def _conclude(name: str, kind: Kind, config: Config, features: Fact[AbstractSet[str]]) -> Fact[bool]:
    if features.value is not None:
        listed = kind.listed or f"program_type:{name}"
        if listed not in features.value:
            return Fact(False, origin=f"{features.origin} has no {listed.replace(':', ' ')}")
    if config.value is None:
        return Fact(unknown=f"{NOT_LIVE}, and {config.unknown}")
    option = KINDS[name].option
    value = config.value.get(option, "n")
    if value == "n":
        return Fact(False, origin=f"{config.origin} has {option}=n")
    if features.value is None:
        return Fact(unknown=f"{NOT_LIVE}, and {features.unknown}")
    return Fact(True, origin=f"{config.origin} has {option}={value}, and {features.origin} names it")


def _try_kinds(btf: Fact[Btf]) -> dict[str, Fact[bool]]:
    kinds = {name: _load(name, kind) for name, kind in LOADED.items()}
    kinds["raw_tp"] = _ask(bpf.attach_raw_tracepoint_trial, "asking for a raw tracepoint")
    kinds["kprobe.multi"] = _ask(lambda: bpf.attach_many_trial(bpf.TRACE_KPROBE_MULTI), "asking for many kprobes")
    kinds["uprobe.multi"] = _ask(lambda: bpf.attach_many_trial(bpf.TRACE_UPROBE_MULTI), "asking for many uprobes")
    kinds["iter"] = _load_for(btf, "iter", ITERATOR, bpf.TRACING, bpf.TRACE_ITER)
    kinds["lsm"] = _load_for(btf, "lsm", HOOK, bpf.LSM, bpf.LSM_MAC)
    return kinds


def _load(name: str, kind: Kind) -> Fact[bool]:
    return try_call(lambda: bpf.load_trial(kind.prog_type, kind.attach_type, 0, kind.flags), _loading(name))


def _ask(trial: Callable[[], None], what: str) -> Fact[bool]:
    def ask() -> None:
        try:
            trial()
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise

    return try_call(ask, what)


def _load_for(btf: Fact[Btf], name: str, function: str, prog_type: int, attach_type: int) -> Fact[bool]:
    if btf.value is None:
        return Fact(unknown=f"not tried: {btf.unknown}")
    number = btf.value.functions.get(function)
    if number is None:
        return Fact(False, origin=f"{btf.origin} has no {function}")
    return try_call(lambda: bpf.load_trial(prog_type, attach_type, number), f"{_loading(name)} for {function}")


def _loading(name: str) -> str:
    return f"loading a program of kind {name}"


def _check_lsm(tree: Tree, loads: Fact[bool], config: Config) -> Fact[bool]:
    """An LSM program loads and attaches, and is never called, unless bpf is among the active security modules."""
    if not loads.value:
        return loads
    try:
        active, place = tree.text(LSMS).strip(), LSMS
    except OSError as error:
        if config.value is None or "CONFIG_LSM" not in config.value:
            return Fact(unknown=explain(LSMS, error))
        active, place = config.value["CONFIG_LSM"], f"CONFIG_LSM in {config.origin}"
    if "bpf" in active.split(","):
        return Fact(True, origin=f"{loads.origin}, and {place} lists bpf")
    return Fact(False, origin=f"{place} does not list bpf: such programs would attach and never be called")


def _find_struct_ops(fields: Fact[AbstractSet[str]]) -> Fact[bool]:
    """The kernel has a type bpf_struct_ops_X for each of its structures that BPF can fill in."""
    if fields.value is None:
        return Fact(unknown=fields.unknown)
    # As text, and not as a set of 75,000 names that nobody else asks for now.
    text = fields.value.text if isinstance(fields.value, Names) else Names.of(fields.value).text
    match = STRUCT_OPS.search(f"\n{text}\n")
    return Fact(match is not None, origin=f"{fields.origin} has {match[1] if match else 'no bpf_struct_ops_*_ops'}")


def read_counters(tree: Tree, pmus: Fact[frozenset[str]], capabilities: frozenset[str]) -> Fact[frozenset[str]]:
    """The hardware events that can really be opened: a processor's PMU may be listed and count nothing."""
    if not tree.live:
        if pmus.value is not None and not any(one.startswith(PROCESSOR_PMUS) for one in pmus.value):
            return Fact(frozenset(), origin=f"{pmus.origin} has no processor's PMU")
        return Fact(unknown=NOT_LIVE)
    if TRACING.isdisjoint(capabilities):
        return Fact(unknown="not tried: opening hardware counters needs CAP_PERFMON")
    found: set[str] = set()
    for number, name in enumerate(COUNTERS):
        try:
            os.close(bpf.open_counter(bpf.PMU_HARDWARE, number))
        except OSError as error:
            if error.errno not in NO_COUNTER:
                return Fact(unknown=f"opening the hardware counter {name} gives {name_error(error)}")
            continue
        found.add(name)
    return Fact(frozenset(found), origin="opening each of the generic hardware events")
