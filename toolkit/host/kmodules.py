"""File systems that the kernel knows, and modules that are in it, loaded, or could be loaded."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from toolkit.host.names import Names
from toolkit.host.places import FILESYSTEMS, MODULES, module_lists
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact


def read_filesystems(tree: Tree) -> Fact[AbstractSet[str]]:
    """The file systems that could be mounted now; those of modules that are not loaded are not among them."""
    try:
        lines = tree.text(FILESYSTEMS).splitlines()
    except OSError as error:
        return Fact(unknown=explain(FILESYSTEMS, error))
    return Fact(Names.of(line.split()[-1] for line in lines if line.strip()), origin=FILESYSTEMS)


def read_modules(tree: Tree, release: str) -> Fact[AbstractSet[str]]:
    """Names of modules, with underscores: loaded ones, built-in ones, and those that modprobe(8) finds.

    Unknown only when none of the lists can be read.
    """
    names: set[str] = set()
    origins: list[str] = []
    why = ""
    for place in (MODULES, *module_lists(release)):
        try:
            lines = tree.text(place).splitlines()
        except OSError as error:
            why = why or explain(place, error)
            continue
        names |= {_name_module(line) for line in lines if line.strip()}
        origins.append(place)
    return Fact(Names.of(names), origin=", ".join(origins)) if origins else Fact(unknown=why)


def _name_module(line: str) -> str:
    """The first word without its folder and ending: "kernel/fs/xfs/xfs.ko.xz: …" and "xfs 1 0 - Live" give xfs."""
    path = line.split()[0].rstrip(":")
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
