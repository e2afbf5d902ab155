"""What each distribution's package manager calls the things that BPF tools need. Pure data, and its look-up."""

from __future__ import annotations

from typing import NamedTuple


class Manager(NamedTuple):
    """A package manager: whose it is, how it installs, and its names.

    `kernels` fits the releases of the kernels that come as its packages, whose headers `headers` names: a kernel of
    one's own, or of a cloud, has no such package, and a command that cannot work is worse than none.
    """

    distributions: frozenset[str]  # os-release ID
    install: str
    packages: dict[str, str]  # an engine, the C library's headers (libc), or a Python module
    kernels: str
    headers: str


MANAGERS = (
    Manager(
        frozenset({"debian", "ubuntu", "raspbian", "linuxmint", "pop", "kali"}),
        "apt-get install -y",
        {
            "bpftrace": "bpftrace",
            "bcc": "bpfcc-tools",
            "native": "libbpf-tools",
            "libc": "libc6-dev",
            "elftools": "python3-pyelftools",
        },
        r"-(amd64|arm64|armmp|powerpc64le|s390x|riscv64|generic|lowlatency|aws|azure|gcp|oracle|kvm|raspi|rpi|ibm)$",
        "linux-headers-{}",
    ),
    Manager(
        frozenset({"fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn"}),
        "dnf install -y",
        {
            "bpftrace": "bpftrace",
            "bcc": "bcc-tools",
            "native": "libbpf-tools",
            "libc": "glibc-devel",
            "elftools": "python3-pyelftools",
        },
        r"\.(fc|el|amzn)\d+",
        "kernel-devel-{}",
    ),
    Manager(
        frozenset({"opensuse-leap", "opensuse-tumbleweed", "sles"}),
        "zypper install -y",
        {"bpftrace": "bpftrace", "bcc": "bcc-tools", "libc": "glibc-devel"},
        r"-default$",
        "kernel-default-devel",
    ),
    Manager(
        frozenset({"arch"}),
        "pacman -S --noconfirm",
        {"bpftrace": "bpftrace", "bcc": "bcc-tools", "libc": "glibc"},
        r"-arch\d",
        "linux-headers",
    ),
)


def find_manager(distribution: str) -> Manager | None:
    """The package manager of a distribution; None where we do not know it."""
    return next((one for one in MANAGERS if distribution in one.distributions), None)


def install_command(distribution: str, what: str) -> str:
    """The command that installs an engine, or one of the other things that have packages, here; or empty."""
    manager = find_manager(distribution)
    package = manager.packages.get(what) if manager else None
    return f"{manager.install} {package}" if manager and package else ""
