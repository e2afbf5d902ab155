"""Which release of Linux first had what BPF programs are made of, and which option compiles it in. Pure.

Presence decides whether a need is met, since distributions backport; a release is advice. Numbers of helpers and names
are those of the kernel's interface, include/uapi/linux/bpf.h: enum bpf_func_id, which is closed since v6.1,
bpf_map_type and bpf_prog_type.
"""

from __future__ import annotations

from typing import NamedTuple

from toolkit.mending import FORBIDDEN_FIX
from toolkit.model import Facts, Need, NeedKind
from toolkit.options import is_unset, set_fix
from toolkit.versions import parse_version

# In the order of their numbers. The older ones are in every kernel that these tools are for, or libbpf puts an older
# one in their stead.
FIRST = 116
_NAMES = {
    "5.6": "tcp_send_ack send_signal_thread jiffies64",
    "5.7": "read_branch_records get_ns_current_pid_tgid xdp_output get_netns_cookie get_current_ancestor_cgroup_id "
    "sk_assign",
    "5.8": "ktime_get_boot_ns seq_printf seq_write sk_cgroup_id sk_ancestor_cgroup_id ringbuf_output ringbuf_reserve "
    "ringbuf_submit ringbuf_discard ringbuf_query csum_level",
    "5.9": "skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock "
    "get_task_stack",
    "5.10": "load_hdr_opt store_hdr_opt reserve_hdr_opt inode_storage_get inode_storage_delete d_path copy_from_user "
    "snprintf_btf seq_printf_btf skb_cgroup_classid redirect_neigh per_cpu_ptr this_cpu_ptr redirect_peer",
    "5.11": "task_storage_get task_storage_delete get_current_task_btf bprm_opts_set ktime_get_coarse_ns "
    "ima_inode_hash sock_from_file",
    "5.12": "check_mtu",
    "5.13": "for_each_map_elem snprintf",
    "5.14": "sys_bpf btf_find_by_name_kind sys_close",
    "5.15": "timer_init timer_set_callback timer_start timer_cancel get_func_ip get_attach_cookie task_pt_regs",
    "5.16": "get_branch_snapshot trace_vprintk skc_to_unix_sock kallsyms_lookup_name",
    "5.17": "find_vma loop strncmp get_func_arg get_func_ret get_func_arg_cnt",
    "5.18": "get_retval set_retval xdp_get_buff_len xdp_load_bytes xdp_store_bytes copy_from_user_task "
    "skb_set_tstamp ima_file_hash",
    "5.19": "kptr_xchg map_lookup_percpu_elem skc_to_mptcp_sock dynptr_from_mem ringbuf_reserve_dynptr "
    "ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write dynptr_data",
    "6.0": "tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 "
    "tcp_raw_check_syncookie_ipv6",
    "6.1": "ktime_get_tai_ns user_ringbuf_drain",
    "6.2": "cgrp_storage_get cgrp_storage_delete",
}
_SINCE = {f"bpf_{name}": release for release, names in _NAMES.items() for name in names.split()}
HELPERS = dict(enumerate(_SINCE, FIRST))
_MAPS = {
    "4.18": "xskmap sockhash",
    "4.19": "cgroup_storage reuseport_sockarray",
    "4.20": "percpu_cgroup_storage queue stack",
    "5.2": "sk_storage",
    "5.4": "devmap_hash",
    "5.6": "struct_ops",
    "5.8": "ringbuf",
    "5.10": "inode_storage",
    "5.11": "task_storage",
    "5.16": "bloom_filter",
    "6.1": "user_ringbuf",
    "6.2": "cgrp_storage",
    "6.9": "arena",
}
_MAPS_SINCE = {name: release for release, names in _MAPS.items() for name in names.split()}


class Kind(NamedTuple):
    """A kind of BPF programs: the option that compiles it in, and the first release that had it."""

    option: str
    since: str


