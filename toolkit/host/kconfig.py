"""How the running kernel was configured, from the first place that has it."""

from __future__ import annotations

import gzip
import re
import zlib

from toolkit.host.places import config_files
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

# What judging or doctor asks for: how programs get into the kernel, what they can attach to, and which file systems
# and subsystems the tools look at.
WANTED = re.compile(
    r"""CONFIG_(
        BPF.* | .*_BPF | .*_BPF_.* | HAVE_EBPF_JIT |
        .*KPROBE.* | .*UPROBE.* | FTRACE.* | .*FUNCTION_TRACER | .*DYNAMIC_FTRACE.* | FPROBE.* |
        TRACING.* | TRACEPOINTS | EVENT_TRACING | .*SYSCALL_TRACEPOINTS | FUNCTION_ERROR_INJECTION | DEBUG_FS |
        DEBUG_INFO | DEBUG_INFO_BTF.* | IKHEADERS | IKCONFIG.* | KALLSYMS.* | .*PERF_EVENTS | LIVEPATCH |
        SECURITYFS | SECURITY_LOCKDOWN.* | LOCK_DOWN.* | LSM | CGROUPS | MEMCG | CGROUP_SCHED | PSI.* | MODULES |
        (XFS|EXT4|BTRFS|NFS|F2FS|OVERLAY|FUSE)_FS | NFSD | ZFS | KVM(_INTEL|_AMD)? | XEN | HYPERVISOR_GUEST |
        SCHEDSTATS | TASK_DELAY_ACCT | COMPACTION | SLUB | SLAB | SWAP | NET_SCHED | INET | IPV6
    )""",
    re.VERBOSE,
)
# Lengths that no option and no value of a kernel exceeds.
LINE = re.compile(r"^(?:(CONFIG_\w{1,100})=([ -~]{0,2000})|# (CONFIG_\w{1,100}) is not set)$", re.MULTILINE | re.ASCII)


def read_config(tree: Tree, release: str) -> Fact[dict[str, str]]:
    """The wanted options: y, m, a value without quotes, or n for "is not set".

    An option that this kernel does not know, or whose dependencies are off, is in no config, and so not in this.
    """
    places = config_files(release)
    why: list[str] = []
    for place in places:
        try:
            text = _read(tree, place)
        except FileNotFoundError:
            continue
        except (gzip.BadGzipFile, EOFError, zlib.error):
            why.append(f"{place} is damaged")
            continue
        except OSError as error:
            why.append(explain(place, error))
            continue
        return Fact(parse_config(text), origin=place)
    return Fact(unknown="; ".join(why) or f"there is no kernel config: none of {', '.join(places)} exists")


def parse_config(text: str) -> dict[str, str]:
    """The wanted options of a .config file."""
    options: dict[str, str] = {}
    for name, value, unset in LINE.findall(text):
        option = name or unset
        if WANTED.fullmatch(option):
            options[option] = value.strip('"') if name else "n"
    return options


def _read(tree: Tree, place: str) -> str:
    data = tree.read(place)
    if place.endswith(".gz"):
        data = gzip.decompress(data)
    return data.decode(errors="replace")
