"""What variants name outside of the kernel: programs and libraries that they trace, headers, files, Python modules.

Nobody lists all of a host's files; so what is looked for is what the variants at hand need, and each answer stands
under its need. What a file defines, and where a library lies, is kept between commands while the file, and the
folders of libraries, are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.errors import DAMAGED
from toolkit.host import places
from toolkit.host.tree import NotCaptured, Tree
from toolkit.model import LOOKED_KINDS, Need, NeedKind, Value
from toolkit.paths import write_atomically
from toolkit.trust import open_regular

if TYPE_CHECKING:
    from toolkit.host.elf_symbols import Exports

USER_HEADERS = ("/usr/include", "/usr/local/include")
ANY = frozenset("*?[")
LARGEST_CACHE = 8 << 20
MOST = 64  # files that a pattern is followed to
DEEPEST = 16


class Target(Value, frozen=True):
    """One file and what was asked of it: functions by name, USDT probes as usdt:provider:name."""

    seen: tuple[int, int, int]  # ctime in ns, size, inode
    answers: dict[str, bool] = {}


class Known(Value, frozen=True):
    """What is kept between commands."""

    edition: int
    folders: dict[str, int] = {}  # of libraries: when something in them was made, renamed or removed, in ns
    libraries: dict[str, str] = {}  # name -> path, or nothing
    targets: dict[str, Target] = {}  # by path


EDITION = 2


class Looker:
    """Where to look, and what was found out so far, in this command and in earlier ones."""

    def __init__(self, tree: Tree, known: Known) -> None:
        self.tree = tree
        self.folders = _stamp_folders(tree)
        self.libraries = dict(known.libraries) if known.folders == self.folders else {}
        self.targets = {path: Target(seen=one.seen, answers=dict(one.answers)) for path, one in known.targets.items()}
        self.exports: dict[str, Exports] = {}
        self.listings: dict[str, tuple[str, ...]] = {}

    def entries(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, none when it cannot be read; libraries lie among 2,000 others."""
        if folder not in self.listings:
            try:
                self.listings[folder] = self.tree.entries(folder)
            except OSError:
                self.listings[folder] = ()
        return self.listings[folder]

    def known(self) -> Known:
        """What is to be kept."""
        return Known(edition=EDITION, folders=self.folders, libraries=self.libraries, targets=self.targets)


def look_up(needs: Iterable[Need], tree: Tree | None = None, cache: Path | None = None) -> dict[str, bool]:
    """Whether the host meets each need of LOOKED_KINDS that has a name; others are left out. Never raises."""
    wanted = dict.fromkeys(need for need in needs if need.kind in LOOKED_KINDS and need.name)
    before = _read(cache)
    looker = Looker(tree or Tree(), before)
    found: dict[str, bool] = {}
    for need in wanted:
        try:
            answer = _look(looker, need)
        except NotCaptured:
            continue
        if answer is not None:
            found[str(need)] = answer
    if cache is not None and looker.known() != before:
        _write(cache, looker.known())
    return found


def _look(looker: Looker, need: Need) -> bool | None:
    match need.kind:
        case NeedKind.PROGRAM:
            return bool(_find_program(looker, need.name))
        case NeedKind.UPROBE | NeedKind.USDT if ":" not in need.name:
            return bool(_find_program(looker, need.name))
        case NeedKind.UPROBE:
            path, _, symbol = need.name.partition(":")
            return any(_defines(looker, one, symbol) for one in _match_paths(looker, path))
        case NeedKind.USDT:
            path, _, probe = need.name.partition(":")
            return _defines(looker, path, f"usdt:{probe}")
        case NeedKind.USER_HEADER:
            return _has_header(looker.tree, need.name)
        case NeedKind.HEADER_TEXT:
            return _says_header(looker.tree, *need.name.partition(":")[::2])
        case NeedKind.FILE:
            return looker.tree.exists(need.name) if need.name.startswith("/") else None
        case NeedKind.PYTHON_MODULE:
            return _has_module(looker.tree, need.name)
        case NeedKind.PLATFORM:
            return _is_platform(looker.tree, need.name)
    return None


def _find_program(looker: Looker, name: str) -> str:
    """The path of a program or library on this host; "" when there is none.

    A path stands for itself. A name is a program of the usual folders, or a library: libc, libssl.
    """
    if name.startswith("/"):
        return next((one for one in _match_paths(looker, name) if looker.tree.exists(one)), "")
    if name.startswith("lib"):
        return _library(looker, name) or _find_executable(looker, name)
    return _find_executable(looker, name) or _library(looker, name)


def _find_executable(looker: Looker, name: str) -> str:
    paths = (f"{folder}/{name}" for folder in places.PROGRAMS)
    return next((path for path in paths if looker.tree.exists(path)), "")


def _library(looker: Looker, name: str) -> str:
    if name not in looker.libraries:
        looker.libraries[name] = _find_library(looker, name)
    return looker.libraries[name]


