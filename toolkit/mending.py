"""What mends what a host lacks, as commands for a person: packages of headers, mounts. Pure."""

from __future__ import annotations

import re

from toolkit.model import Facts, Need, NeedKind
from toolkit.options import is_unset, set_fix

KPROBES_FIX = "boot a kernel with CONFIG_KPROBES=y, or take a variant that needs none"
HARDWARE_FIX = "run it on a machine that has it"
FORBIDDEN_FIX = "take a variant that needs none: this kernel, or what it runs in, forbids them"
OTHER_RELEASE = "another release of the tool may fit this kernel: toolkit sync"
COUNTERS_FIX = "run it on the machine itself, or have its hypervisor give the guest a PMU"
TERMINAL_FIX = "start its file by itself, without limits and recording"
FENTRY_OPTIONS = ("CONFIG_FUNCTION_TRACER", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", "CONFIG_DEBUG_INFO_BTF")
TRACEFS_FIX = "mount -t tracefs nodev /sys/kernel/tracing"

# Whose kernel releases look how, and what installs their headers. A kernel of one's own, or of a cloud, has no such
# package, and a command that cannot work is worse than none.
HEADER_PACKAGES: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"debian", "ubuntu", "raspbian", "linuxmint", "pop", "kali"}),
        r"-(amd64|arm64|armmp|powerpc64le|s390x|riscv64|generic|lowlatency|aws|azure|gcp|oracle|kvm|raspi|rpi|ibm)$",
        "apt-get install -y linux-headers-{}",
    ),
    (
        frozenset({"fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn"}),
        r"\.(fc|el|amzn)\d+",
        "dnf install -y kernel-devel-{}",
    ),
    (
        frozenset({"opensuse-leap", "opensuse-tumbleweed", "sles"}),
        r"-default$",
        "zypper install -y kernel-default-devel",
    ),
    (frozenset({"arch"}), r"-arch\d", "pacman -S --noconfirm linux-headers"),
)

# Python modules that tools import, in packages that Debian's kin and Fedora's call the same.
MODULE_PACKAGES = {"elftools": "python3-pyelftools"}


# What installs the headers of the C library, in the order of HEADER_PACKAGES.
LIBC_HEADERS = (
    "apt-get install -y libc6-dev",
    "dnf install -y glibc-devel",
    "zypper install -y glibc-devel",
    "pacman -S --noconfirm glibc",
)
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
        return _module_fix(need, facts)
    if need.kind is NeedKind.USER_HEADER and need.name.startswith("/"):
        return "mend the path in its text, or put the file there"
    if need.kind is NeedKind.FILE and need.name.startswith("/sys/devices/"):
        return HARDWARE_FIX
    if need.kind is NeedKind.USER_HEADER:
        kinds = (names for names, _, _ in HEADER_PACKAGES)
        fitting = (command for names, command in zip(kinds, LIBC_HEADERS, strict=True) if facts.distribution in names)
        return next(fitting, "")
    return TRACED_FIXES.get(need.kind, "")


def _module_fix(need: Need, facts: Facts) -> str:
    package = MODULE_PACKAGES.get(need.name.partition(".")[0])
    commands = (command for names, _, command in HEADER_PACKAGES if facts.distribution in names)
    install, found, _ = next(commands, "").partition(" -y ")
    return f"{install} -y {package}" if package and found else ""


def header_fix(facts: Facts) -> str:
    """How to get the running kernel's headers: the package that holds them, if this kernel came in a package."""
    for names, kernels, command in HEADER_PACKAGES:
        if facts.distribution in names and re.search(kernels, facts.release):
            return command.format(facts.release)
    where = f"/lib/modules/{facts.release}/build"
    return f"build this kernel with CONFIG_IKHEADERS=m, or put its headers in {where}"


def fentry_fix(facts: Facts) -> str:
    """How to get fentry: the first option that it takes and this kernel lacks; where none is, nobody here can tell."""
    missing = (option for option in FENTRY_OPTIONS if is_unset(option, facts))
    option = next(missing, "")
    return set_fix(option) if option else FORBIDDEN_FIX


VAGUE = (OTHER_RELEASE, FORBIDDEN_FIX)  # of several fixes these come last
