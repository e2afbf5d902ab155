"""What mends what a host lacks, as commands for a person: packages of headers, mounts. Pure."""

from __future__ import annotations

import re

from toolkit.distributions import find_manager, install_command
from toolkit.model import Facts, Need, NeedKind
from toolkit.options import is_unset, set_fix

KPROBES_FIX = "boot a kernel with CONFIG_KPROBES=y, or take a variant that needs none"
HARDWARE_FIX = "run it on a machine that has it"
FORBIDDEN_FIX = "take a variant that needs none: this kernel, or what it runs in, forbids them"
OTHER_RELEASE = "another release of the tool may fit this kernel: toolkit sync"
COUNTERS_FIX = "run it on the machine itself, or have its hypervisor give the guest a PMU"
TERMINAL_FIX = "start its file by itself, without limits and recording"
FENTRY_OPTIONS = ("CONFIG_FUNCTION_TRACER", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", "CONFIG_DEBUG_INFO_BTF")
UNLOOKED_FIX = "take the facts of that host anew: `toolkit facts --export` there, or capture-facts with its path"
PART_FIX = "put it beside the tool, which compiles it"
TRACEFS_FIX = "mount -t tracefs nodev /sys/kernel/tracing"
# What helps when something to trace is not there.
TRACED_FIXES = {
    NeedKind.UPROBE: "trace a file that has it: `bpftrace -l 'uprobe:FILE:*'` lists what a file has",
    NeedKind.USDT: "trace a build with these probes: `bpftrace -l 'usdt:FILE:*'` lists what a file has",
    NeedKind.PLATFORM: HARDWARE_FIX,
    NeedKind.PROGRAM: "install it, or run a variant that traces something else",
}


def looked_fix(need: Need, facts: Facts) -> str:
    """How to get what lies outside of the kernel; "" where that is not known."""
    if need.kind is NeedKind.PYTHON_MODULE:
        return install_command(facts.distribution, need.name.partition(".")[0])
    if need.kind is NeedKind.USER_HEADER and need.name.startswith("/"):
        return "mend the path in its text, or put the file there"
    if need.kind is NeedKind.FILE and need.name.startswith("/sys/devices/"):
        return HARDWARE_FIX
    if need.kind is NeedKind.USER_HEADER:
        return install_command(facts.distribution, "libc")
    return TRACED_FIXES.get(need.kind, "")


def header_fix(facts: Facts) -> str:
    """How to get the running kernel's headers: the package that holds them, if this kernel came in a package."""
    manager = find_manager(facts.distribution)
    if manager and re.search(manager.kernels, facts.release):
        return f"{manager.install} {manager.headers.format(facts.release)}"
    where = f"/lib/modules/{facts.release}/build"
    return f"build this kernel with CONFIG_IKHEADERS=m, or put its headers in {where}"


def fentry_fix(facts: Facts) -> str:
    """How to get fentry: the first option that it takes and this kernel lacks; where none is, nobody here can tell."""
    missing = (option for option in FENTRY_OPTIONS if is_unset(option, facts))
    option = next(missing, "")
    return set_fix(option) if option else FORBIDDEN_FIX


VAGUE = (OTHER_RELEASE, FORBIDDEN_FIX)  # of several fixes these come last
