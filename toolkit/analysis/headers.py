"""Kernel headers that only a compiler with -fms-extensions reads, since the kernel itself is built with it (6.19).

`struct filename` begins with `struct __filename_head;`, a member without a name of its own, and so does `struct
ns_common` with `struct ns_tree;`. Without that option clang takes the line for a declaration and misses what is in it:
an assertion on the size fails, or a member is not found. BCC turns it on since 0.37 (commit c3f35ecca18b), bpftrace
does not.
"""

from __future__ import annotations

from toolkit.analysis.needs import unique
from toolkit.model import Engine, Need, NeedKind, Requirement

SINCE = {Engine.BCC: "bcc>=0.37"}
# Those of the headers which lead to linux/fs.h or linux/ns_common.h, themselves or through others, that tools include.
_LINUX = (
    "bio blk-mq blk_types blkdev bpf buffer_head compaction efi ethtool fdtable fs fs_parser hugetlb icmp if_vlan "
    "inetdevice init_task ip ipc_namespace ipv6 kvm_host memcontrol mm mm_inline module net netdevice netfilter "
    "nfs_fs ns_common oom pagemap perf_event pid_namespace proc_fs proc_ns ptrace security seq_file skbuff "
    "sunrpc/clnt sunrpc/sched swap syscalls tcp tty udp user_namespace utsname virtio writeback"
)
_OTHERS = (
    "net/dst net/icmp net/inet_common net/inet_connection_sock net/inet_hashtables net/inet_sock net/ip "
    "net/ip6_route net/ipv6 net/mac80211 net/neighbour net/net_namespace net/route net/sch_generic net/sock net/tcp "
    "net/udp rdma/rdma_cm scsi/scsi_cmnd scsi/scsi_device scsi/scsi_host uapi/linux/bpf_perf_event"
)
UNNAMED = frozenset(f"{name}.h" for name in (*(f"linux/{one}" for one in _LINUX.split()), *_OTHERS.split()))


def plain_headers(names: tuple[str, ...], engine: Engine) -> tuple[Requirement, ...]:
    """The requirement that follows from including these headers with this engine: none, or one."""
    name = next((name for name in names if name in UNNAMED), "")
    if not name:
        return ()
    taken = (Need(kind=NeedKind.ENGINE, name=SINCE[engine]),) if engine in SINCE else ()
    return (Requirement(any_of=unique((Need(kind=NeedKind.PLAIN_HEADERS, name=name), *taken))),)
