"""Facts from a folder of raw captures: files that a short shell script took on a host where nothing can be installed.

`scripts/capture-facts` says what the files are. Each stands for a place of the host, so the same probes read it; what
can only be tried (fentry, bpf(2) itself) is taken from what the engines' own feature tests said there.
"""

from __future__ import annotations

import errno
import gzip
import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from toolkit.errors import UsageError
from toolkit.host import places
from toolkit.host.engines import parse_version
from toolkit.host.probe import probe_kernel
from toolkit.host.tree import Tree
from toolkit.model import Engine, EngineFact, Fact, Facts

TRACEFS = places.TRACEFS[0]
LARGEST = 256 << 20  # bytes of one file when it is unpacked

# Which file of a capture stands for which place of the host, where the bytes are the same.
SAME = {
    "config.gz": "/proc/config.gz",
    "tracepoints.txt": f"{TRACEFS}/available_events",
    "available_filter_functions.gz": f"{TRACEFS}/available_filter_functions",
    "btf-vmlinux.gz": places.KERNEL_BTF,
    "caps.txt": places.PROCESS_STATUS,
    "os-release": "/etc/os-release",
    "lockdown.txt": places.LOCKDOWN,
    "kprobes-blacklist.txt": places.KPROBES_BLACKLIST,
    "modules.txt": places.MODULES,
    "filesystems.txt": places.FILESYSTEMS,
    "uname-r": f"{places.SYSCTLS}/osrelease",
}
# What a shell writes into a file when the command failed: a fact too, unknown for this reason.
FAILED = re.compile(r"(?:^|\n)(?:cat|ls|zcat|gzip|cp|head|tar): [^\n]*: ([A-Z][a-z ]+)\s*$")
CODES = {
    "No such file or directory": errno.ENOENT,
    "Permission denied": errno.EACCES,
    "Operation not permitted": errno.EPERM,
}


@dataclass(frozen=True)
class CaptureTree(Tree):
    """A host as far as its captures go; what was not captured does not exist."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)  # errno by place

    @property
    def live(self) -> bool:
        """Never: nothing can be tried."""
        return False

    def read(self, path: str) -> bytes:
        """The captured bytes. Raises OSError with what the host said then."""
        if path in self.files:
            return self.files[path]
        raise _failure(self.failures.get(path, errno.ENOENT), path)

    def exists(self, path: str) -> bool:
        """Whether something of this path was captured."""
        return path in self.files or any(one.startswith(f"{path}/") for one in self.files)

    def entries(self, path: str) -> tuple[str, ...]:
        """The captured names in a folder. Raises OSError."""
        below = f"{path}/"
        names = {one.removeprefix(below).partition("/")[0] for one in self.files if one.startswith(below)}
        if not names:
            raise _failure(self.failures.get(path, errno.ENOENT), path)
        return tuple(sorted(names))


def read_capture(folder: Path) -> Facts:
    """The facts that a folder of captures tells. Raises UsageError when it is none."""
    if not (folder / "uname-r").is_file():
        raise UsageError(
            f"{folder} holds no captures: there is no uname-r in it", fix="take them with scripts/capture-facts"
        )
    tree = _open_tree(folder)
    facts = probe_kernel(tree)
    features = _read_features(folder)
    version = parse_version(_text(folder, "bpftrace-version.txt"))
    fentry = features.get("kfunc", features.get("fentry"))
    told = "bpftrace --info, captured there"
    return msgspec.structs.replace(
        facts,
        bpf=_read_bpf(folder),
        fentry=Fact(unknown="no captured bpftrace --info tells") if fentry is None else Fact(fentry, origin=told),
        engines=_read_engines(folder, version, facts.release),
        missing_engines={},
    )


def _read_bpf(folder: Path) -> Fact[bool]:
    """Whether bpf(2) worked there, from bpftool feature probe -j."""
    match = re.search(r'"have_bpf_syscall": ?(true|false)', _text(folder, "bpftool-feature.json"))
    if match is None:
        return Fact(unknown="no captured bpftool feature probe tells")
    return Fact(match[1] == "true", origin="bpftool feature probe, captured there")


def _read_engines(folder: Path, bpftrace: str, release: str) -> tuple[EngineFact, ...]:
    packages = dict(
        line.split(None, 1) for line in _text(folder, "packages.txt").splitlines() if len(line.split(None, 1)) == 2
    )
    bcc = next((packages[name] for name in ("python3-bpfcc", "python3-bcc", "bcc-tools") if name in packages), "")
    found = (
        EngineFact(name=Engine.BPFTRACE, version=bpftrace, argv=("/usr/bin/bpftrace",)),
        EngineFact(name=Engine.BCC, version=parse_version(bcc), argv=("/usr/bin/python3",)),
    )
    always = (
        EngineFact(name=Engine.NATIVE, version=release, argv=()),
        EngineFact(name=Engine.SHELL, version="", argv=("/bin/bash",)),
    )
    return (*(one for one in found if one.version), *always)


def _read_features(folder: Path) -> dict[str, bool]:
    """The lines "name: yes" of bpftrace --info."""
    lines = re.findall(r"^\s*([\w:]+): (yes|no)\s*$", _text(folder, "bpftrace-info.txt"), re.MULTILINE)
    return {name: answer == "yes" for name, answer in lines}


def _open_tree(folder: Path) -> CaptureTree:
    files: dict[str, bytes] = {}
    failures: dict[str, int] = {}
    for name, place in SAME.items():
        data = _read(folder, name)
        failed = FAILED.search(data[-4096:].decode(errors="replace"))
        if failed:
            failures[place] = CODES.get(failed[1], errno.EIO)
        elif data or name in ("kprobes-blacklist.txt", "modules.txt"):
            files[place] = data
    functions = f"{TRACEFS}/available_filter_functions"
    failed = FAILED.search(_text(folder, "aff.err"))
    if failed:
        files.pop(functions, None)
        failures[functions] = CODES.get(failed[1], errno.EIO)
    files |= _read_lists(folder)
    files |= _read_formats(folder)
    files[places.KALLSYMS] = _read_symbols(folder, files)
    return CaptureTree(root=folder, files=files, failures=failures)


def _read_lists(folder: Path) -> dict[str, bytes]:
    """What is a listing in the capture and a file or folder on the host."""
    files = {f"{TRACEFS}/events/enable": b""}
    for line in _text(folder, "pmu-types.txt").splitlines():
        name, _, number = line.partition(" ")
        files[f"{places.PMUS}/{name}/type"] = number.encode()
    for line in _text(folder, "sysctl.txt").splitlines():
        name, _, value = line.partition("=")
        files[f"/proc/sys/{name.strip().replace('.', '/')}"] = value.strip().encode()
    for name in ("headers.txt", "kheaders.txt"):
        for line in _text(folder, name).splitlines():
            if line.startswith("/"):
                files[line.strip() + ("/Makefile" if line.strip().endswith(("/build", "/source")) else "")] = b""
    memlock = _text(folder, "memlock.txt").strip()
    size = str(int(memlock) << 10) if memlock.isdigit() else memlock
    files[places.PROCESS_LIMITS] = f"Max locked memory         {size}       {size}       bytes\n".encode()
    machine = _text(folder, "uname-a").split()[-2:-1]
    files[f"{places.SYSCTLS}/arch"] = " ".join(machine).encode()
    for line in _text(folder, "btf.txt").splitlines():
        module = line.split()[-1] if line.startswith("-") else ""
        if module and module != "vmlinux":
            files[f"{places.BTF}/{module}"] = b""
    return files


def _read_formats(folder: Path) -> dict[str, bytes]:
    """Each event's format. A damaged or foreign archive holds none."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(folder / "events-formats.tgz") as archive:
            for member in archive:
                if member.isreg() and member.name.endswith("/format") and member.size < 1 << 20:
                    stream = archive.extractfile(member)
                    files[f"{TRACEFS}/{member.name.removeprefix('./')}"] = stream.read() if stream else b""
    except (OSError, tarfile.TarError, EOFError):
        return {}
    return files


