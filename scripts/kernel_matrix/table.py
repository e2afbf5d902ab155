"""The table of kernels, read from kernels.yaml into types."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("kernels.yaml")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "toolkit-kernels"


@dataclass(frozen=True)
class Suite:
    """A suite of Debian: the name of its engine set, and the packages that make it."""

    name: str
    engines: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Kernel:
    """A kernel, the suite that it runs on, and the suite that its package is from, "" for the same."""

    name: str
    suite: str
    source: str = ""


@dataclass(frozen=True)
class Table:
    """Suites and kernels by name."""

    suites: dict[str, Suite]
    kernels: dict[str, Kernel]


def read_table(path: Path = TABLE) -> Table:
    """The table. Raises KeyError or TypeError when something is not as it should be: it is part of the program."""
    data = yaml.safe_load(path.read_text())
    suites = {
        name: Suite(name=name, engines=one["engines"], packages=tuple(one["packages"]))
        for name, one in data["suites"].items()
    }
    kernels = {
        name: Kernel(name=name, suite=suites[one["suite"]].name, source=one.get("from", ""))
        for name, one in data["kernels"].items()
    }
    return Table(suites=suites, kernels=kernels)


def find_root(cache: Path, kernel: str) -> Path:
    """Where the root of a kernel lies, if it was made."""
    return cache / "roots" / kernel
