"""A folder of captures made by hand: a host that never was."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

CONFIG = b"CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_EVENTS=y\nCONFIG_INET=y\nCONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y\n"
FORMAT = b"\tfield:int prev_pid;\toffset:0;\n"


def make_tar(**files: bytes) -> bytes:
    """A packed archive; two underscores stand for a slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


FILES = {
    "uname-r": b"6.1.0-test\n",
    "uname-m": b"aarch64\n",
    "os-release": b"ID=fedora\n",
    "config.gz": gzip.compress(CONFIG),
    "tracepoints.txt": b"sched:sched_switch\n",
    "events-formats.tgz": make_tar(events__sched__sched_switch__format=FORMAT),
    "available_filter_functions.gz": gzip.compress(b"vfs_read\nvfs_write\n"),
    "kallsyms-names.gz": gzip.compress(b"vfs_read\navenrun\nxfs_go\t[xfs]\n"),
    "kallsyms-letters.gz": gzip.compress(b"T\nD\nt\n"),
    "caps.txt": b"CapEff:\t000001ffffffffff\n",
    "memlock.txt": b"unlimited\n",
    "lockdown.txt": b"[none] integrity\nlockdown,capability,bpf\n",
    "sysctl.txt": b"kernel.perf_event_paranoid=2\nkernel.kptr_restrict=cat: /x: No such file or directory\n",
    "pmu-types.txt": b"software 1\nkprobe 6\nuprobe 7\n",
    "modules.txt": b"xfs\n",
    "modules.dep.gz": gzip.compress(b"kernel/fs/xfs/xfs.ko:\nkernel/fs/btrfs/btrfs.ko.xz:\n"),
    "filesystems.txt": b"nodev\tproc\n\txfs\n",
    "headers.txt": b"/lib/modules/6.1.0-test/build\n",
    "packages.txt": b"bpftrace 0.20.1-2.fc40\npython3-bcc 0.29.1-1.fc40\n",
    "bpftrace-version.txt": b"bpftrace v0.20.1\n",
    "bcc-version.txt": b"Traceback: /usr/lib/python3.12/x.py\nModuleNotFoundError: 3.12\n",
    "bpftrace-info.txt": b"Probe types\n  kprobe: yes       fentry: no\n  kprobe_multi: yes      iter: no\n",
    "bpftool-feature.json": b'{"have_bpf_syscall":true,"have_xdp_prog_type":false,"have_xdp_map_type":true}',
    "paths.txt": b"/\n/bin\n/usr\n/usr/\n/usr/bin\n/usr/lib\n/usr/bin/\n/usr/bin/java\n!/opt/acme/server\n",
    "cpuinfo.txt": b"vendor_id\t: GenuineIntel\n",
}


def make_captures(folder: Path) -> Path:
    """Write all of them."""
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder
