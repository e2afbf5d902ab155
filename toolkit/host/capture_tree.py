"""A folder of captures as a tree of /proc, /sys and /lib, so that the probes of a running host read it too."""

from __future__ import annotations

import errno
import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.host import places
from toolkit.host.capture_files import GZIP, find_failure, read_file, read_members, read_text
from toolkit.host.tree import Damaged, Tree

TRACEFS = places.TRACEFS[0]
CONFIG = "/proc/config.gz"
FUNCTIONS = f"{TRACEFS}/available_filter_functions"
EVENTS = f"{TRACEFS}/events"
LISTING = f"{TRACEFS}/available_events"

# Which file of a capture stands for which place of the host, where the bytes are the same.
SAME = {
    "config.gz": CONFIG,
    "tracepoints.txt": LISTING,
    "available_filter_functions.gz": FUNCTIONS,
    "btf-vmlinux.gz": places.KERNEL_BTF,
    "caps.txt": places.PROCESS_STATUS,
    "os-release": "/etc/os-release",
    "kprobes-blacklist.txt": places.KPROBES_BLACKLIST,
    "kprobes-enabled.txt": places.KPROBES_SWITCH,
    "modules.txt": places.MODULES,
    "filesystems.txt": places.FILESYSTEMS,
}
MAY_BE_EMPTY = frozenset(("kprobes-blacklist.txt", "modules.txt"))
EVENT = re.compile(r"events/[\w.-]{1,100}/[\w.-]{1,100}/format", re.ASCII)
SECTION = re.compile(rf"^==> ({EVENT.pattern}) <==$", re.ASCII | re.MULTILINE)
MODULE = re.compile(r"[\w-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class CaptureTree(Tree):
    """A host as far as its captures go; what was not captured does not exist."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, OSError] = field(default_factory=dict)  # by place: what reading it gives

    @property
    def live(self) -> bool:
        """Never: nothing can be tried."""
        return False

    def read(self, path: str) -> bytes:
        """The captured bytes. Raises OSError with what the host said then."""
        if path in self.files:
            return self.files[path]
        raise self._failure(path)

    def exists(self, path: str) -> bool:
        """Whether something of this path was captured."""
        return path in self.files or any(one.startswith(f"{path}/") for one in self.files)

    def entries(self, path: str) -> tuple[str, ...]:
        """The captured names in a folder. Raises OSError."""
        below = f"{path}/"
        names = {one[len(below) :].partition("/")[0] for one in self.files if one.startswith(below)}
        if not names or path in self.failures:
            raise self._failure(path)
        return tuple(sorted(names))

    def _failure(self, path: str) -> OSError:
        return self.failures.get(path) or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def open_captures(folder: Path, release: str) -> CaptureTree:
    """The tree that a folder of captures stands for. Raises nothing for what is damaged: that place gives Damaged."""
    tree = CaptureTree(root=folder)
    lists = {"modules.dep.gz": places.module_files(release), "modules.builtin.gz": places.modules_built_in(release)}
    for name, place in (SAME | lists).items():
        _put(tree, folder, name, place)
    _mend_functions(tree, folder)
    if LISTING in tree.failures:  # what keeps a user from it keeps the user from tracefs
        tree.failures[TRACEFS] = tree.failures[LISTING]
    else:
        tree.files[f"{EVENTS}/enable"] = b""
    config = tree.files.get(CONFIG)
    if config is not None and config[:2] != GZIP:
        tree.files[CONFIG] = gzip.compress(config, 1)  # as a host has it
    for place, data in _read_lists(folder):
        tree.files.setdefault(place, data)
    _read_security(tree, folder)
    if TRACEFS not in tree.failures:
        _put_members(tree, folder, "events-formats.tgz", EVENT, TRACEFS)
        _put_formats(tree, folder)
    _put_members(tree, folder, "btf-modules.tgz", MODULE, places.BTF)
    tree.files[f"{places.SYSCTLS}/osrelease"] = release.encode()
    _put_symbols(tree, folder)
    return tree


def _put(tree: CaptureTree, folder: Path, name: str, place: str) -> None:
    try:
        data = read_file(folder, name)
    except Damaged as error:
        tree.failures[place] = error
        return
    code = find_failure(data)
    if code:
        tree.failures[place] = OSError(code, os.strerror(code), place)
    elif data or (name in MAY_BE_EMPTY and (folder / name).exists()):
        tree.files[place] = data


def _put_members(tree: CaptureTree, folder: Path, name: str, wanted: re.Pattern[str], place: str) -> None:
    """Each wanted file of an archive; none of one that is damaged, since half of an answer is a wrong one."""
    try:
        found = {f"{place}/{path}": data for path, data in read_members(folder, name) if wanted.fullmatch(path)}
    except Damaged as error:
        tree.failures[EVENTS if place == TRACEFS else place] = error
        return
    tree.files.update(found)


def _put_formats(tree: CaptureTree, folder: Path) -> None:
    """Each event's format out of one text, as head(1) and tail(1) print several files."""
    try:
        text = read_file(folder, "events-formats.gz").decode(errors="replace")
    except Damaged as error:
        tree.failures[EVENTS] = error
        return
    found = SECTION.split(text)
    tree.files.update({f"{TRACEFS}/{path}": one.encode() for path, one in zip(found[1::2], found[2::2], strict=True)})


def _mend_functions(tree: CaptureTree, folder: Path) -> None:
    """Why the list of functions could not be read stands in a file of its own."""
    code = find_failure(read_text(folder, "aff.err").encode())
    if code:
        tree.files.pop(FUNCTIONS, None)
        tree.failures[FUNCTIONS] = OSError(code, os.strerror(code), FUNCTIONS)


def _read_lists(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What is a listing in the captures and a file or folder on the host."""
    for line in read_text(folder, "pmu-types.txt").splitlines():
        name, _, number = line.partition(" ")
        if re.fullmatch(r"[\w.:-]{1,100}", name, re.ASCII):
            yield f"{places.PMUS}/{name}/type", number.encode()
    for line in read_text(folder, "sysctl.txt").splitlines():
        name, _, value = line.partition("=")
        yield f"/proc/sys/{name.strip().replace('.', '/')}", value.strip().encode()
    for name in ("headers.txt", "kheaders.txt"):
        for line in read_text(folder, name).splitlines():
            if line.startswith("/"):
                yield line.strip() + ("/Makefile" if line.strip().endswith(("/build", "/source")) else ""), b""
    memlock = read_text(folder, "memlock.txt").strip()
    size = str(int(memlock) << 10) if re.fullmatch(r"[0-9]{1,15}", memlock) else memlock
    yield places.PROCESS_LIMITS, f"Max locked memory         {size}       {size}       bytes\n".encode()
    machine = read_text(folder, "uname-m").split() or read_text(folder, "uname-a").split()[-2:-1]
    yield f"{places.SYSCTLS}/arch", " ".join(machine[:1]).encode()
    for line in read_text(folder, "btf.txt").splitlines():
        module = line.split()[-1] if line.startswith("-") else ""
        if module and module != "vmlinux":
            yield f"{places.BTF}/{module}", b""


def _read_security(tree: CaptureTree, folder: Path) -> None:
    """lockdown.txt holds two files of securityfs, or what was said of them: the level, and the active modules."""
    for line in read_text(folder, "lockdown.txt").splitlines():
        if "[" in line:
            tree.files[places.LOCKDOWN] = line.encode()
        elif line and " " not in line:
            tree.files[places.LSMS] = line.encode()


def _put_symbols(tree: CaptureTree, folder: Path) -> None:
    """kallsyms in one file, without addresses; or names alone, perhaps with the letters beside them."""
    try:
        whole = read_file(folder, "kallsyms.gz").decode(errors="replace").splitlines()
        names = read_file(folder, "kallsyms-names.gz").decode(errors="replace").splitlines()
        letters = read_file(folder, "kallsyms-letters.gz").decode(errors="replace").splitlines()
    except Damaged as error:
        tree.failures[places.KALLSYMS] = error
        return
    code = find_failure("\n".join((whole or names)[-1:]).encode())
    if code:
        tree.failures[places.KALLSYMS] = OSError(code, os.strerror(code), places.KALLSYMS)
    elif whole:
        tree.files[places.KALLSYMS] = "\n".join(f"0 {line}" for line in whole).encode()
    elif len(letters) == len(names):
        lines = (f"0 {letter} {name}" for letter, name in zip(letters, names, strict=True))
        tree.files[places.KALLSYMS] = "\n".join(lines).encode()
    elif names:
        tree.files[places.KALLSYMS] = _guess_letters(tree, names).encode()


def _guess_letters(tree: CaptureTree, names: list[str]) -> str:
    """kallsyms with a letter for each name, where none were captured: data only if there is any at all.

    What ftrace or BTF calls a function, or what has a compiler's suffix, is code.
    """
    packed = tree.files.get(CONFIG, b"")
    has_data = b"\nCONFIG_KALLSYMS_ALL=y" in (gzip.decompress(packed) if packed[:2] == GZIP else packed)
    code = _known_code(tree) if has_data else frozenset()
    lines = []
    for line in names:
        name, _, module = line.strip().partition(" ")
        letter = "d" if has_data and name not in code and "." not in name else "t"
        lines.append(f"0 {letter} {name} {module}".rstrip())
    return "\n".join(lines)


def _known_code(tree: CaptureTree) -> frozenset[str]:
    from toolkit.host.btf import Btf, BtfError
    from toolkit.host.tracefs import parse_functions

    listed = tree.files.get(FUNCTIONS, b"").decode(errors="replace")
    try:
        described = Btf(tree.files.get(places.KERNEL_BTF, b"")).functions.keys()
    except BtfError:
        return parse_functions(listed)
    return parse_functions(listed) | described
