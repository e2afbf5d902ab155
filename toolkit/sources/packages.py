"""What the distribution's package manager put on this host; indexed where it lies, never copied.

Debian and Ubuntu: dpkg's own list of a package's files says exactly which programs are its. Fedora, RHEL and kin:
/usr/share/bcc/tools, /usr/share/bpftrace/tools and the `bpf-` prefix that they give libbpf-tools. Both are read as
files: no package manager is started, and nothing is asked of the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.model import Engine, Found
from toolkit.trust import open_regular

NAME = "packages"

DPKG_INFO = "var/lib/dpkg/info"
DPKG_STATUS = "var/lib/dpkg/status"
BINARY_FOLDERS = ("usr/sbin", "usr/bin")
BCC_FOLDER = "usr/share/bcc/tools"
BPFTRACE_FOLDER = "usr/share/bpftrace/tools"
STEM = re.compile(r"[\w.+-]+", re.ASCII)  # what a tool may be called; anything else could fool a terminal


@dataclass(frozen=True)
class Package:
    """A package that holds tools, and how its file names become tool names."""

    name: str
    upstream: str
    example: str  # where its example texts lie; {} is the stem
    man: str  # where its man pages lie; {} is the file's name


DEBIAN = (
    Package(
        "bpfcc-tools", "bcc", "usr/share/doc/bpfcc-tools/examples/doc/{}_example.txt", "usr/share/man/man8/{}.8.gz"
    ),
    Package("bpftrace", "bpftrace", "usr/share/doc/bpftrace/examples/{}_example.txt", "usr/share/man/man8/{}.8.gz"),
    Package("libbpf-tools", "libbpf-tools", "", "usr/share/man/man8/{}.8.gz"),
)
FEDORA_BCC = Package("bcc-tools", "bcc", BCC_FOLDER + "/doc/{}_example.txt", "usr/share/man/man8/bcc-{}.8.gz")
FEDORA_BPFTRACE = Package("bpftrace", "bpftrace", BPFTRACE_FOLDER + "/doc/{}_example.txt", "usr/share/man/man8/{}.8.gz")
FEDORA_LIBBPF = Package("libbpf-tools", "libbpf-tools", "", "usr/share/man/man8/{}.8.gz")


def discover(root: Path) -> tuple[Found, ...]:
    """Name every tool that a known package put under root, in order of upstream and stem."""
    found = (*_discover_debian(root), *_discover_fedora(root))
    unique = {(one.upstream, one.stem): one for one in reversed(found)}
    return tuple(unique[key] for key in sorted(unique))


def watched(root: Path) -> tuple[Path, ...]:
    """dpkg rewrites a package's list when it installs, upgrades or removes it; the folders change on Fedora."""
    lists = tuple(path for package in DEBIAN for path in _list_candidates(root, package))
    folders = (BCC_FOLDER, BPFTRACE_FOLDER, "usr/share/doc/bpfcc-tools", "usr/share/doc/bpftrace")
    # Where dpkg is, /usr/bin changes with every package of any kind; its lists already tell.
    binaries = () if (root / DPKG_INFO).is_dir() else BINARY_FOLDERS
    return (*lists, *(root / folder for folder in (*folders, *binaries)))


def _list_candidates(root: Path, package: Package) -> tuple[Path, ...]:
    return (root / DPKG_INFO / f"{package.name}.list",)


def _discover_debian(root: Path) -> Iterator[Found]:
    lists = {package: _read_list(root, package) for package in DEBIAN}
    if not any(lists.values()):
        return
    versions = _read_versions(root, {package.name for package in DEBIAN})
    for package, paths in lists.items():
        programs = (path for path in paths if path.parent.name in ("sbin", "bin"))
        yield from _take_files(root, package, programs, versions.get(package.name, ""))


def _read_list(root: Path, package: Package) -> tuple[Path, ...]:
    for candidate in _list_candidates(root, package):
        try:
            text = candidate.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            continue
        return tuple(root / line.lstrip("/") for line in text.splitlines() if line.startswith("/"))
    return ()


def _read_versions(root: Path, names: set[str]) -> dict[str, str]:
    versions: dict[str, str] = {}
    try:
        with (root / DPKG_STATUS).open(encoding="utf-8", errors="replace") as file:
            name = ""
            for line in file:
                if line.startswith("Package: "):
                    name = line[9:].strip()
                elif line.startswith("Version: ") and name in names:
                    versions[name] = line[9:].strip()
    except OSError:
        return versions
    return versions


def _discover_fedora(root: Path) -> Iterator[Found]:
    yield from _take_files(root, FEDORA_BCC, _list_folder(root / BCC_FOLDER), "")
    yield from _take_files(root, FEDORA_BPFTRACE, _list_folder(root / BPFTRACE_FOLDER), "")
    for folder in BINARY_FOLDERS:
        ours = (path for path in _list_folder(root / folder) if path.name.startswith("bpf-"))
        yield from _take_files(root, FEDORA_LIBBPF, ours, "")


def _list_folder(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(folder.iterdir()))
    except OSError:
        return ()


def _take_files(root: Path, package: Package, paths: Iterable[Path], revision: str) -> Iterator[Found]:
    classify = CLASSIFIERS[package.upstream]
    for path in paths:
        classified = classify(path)
        if classified is None:
            continue
        stem, engine = classified
        yield Found(
            upstream=package.upstream,
            source=NAME,
            stem=stem,
            engine=engine,
            path=str(path),
            revision=revision,
            example=_existing(root, package.example, stem),
            man=_existing(root, package.man, stem if package is FEDORA_BCC else path.name),
        )


def _existing(root: Path, pattern: str, name: str) -> str:
    path = root / pattern.format(name)
    return str(path) if pattern and path.is_file() else ""


def _classify_bcc(path: Path) -> tuple[str, Engine] | None:
    # Debian appends -bpfcc; Fedora strips .py. Shell wrappers keep no suffix on either, so the first line decides.
    stem = path.name.removesuffix("-bpfcc").removesuffix(".py").removesuffix(".sh")
    if not STEM.fullmatch(stem):
        return None
    match _first_line(path):
        case line if "python" in line:
            return stem, Engine.BCC
        case line if re.search(r"/(ba|da)?sh\b|env (ba)?sh\b", line):
            return stem, Engine.SHELL
    return None


def _classify_bpftrace(path: Path) -> tuple[str, Engine] | None:
    named = STEM.fullmatch(path.stem) and path.suffix == ".bt"
    return (path.stem, Engine.BPFTRACE) if named and path.is_file() else None


def _classify_native(path: Path) -> tuple[str, Engine] | None:
    if not _first_line(path).startswith("\x7fELF"):
        return None
    stem = name_native(path)
    return (stem, Engine.NATIVE) if STEM.fullmatch(stem) else None


def name_native(path: Path) -> str:
    """The stem of a libbpf-tools program: its file's name without what distributions add."""
    return path.name.removesuffix("-libbpf").removeprefix("bpf-")


CLASSIFIERS: dict[str, Callable[[Path], tuple[str, Engine] | None]] = {
    "bcc": _classify_bcc,
    "bpftrace": _classify_bpftrace,
    "libbpf-tools": _classify_native,
}


def _first_line(path: Path) -> str:
    """The first bytes of a regular file as text; empty for anything else."""
    try:
        with open_regular(path) as file:
            return file.read(128).split(b"\n", 1)[0].decode("latin-1")
    except OSError:
        return ""