def _read_symbols(folder: Path, files: dict[str, bytes]) -> bytes:
    """kallsyms with a letter for each name: data only where the configuration puts data there at all.

    The captures have no letters, so that no address can slip in with them; what ftrace or BTF calls a function, or
    what has a compiler's suffix, is code.
    """
    config = gzip.decompress(files["/proc/config.gz"]) if "/proc/config.gz" in files else b""
    has_data = b"\nCONFIG_KALLSYMS_ALL=y" in config
    lines = []
    code = _known_code(files) if has_data else frozenset()
    for line in _read(folder, "kallsyms-names.gz").decode(errors="replace").splitlines():
        name, _, module = line.strip().partition(" ")
        letter = "d" if has_data and name not in code and "." not in name else "t"
        lines.append(f"0 {letter} {name} {module}".rstrip())
    return "\n".join(lines).encode()


def _known_code(files: dict[str, bytes]) -> frozenset[str]:
    from toolkit.host.btf import BtfError, read_btf
    from toolkit.host.tracefs import parse_functions

    listed = files.get(f"{TRACEFS}/available_filter_functions", b"").decode(errors="replace")
    try:
        described = read_btf(files.get(places.KERNEL_BTF, b"")).functions.keys()
    except BtfError:
        return parse_functions(listed)
    return parse_functions(listed) | described


def _read(folder: Path, name: str) -> bytes:
    """A captured file, unpacked unless a host has it packed too; nothing when it was not taken."""
    try:
        if not name.endswith(".gz"):
            return (folder / name).read_bytes()[:LARGEST]
        with gzip.open(folder / name) as stream:
            data = stream.read(LARGEST)
    except (OSError, EOFError):
        return b""
    return gzip.compress(data, 1) if name == "config.gz" else data


def _text(folder: Path, name: str) -> str:
    return _read(folder, name).decode(errors="replace")


def _failure(code: int, path: str) -> OSError:
    import os

    return OSError(code, os.strerror(code), path)
