"""What this user may do and what the kernel restricts: capabilities, lockdown, locked memory."""

from __future__ import annotations

import re

from toolkit.host.places import LOCKDOWN, PROCESS_LIMITS, PROCESS_STATUS, SECURITYFS
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

MASK = re.compile(r"CapEff:\s*([0-9a-fA-F]{1,16})\s*")
SIZE = re.compile(r"[0-9]{1,18}")

# By bit number, include/uapi/linux/capability.h; the last three came with Linux 5.8 and 5.9.
CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner"),
    *("sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice"),
    *("sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"),
    *("mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf"),
    "checkpoint_restore",
)


def read_capabilities(tree: Tree) -> frozenset[str]:
    """The effective capabilities of this process; a bit without a name is its number."""
    try:
        lines = tree.text(PROCESS_STATUS).splitlines()
    except OSError:
        return frozenset()
    mask = next((match[1] for line in lines if (match := MASK.fullmatch(line))), "0")
    return name_capabilities(int(mask, 16))


def name_capabilities(mask: int) -> frozenset[str]:
    """Names of the bits in a capability mask, lower case and without cap_."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return frozenset(CAPABILITIES[bit] if bit < len(CAPABILITIES) else str(bit) for bit in bits)


def read_lockdown(tree: Tree) -> Fact[str]:
    """The level of kernel lockdown: none, integrity or confidentiality."""
    try:
        text = tree.text(LOCKDOWN)
    except FileNotFoundError:
        return _lockdown_without_file(tree)
    except OSError as error:
        return Fact(unknown=explain(LOCKDOWN, error))
    chosen = text.partition("[")[2].partition("]")[0]
    if not re.fullmatch(r"[a-z]{1,40}", chosen):
        return Fact(unknown=f"{LOCKDOWN} marks no level: {text[:60]!r}")
    return Fact(chosen, origin=LOCKDOWN)


def _lockdown_without_file(tree: Tree) -> Fact[str]:
    """No file means no lockdown only where securityfs is mounted: an empty folder is just a mount point."""
    try:
        mounted = tree.entries(SECURITYFS)
    except OSError as error:
        return Fact(unknown=explain(SECURITYFS, error))
    if mounted:
        return Fact("none", origin=f"{SECURITYFS} has no lockdown")
    return Fact(unknown=f"securityfs is not mounted at {SECURITYFS}")


def read_memlock(tree: Tree) -> Fact[int]:
    """RLIMIT_MEMLOCK in bytes, the soft limit, -1 for unlimited; BPF maps counted against it before Linux 5.11."""
    try:
        lines = tree.text(PROCESS_LIMITS).splitlines()
    except OSError as error:
        return Fact(unknown=explain(PROCESS_LIMITS, error))
    line = next((line for line in lines if line.startswith("Max locked memory")), "")
    soft = line.removeprefix("Max locked memory").split()[:1]
    if soft == ["unlimited"]:
        return Fact(-1, origin=PROCESS_LIMITS)
    if not soft or not SIZE.fullmatch(soft[0]):
        return Fact(unknown=f"{PROCESS_LIMITS} has no limit of locked memory")
    return Fact(int(soft[0]), origin=PROCESS_LIMITS)
