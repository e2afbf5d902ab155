"""File systems that the kernel knows, and modules: those that are in it, and those that could be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from toolkit.host.names import Names
from toolkit.host.places import FILESYSTEMS, MODULES, module_files, modules_built_in
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact


class Modules(NamedTuple):
    """Names of modules, with underscores."""

    known: Fact[AbstractSet[str]]  # that are loaded, built in, or could be loaded
    loaded: Fact[AbstractSet[str]]  # that are loaded or built in


def read_filesystems(tree: Tree) -> Fact[AbstractSet[str]]:
    """The file systems that could be mounted now; those of modules that are not loaded are not among them."""
    try:
        lines = tree.text(FILESYSTEMS).splitlines()
    except OSError as error:
        return Fact(unknown=explain(FILESYSTEMS, error))
    return Fact(Names.of(line.split()[-1] for line in lines if line.strip()), origin=FILESYSTEMS)


def read_modules(tree: Tree, release: str) -> Modules:
    """Loaded modules, built-in ones, and those that modprobe(8) finds; unknown when no list of a kind can be read."""
    lists = {place: _read_list(tree, place) for place in (MODULES, modules_built_in(release), module_files(release))}
    loadable = lists[module_files(release)]
    inside = {place: names for place, names in lists.items() if place != module_files(release)}
    known = _join(lists) if loadable.known or inside[MODULES].known else Fact(unknown=loadable.unknown)
    return Modules(known, _join(inside) if inside[MODULES].known else inside[MODULES])


def _read_list(tree: Tree, place: str) -> Fact[AbstractSet[str]]:
    try:
        lines = tree.text(place).splitlines()
    except OSError as error:
        return Fact(unknown=explain(place, error))
    return Fact(frozenset(_name_module(line) for line in lines if line.strip()), origin=place)


def _join(lists: dict[str, Fact[AbstractSet[str]]]) -> Fact[AbstractSet[str]]:
    read = {place: one.value for place, one in lists.items() if one.value is not None}
    names: Iterable[str] = (name for one in read.values() for name in one)
    return Fact(Names.of(names), origin=", ".join(read))


def _name_module(line: str) -> str:
    """The first word without its folder and ending: "kernel/fs/xfs/xfs.ko.xz: …" and "xfs 1 0 - Live" give xfs."""
    path = line.split()[0].rstrip(":")
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
