"""Options of the kernel's configuration: which of them are read, and what only an option decides. Pure."""

from __future__ import annotations

import re

from toolkit.answer import Answer
from toolkit.model import Facts

# How programs get into the kernel, what they can attach to, and which file systems and subsystems tools look at.
WANTED = re.compile(
    r"""CONFIG_(
        BPF.* | .*_BPF | .*_BPF_.* | HAVE_EBPF_JIT |
        .*KPROBE.* | .*UPROBE.* | FTRACE.* | .*FUNCTION_TRACER | .*DYNAMIC_FTRACE.* | FPROBE.* |
        TRACING.* | TRACEPOINTS | EVENT_TRACING | .*SYSCALL_TRACEPOINTS | FUNCTION_ERROR_INJECTION | DEBUG_FS |
        PREEMPTIRQ_.* | IRQSOFF_TRACER | PREEMPT_TRACER | DEBUG_PREEMPT | NUMA | BLK_DEV_IO_TRACE |
        HZ | NR_CPUS | SMP | PREEMPT.* |
        DEBUG_INFO | DEBUG_INFO_BTF.* | IKHEADERS | IKCONFIG.* | KALLSYMS.* | .*PERF_EVENTS | LIVEPATCH |
        SECURITYFS | SECURITY_LOCKDOWN.* | LOCK_DOWN.* | LSM | CGROUPS | MEMCG | CGROUP_SCHED | PSI.* | MODULES |
        (XFS|EXT4|BTRFS|NFS|F2FS|OVERLAY|FUSE)_FS | NFSD | ZFS | KVM(_INTEL|_AMD)? | XEN | HYPERVISOR_GUEST |
        SCHEDSTATS | TASK_DELAY_ACCT | COMPACTION | SLUB | SLAB | SWAP | NET_SCHED | INET | IPV6 | MD | BLK_DEV_MD
    )""",
    re.VERBOSE,
)
# Helpers that stand in the enumeration of every kernel, and are compiled into some.
HELPERS = {"bpf_override_return": "CONFIG_BPF_KPROBE_OVERRIDE"}
# The systems of tracepoints, which are also what names of functions begin with, that an option puts into a kernel.
SYSTEMS = {
    "syscalls": "CONFIG_FTRACE_SYSCALLS",
    "preemptirq": "CONFIG_PREEMPTIRQ_TRACEPOINTS",
    "compaction": "CONFIG_COMPACTION",
    "kvm": "CONFIG_KVM",
    "xen": "CONFIG_XEN",
    "md": "CONFIG_BLK_DEV_MD",
    "nfs": "CONFIG_NFS_FS",
    "nfs4": "CONFIG_NFS_FS",
    "nfsd": "CONFIG_NFSD",
    **{name: f"CONFIG_{name.upper()}_FS" for name in ("btrfs", "ext4", "f2fs", "xfs")},
}


def is_unset(option: str, facts: Facts) -> bool:
    """Whether a kernel is known to be built without an option that is read; what depends on others may be left out."""
    options = facts.config.value
    return options is not None and WANTED.fullmatch(option) is not None and options.get(option, "n") == "n"


def answer_option(option: str, facts: Facts) -> Answer:
    """Whether a kernel was built with an option."""
    if facts.config.value is None:
        return Answer(None, f"it is not known whether {option} is set: {facts.config.unknown}")
    if facts.config.value.get(option, "n") != "n":
        return Answer(True)
    if not is_unset(option, facts):
        return Answer(None, f"it is not known whether {option} is set")
    return Answer(False, f"{option} is not set in this kernel", set_fix(option))


def set_fix(option: str) -> str:
    """What sets an option."""
    return f"boot a kernel with {option}=y"


def find_unset(name: str, facts: Facts) -> str:
    """The option without which a kernel has no such tracepoint or function, where that is why; else nothing."""
    system, colon, _ = name.partition(":")
    part = system if colon else name.lstrip("_").partition("_")[0]
    option = "" if part in (facts.loaded.value or ()) else SYSTEMS.get(part, "")
    return option if option and is_unset(option, facts) else ""
