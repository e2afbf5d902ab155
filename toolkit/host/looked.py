"""What variants name outside of the kernel: programs and libraries that they trace, headers, files, Python modules.

Nobody lists all of a host's files; so what is looked for is what the variants at hand need, and each answer stands
under its need. What a file defines is kept between commands as long as the file is the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.host import places
from toolkit.host.tree import Tree
from toolkit.model import LOOKED_KINDS, Need, NeedKind, Value
from toolkit.paths import write_atomically

if TYPE_CHECKING:
    from toolkit.host.elf_symbols import Exports

USER_HEADERS = ("/usr/include", "/usr/local/include")
ANY = frozenset("*?[")


class Target(Value, frozen=True):
    """One file and what was asked of it: functions by name, USDT probes as usdt:provider:name."""

    seen: tuple[int, int, int]  # ctime in ns, size, inode
    answers: dict[str, bool] = {}


class Stored(Value, frozen=True):
    """The file between commands."""

    edition: int
    targets: dict[str, Target]


EDITION = 1


class Looker:
    """Where to look, and what was found out so far, in this command and in earlier ones."""

    def __init__(self, tree: Tree, targets: dict[str, Target]) -> None:
        self.tree = tree
        self.targets = targets
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


def look_up(needs: Iterable[Need], tree: Tree | None = None, cache: Path | None = None) -> dict[str, bool]:
    """Whether the host meets each need of LOOKED_KINDS that has a name; others are left out. Never raises."""
    wanted = tuple(dict.fromkeys(need for need in needs if need.kind in LOOKED_KINDS and need.name))
    stored = _read(cache)
    looker = Looker(
        tree or Tree(), {path: Target(seen=one.seen, answers=dict(one.answers)) for path, one in stored.items()}
    )
    found: dict[str, bool] = {}
    for need in wanted:
        answer = _look(looker, need)
        if answer is not None:
            found[str(need)] = answer
    if cache is not None and looker.targets != stored:
        _write(cache, looker.targets)
    return found


def _look(looker: Looker, need: Need) -> bool | None:
    match need.kind:
        case NeedKind.PROGRAM:
            return bool(_find_program(looker, need.name))
        case NeedKind.UPROBE:
            path, _, symbol = need.name.partition(":")
            return _defines(looker, path, symbol)
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
        return name if looker.tree.exists(name) else ""
    for folder in places.PROGRAMS:
        if looker.tree.exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    return _find_library(looker, name)


def _find_library(looker: Looker, name: str) -> str:
    """The newest file libNAME.so.N, where the dynamic linker looks; programs say libc, c, or libc.so.6."""
    stem = name if name.startswith("lib") else f"lib{name}"
    pattern = re.compile(re.escape(stem) + (r"" if ".so" in stem else r"\.so(\.[\d.]+)?"))
    for folder in places.library_folders():
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
    place = looker.tree.at(file)
    try:
        status = os.stat(place)
        seen = (status.st_ctime_ns, status.st_size, status.st_ino)
        known = looker.targets.get(str(place))
        if known is None or known.seen != seen:
            known = looker.targets[str(place)] = Target(seen=seen)
        if wanted not in known.answers:
            known.answers[wanted] = _ask_file(looker, place, wanted)
    except OSError:
        return False
    return known.answers[wanted]


def _ask_file(looker: Looker, place: Path, wanted: str) -> bool:
    from toolkit.host.elf_symbols import read_exports  # only for what no earlier command asked

    exports = looker.exports.get(str(place))
    if exports is None:
        exports = looker.exports[str(place)] = read_exports(place)
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
    folders = list(USER_HEADERS)
    try:
        folders += [f"/usr/include/{one}" for one in tree.entries("/usr/include") if "-linux-" in one]
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
        return name in tree.text("/proc/cpuinfo")
    except OSError:
        return None


def _read(cache: Path | None) -> dict[str, Target]:
    if cache is None:
        return {}
    try:
        stored = msgspec.msgpack.decode(cache.read_bytes(), type=Stored)
    except (OSError, msgspec.MsgspecError):
        return {}
    return stored.targets if stored.edition == EDITION else {}


def _write(cache: Path, targets: dict[str, Target]) -> None:
    try:
        write_atomically(cache, msgspec.msgpack.encode(Stored(edition=EDITION, targets=targets)))
    except OSError:
        return  # the next command looks again
