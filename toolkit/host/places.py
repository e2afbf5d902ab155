"""Where a host keeps what is asked for: the probes read it, the fingerprint watches it, so they cannot differ."""

from __future__ import annotations

# Where a distribution and its administrator put programs, in the order of sudo's secure_path. The caller's PATH
# does not count: root must not run what a user's PATH names, and the answer must be the same from cron.
PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
BPFTRACES = tuple(f"{folder}/bpftrace" for folder in PROGRAMS)

# The system's Pythons, never the one that runs us: distributions install bcc for theirs. RHEL 8 hides its own.
MINORS = tuple(range(19, 5, -1))
PYTHONS = (
    "/usr/bin/python3",
    "/usr/libexec/platform-python",
    "/usr/local/bin/python3",
    *(f"/usr/bin/python3.{minor}" for minor in MINORS),
)
PYTHON_PACKAGES = (
    "/usr/lib/python3/dist-packages",
    *(
        f"{folder}/python3.{minor}/{kind}-packages"
        for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
        for kind in ("site", "dist")
        for minor in MINORS
    ),
)

# The second is where tracefs lay before it was a file system of its own (Linux 4.1); older tools look only there.
TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
DEBUGFS = "/sys/kernel/debug"
SECURITYFS = "/sys/kernel/security"
LOCKDOWN = f"{SECURITYFS}/lockdown"
LSMS = f"{SECURITYFS}/lsm"
PMUS = "/sys/bus/event_source/devices"
FTRACE_SWITCH = "/proc/sys/kernel/ftrace_enabled"
KPROBES_SWITCH = f"{DEBUGFS}/kprobes/enabled"
KPROBES_BLACKLIST = f"{DEBUGFS}/kprobes/blacklist"
KALLSYMS = "/proc/kallsyms"
BTF = "/sys/kernel/btf"
KERNEL_BTF = f"{BTF}/vmlinux"
KHEADERS = "/sys/kernel/kheaders.tar.xz"  # CONFIG_IKHEADERS, since Linux 5.2
MODULES = "/proc/modules"
FILESYSTEMS = "/proc/filesystems"
PROCESSORS = "/proc/cpuinfo"
PROCESS_STATUS = "/proc/self/status"
PROCESS_LIMITS = "/proc/self/limits"
SYSCTLS = "/proc/sys/kernel"
RESTRICTIONS = ("perf_event_paranoid", "unprivileged_bpf_disabled", "kptr_restrict")


def config_files(release: str) -> tuple[str, ...]:
    """Where the running kernel's configuration may lie, the surest first."""
    return (
        "/proc/config.gz",
        f"/boot/config-{release}",
        f"/lib/modules/{release}/config",
        f"/lib/modules/{release}/build/.config",
    )


def header_folders(release: str) -> tuple[str, ...]:
    """Where the running kernel's headers may lie; both are links that a removed package leaves dangling."""
    return (f"/lib/modules/{release}/build", f"/lib/modules/{release}/source")


def bcc_libraries(machine: str) -> tuple[str, ...]:
    """Where the library behind the bcc module may lie."""
    folders = (f"/usr/lib/{machine}-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib")
    return tuple(f"{folder}/libbcc.so.0" for folder in folders)


def module_files(release: str) -> str:
    """depmod(8)'s list of the modules that there are files of."""
    return f"/lib/modules/{release}/modules.dep"


def modules_built_in(release: str) -> str:
    """The list of what is a module elsewhere and built into this kernel."""
    return f"/lib/modules/{release}/modules.builtin"


def library_folders() -> tuple[str, ...]:
    """Where the dynamic linker finds libraries on the distributions that there are, without ld.so.cache."""
    machines = ("x86_64", "aarch64", "s390x", "powerpc64le", "riscv64", "arm")
    several = tuple(
        f"{top}/{one}-linux-gnu{'eabihf' * (one == 'arm')}" for one in machines for top in ("/usr/lib", "/lib")
    )
    return (*several, "/usr/lib64", "/lib64", "/usr/lib", "/lib", "/usr/local/lib")