# By the names of enum bpf_prog_type, which are those of bpftool; with a dot, libbpf's names of sections.
KINDS = {
    "socket_filter": Kind("CONFIG_INET", "3.19"),
    "sched_cls": Kind("CONFIG_INET", "4.1"),
    "sched_act": Kind("CONFIG_INET", "4.1"),
    "xdp": Kind("CONFIG_INET", "4.8"),
    "cgroup_skb": Kind("CONFIG_CGROUP_BPF", "4.10"),
    "cgroup_sock": Kind("CONFIG_CGROUP_BPF", "4.10"),
    "lwt_in": Kind("CONFIG_LWTUNNEL_BPF", "4.10"),
    "lwt_out": Kind("CONFIG_LWTUNNEL_BPF", "4.10"),
    "lwt_xmit": Kind("CONFIG_LWTUNNEL_BPF", "4.10"),
    "sock_ops": Kind("CONFIG_CGROUP_BPF", "4.13"),
    "sk_skb": Kind("CONFIG_INET", "4.14"),
    "cgroup_device": Kind("CONFIG_CGROUP_BPF", "4.15"),
    "sk_msg": Kind("CONFIG_INET", "4.17"),
    "raw_tp": Kind("CONFIG_BPF_EVENTS", "4.17"),
    "cgroup_sock_addr": Kind("CONFIG_CGROUP_BPF", "4.17"),
    "lwt_seg6local": Kind("CONFIG_LWTUNNEL_BPF", "4.18"),
    "sk_reuseport": Kind("CONFIG_INET", "4.19"),
    "flow_dissector": Kind("CONFIG_INET", "4.20"),
    "cgroup_sysctl": Kind("CONFIG_CGROUP_BPF", "5.2"),
    "cgroup_sockopt": Kind("CONFIG_CGROUP_BPF", "5.3"),
    "struct_ops": Kind("CONFIG_BPF_JIT", "5.6"),
    "lsm": Kind("CONFIG_BPF_LSM", "5.7"),
    "iter": Kind("CONFIG_BPF_EVENTS", "5.8"),
    "sk_lookup": Kind("CONFIG_INET", "5.9"),
    "syscall": Kind("CONFIG_BPF_SYSCALL", "5.14"),
    "kprobe.multi": Kind("CONFIG_FPROBE", "5.18"),
    "netfilter": Kind("CONFIG_NETFILTER_BPF_LINK", "6.4"),
    "uprobe.multi": Kind("CONFIG_UPROBE_EVENTS", "6.6"),
}
# What the processor's PMU is called: cpu, or cpu_core and cpu_atom on hybrids, armv8_pmuv3_0 and kin on Arm.
PROCESSOR_PMUS = ("cpu", "armv", "apple_")
LSM_FIX = "boot with bpf among the names of the kernel parameter lsm=; /sys/kernel/security/lsm lists what is active"


def kind_fix(name: str, facts: Facts) -> str:
    """What helps where the kernel takes no programs of a kind: the option that it lacks, or the release that had it."""
    kind = KINDS.get(name)
    if kind is None:
        return FORBIDDEN_FIX
    if _is_older(facts, kind.since):
        return _boot_newer(kind.since)
    if is_unset(kind.option, facts):
        return set_fix(kind.option)
    return LSM_FIX if name == "lsm" else FORBIDDEN_FIX


def feature_fix(need: Need, facts: Facts) -> str:
    """What helps where the kernel lacks a helper or a type of maps or programs."""
    if need.kind is NeedKind.PROGRAM_TYPE:
        return kind_fix(need.name, facts)
    since = (_SINCE if need.kind is NeedKind.HELPER else _MAPS_SINCE).get(need.name, "")
    return _boot_newer(since) if since and _is_older(facts, since) else FORBIDDEN_FIX


def _is_older(facts: Facts, release: str) -> bool:
    return parse_version(facts.release)[:2] < parse_version(release)


def _boot_newer(release: str) -> str:
    return f"boot Linux {release} or newer, or take a variant that does without"