def _match_paths(looker: Looker, path: str) -> tuple[str, ...]:
    """The path itself, or of a pattern like /usr/lib/*/libc.so.6 what it matches."""
    if ANY.isdisjoint(path) or not path.startswith("/"):
        return (path,)
    found: tuple[str, ...] = ("",)
    for part in path.split("/")[1 : DEEPEST + 1]:
        if ANY.isdisjoint(part):
            found = tuple(f"{folder}/{part}" for folder in found)
        else:
            pairs = ((folder, name) for folder in found for name in looker.entries(folder or "/"))
            found = tuple(f"{folder}/{name}" for folder, name in pairs if fnmatchcase(name, part))[:MOST]
    return found


def _find_library(looker: Looker, name: str) -> str:
    """The newest file libNAME.so.N, where the dynamic linker looks; programs say libc, c, or libc.so.6."""
    stem = name if name.startswith("lib") else f"lib{name}"
    pattern = re.compile(re.escape(stem) + (r"" if ".so" in stem else r"\.so(\.[\d.]+)?"))
    for folder in looker.folders:
        names = (one for one in looker.entries(folder) if one.startswith(stem) and pattern.fullmatch(one))
        fitting = [one for one in names if looker.tree.exists(f"{folder}/{one}")]
        if fitting:
            return f"{folder}/{max(fitting, key=len)}"
    return ""


def _defines(looker: Looker, path: str, wanted: str) -> bool:
    """Whether a file defines a function, or a probe as usdt:provider:name; wildcards match any."""
    file = _find_program(looker, path)
    if not file:
        return False
    try:
        seen = looker.tree.stamp(file)
        known = looker.targets.get(file)
        if known is None or known.seen != seen:
            known = looker.targets[file] = Target(seen=seen)
        if wanted not in known.answers:
            known.answers[wanted] = _ask_file(looker, file, wanted)
    except (OSError, ValueError):
        return False
    return known.answers[wanted]


def _ask_file(looker: Looker, file: str, wanted: str) -> bool:
    from toolkit.host.elf_symbols import read_exports  # only for what no earlier command asked

    exports = looker.exports.get(file)
    if exports is None:
        with looker.tree.view(file) as data:
            exports = looker.exports[file] = read_exports(data)
    if wanted.startswith("usdt:"):
        probe = wanted.removeprefix("usdt:")
        return any(one == probe or one.endswith(f":{probe}") for one in exports.probes)
    symbol = wanted.partition("+")[0]
    if ANY.isdisjoint(symbol):
        return symbol in exports.functions
    return any(fnmatchcase(one, symbol) for one in exports.functions)


def _has_header(tree: Tree, name: str) -> bool:
    if name.startswith("/"):
        return tree.exists(name)
    if any(tree.exists(f"{folder}/{name}") for folder in USER_HEADERS):
        return True
    try:
        folders = [f"/usr/include/{one}" for one in tree.entries("/usr/include") if "-linux-" in one]
    except OSError:
        return False
    return any(tree.exists(f"{folder}/{name}") for folder in folders)


def _says_header(tree: Tree, name: str, wanted: str) -> bool | None:
    """Whether a header of the running kernel has a text; None without headers, or when a tree has several kernels'."""
    for folder in _list_header_folders(tree):
        if not tree.exists(f"{folder}/include/linux"):  # Debian keeps what all processors share in `source`
            continue
        try:
            return wanted in tree.text(f"{folder}/include/{name}")
        except FileNotFoundError:
            return False
        except OSError:
            return None
    return None


def _list_header_folders(tree: Tree) -> tuple[str, ...]:
    if tree.live:
        return places.header_folders(os.uname().release)
    try:
        releases = tree.entries("/lib/modules")
    except OSError:
        return ()
    return places.header_folders(releases[0]) if len(releases) == 1 else ()


def _has_module(tree: Tree, name: str) -> bool:
    first = name.partition(".")[0]
    return any(
        tree.exists(f"{folder}/{first}") or tree.exists(f"{folder}/{first}.py") for folder in places.PYTHON_PACKAGES
    )


def _is_platform(tree: Tree, name: str) -> bool | None:
    """Whether the processor is of this maker, as /proc/cpuinfo has it: GenuineIntel."""
    try:
        return name in tree.text(places.PROCESSORS)
    except OSError:
        return None


def _stamp_folders(tree: Tree) -> dict[str, int]:
    """The folders of libraries that are there, in the dynamic linker's order, and when each last changed."""
    stamps: dict[str, int] = {}
    for folder in places.library_folders():
        try:
            stamps[folder] = tree.changed(folder)
        except OSError:
            continue
    return stamps


def _read(cache: Path | None) -> Known:
    if cache is None:
        return Known(edition=EDITION)
    try:
        with open_regular(cache) as file:
            known = msgspec.msgpack.decode(file.read(LARGEST_CACHE), type=Known)
    except (OSError, *DAMAGED):
        return Known(edition=EDITION)
    return known if known.edition == EDITION else Known(edition=EDITION)


def _write(cache: Path, known: Known) -> None:
    try:
        write_atomically(cache, msgspec.msgpack.encode(known))
    except OSError:
        return  # the next command looks again
