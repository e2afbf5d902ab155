"""Guess the category of a tool that nobody has curated, from the probes that it names."""

from __future__ import annotations

from collections import Counter

from toolkit.model import Need, NeedKind

# What a probe's system or function name tells about its subject. The first that matches a probe counts for it.
TRACEPOINT_SYSTEMS = {
    "sched": "cpu",
    "irq": "cpu",
    "power": "cpu",
    "timer": "cpu",
    "block": "disk",
    "nvme": "disk",
    "scsi": "disk",
    "kmem": "mem",
    "vmscan": "mem",
    "compaction": "mem",
    "exceptions": "mem",
    "oom": "mem",
    "ext4": "fs",
    "xfs": "fs",
    "btrfs": "fs",
    "f2fs": "fs",
    "nfs": "fs",
    "writeback": "fs",
    "filemap": "fs",
    "jbd2": "fs",
    "tcp": "net",
    "udp": "net",
    "sock": "net",
    "skb": "net",
    "net": "net",
    "napi": "net",
    "qdisc": "net",
    "kvm": "hyper",
    "xen": "hyper",
    "cgroup": "container",
    "signal": "app",
    "module": "security",
    "workqueue": "kernel",
}
FUNCTION_PREFIXES = (
    (
        (
            "tcp_",
            "udp_",
            "ip_",
            "ip6_",
            "inet",
            "sock",
            "__sock",
            "skb_",
            "__skb",
            "dev_",
            "netif",
            "sys_enter_connect",
        ),
        "net",
    ),
    (("blk_", "__blk", "bio_", "submit_bio", "nvme", "scsi", "md_"), "disk"),
    (("vfs_", "__vfs", "ext4", "xfs_", "btrfs", "nfs", "dput", "d_", "lookup", "filemap", "page_cache"), "fs"),
    (("kmalloc", "__kmalloc", "kmem", "alloc_pages", "__alloc", "shrink", "do_swap", "handle_mm", "oom_"), "mem"),
    (("finish_task", "schedule", "try_to_wake", "ttwu"), "cpu"),
    (("cap_", "security_", "do_init_module", "load_module"), "security"),
    (("kvm_", "xen_"), "hyper"),
)
SYSCALLS = (
    (("open", "stat", "newstat", "newfstat", "read", "write", "unlink", "rename", "sync", "fsync", "mount"), "fs"),
    (("connect", "accept", "bind", "listen", "send", "recv", "socket"), "net"),
    (("kill", "tkill", "tgkill", "nanosleep", "futex"), "app"),
    (("brk", "mmap", "munmap"), "mem"),
    (("setuid", "setgid", "setresuid", "ptrace"), "security"),
    (("execve", "clone", "fork", "exit"), "cpu"),
)


def guess_category(probes: tuple[Need, ...]) -> str:
    """The category that most of the probes speak of; `multi` when none does."""
    counted = Counter(category for probe in probes if (category := _subject(probe)))
    return counted.most_common(1)[0][0] if counted else "multi"


def _subject(probe: Need) -> str:
    if probe.kind is NeedKind.TRACEPOINT:
        system, _, event = probe.name.partition(":")
        if system in ("syscalls", "raw_syscalls"):
            return _match(event.removeprefix("sys_enter_").removeprefix("sys_exit_"), SYSCALLS)
        return TRACEPOINT_SYSTEMS.get(system, "")
    if probe.kind in (NeedKind.TP_BTF, NeedKind.RAW_TRACEPOINT):
        return TRACEPOINT_SYSTEMS.get(probe.name.partition("_")[0], "")
    if probe.kind in (NeedKind.KPROBE, NeedKind.FENTRY):
        return _match(probe.name, FUNCTION_PREFIXES)
    if probe.kind is NeedKind.NETWORK:
        return "net"
    return "lang" if probe.kind is NeedKind.USDT else ""


def _match(name: str, table: tuple[tuple[tuple[str, ...], str], ...]) -> str:
    return next((category for prefixes, category in table if name.startswith(prefixes)), "")
