"""What facts depend on, in a few hundred system calls and no process: when it changes, cached facts are stale."""

from __future__ import annotations

import os

from toolkit import __version__
from toolkit.host import places

# To be raised when the probes find out more, or put it differently, under the same fields of Facts.
EDITION = 4

WATCHED_STATUS = (b"CapEff:", b"NoNewPrivs:", b"Seccomp:", b"Groups:")


def fingerprint() -> str:
    """One line for each thing that facts depend on; equal texts mean that cached facts still hold.

    It is text rather than a hash so that a person can see what changed between two of them.
    """
    kernel = os.uname()
    lines = (
        f"toolkit {__version__} edition {EDITION}",
        f"kernel {kernel.release} {kernel.machine}",
        f"boot {_read('/proc/sys/kernel/random/boot_id')}",
        f"modules {_module_names()}",
        *_list_process(),
        *(f"{name} {_read(f'{places.SYSCTLS}/{name}')}" for name in places.RESTRICTIONS),
        f"ftrace {_read(places.FTRACE_SWITCH)}",
        f"lockdown {_read(places.LOCKDOWN)} {_read(places.LSMS)}",
        f"kprobes {_read(places.KPROBES_SWITCH)}",
        f"pmus {_list(places.PMUS)}",
        *_list_mounts(),
        *(f"has {path}" for path in _list_optional(kernel.release) if os.path.exists(path)),
        *_list_files(kernel.release, kernel.machine),
    )
    return "\n".join(lines)


def _list_process() -> list[str]:
    """Who we are and what we may do: the same host offers root more than others, and a container less."""
    status = _read_bytes(places.PROCESS_STATUS).splitlines()
    limits = _read_bytes(places.PROCESS_LIMITS).splitlines()
    return [
        f"uid {os.geteuid()}",
        *(" ".join(line.decode().split()) for line in status if line.startswith(WATCHED_STATUS)),
        *(" ".join(line.decode().split()) for line in limits if line.startswith(b"Max locked memory")),
    ]


def _list_mounts() -> list[str]:
    """Which file system lies at each place and whether we may read it; inode times of sysfs mean nothing."""
    lines = []
    for path in ("/", places.TRACEFS[0], places.DEBUGFS, places.SECURITYFS):
        found = _stat(path)
        if found is not None:
            lines.append(f"mount {path} {found.st_dev} {found.st_ino} {os.access(path, os.R_OK | os.X_OK)}")
    return lines


def _list_optional(release: str) -> tuple[str, ...]:
    """What the kernel or a package of headers may offer or not."""
    headers = (f"{folder}/{name}" for folder in places.header_folders(release) for name in ("Makefile", "include"))
    return (*headers, *places.config_files(release), places.KHEADERS, places.KERNEL_BTF)


def _list_files(release: str, machine: str) -> list[str]:
    """Files on disk that an upgrade replaces: engines, bcc's module, the kernel's config."""
    packages = [folder for folder in places.PYTHON_PACKAGES if os.path.isdir(folder)]
    watched = (
        *places.BPFTRACES,
        *places.PYTHONS,
        *places.bcc_libraries(machine),
        *packages,
        *(f"{folder}/bcc" for folder in packages),
        "/etc/os-release",
        *places.config_files(release)[1:],
    )
    lines = []
    for path in watched:
        found = _stat(path)
        if found is not None:
            lines.append(f"file {path} {found.st_dev} {found.st_ino} {found.st_mtime_ns} {found.st_size}")
    return lines


def _module_names() -> str:
    """Names of the loaded modules: their tracepoints and functions come and go with them."""
    return " ".join(line.split(b" ", 1)[0].decode() for line in _read_bytes(places.MODULES).splitlines())


def _list(path: str) -> str:
    try:
        return " ".join(sorted(os.listdir(path)))
    except OSError:
        return ""


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _read(path: str) -> str:
    return _read_bytes(path).decode(errors="replace").strip()


def _read_bytes(path: str) -> bytes:
    """What a file holds, or nothing where it cannot be read: that is a state of the host like any other."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            return file.read()
    except OSError:
        return b""
