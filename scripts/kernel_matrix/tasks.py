"""What a guest is to start: every tool of a root's packages and of the upstreams' trees, with its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from toolkit.model import Engine, Found
from toolkit.sources.registry import PACKAGES

ARGUMENTS = Path(__file__).with_name("arguments.yaml")
# Seconds that a tool gets to attach, emulated; the order is that in which they are started.
LIMITS = {Engine.NATIVE: 60, Engine.BPFTRACE: 150, Engine.BCC: 400, Engine.SHELL: 400}
BPFTRACE = "/usr/bin/bpftrace"


@dataclass(frozen=True)
class Calls:
    """The table of arguments: by engine/stem or stem, the stems that call system(), and those that are not started."""

    calls: dict[str, tuple[tuple[str, ...], ...]]
    unsafe: frozenset[str]
    skip: frozenset[str]


@dataclass(frozen=True)
class Task:
    """One start of one tool; {pid} and {disk} in argv are for the guest to fill in."""

    source: str
    file: str  # as a line of truth names it
    stem: str
    engine: Engine
    args: tuple[str, ...]
    argv: tuple[str, ...]

    @property
    def id(self) -> str:
        """What stands for it between host and guest, and between one run and the next."""
        return " ".join((self.source, self.file, *self.args))

    def to_json(self) -> dict[str, object]:
        """What the guest gets."""
        return {"id": self.id, "argv": self.argv, "limit": LIMITS[self.engine]}


def list_tasks(root: Path, trees: dict[str, Path], engines: set[Engine], only: str) -> list[Task]:
    """The tasks in order of what starts fastest; `only` is a pattern of stems, or empty."""
    calls = read_calls()
    tasks = [
        task
        for found, source, file, place in (*_list_packaged(root), *_list_trees(trees))
        if found.engine in engines and found.stem not in calls.skip and fnmatchcase(found.stem, only or "*")
        for task in _make_tasks(found, source, file, place, calls)
    ]
    return sorted(tasks, key=lambda one: list(LIMITS).index(one.engine))


def read_calls(path: Path = ARGUMENTS) -> Calls:
    """The table of arguments."""
    data = yaml.safe_load(path.read_text())
    calls = {name: tuple(tuple(words) for words in several) for name, several in data["calls"].items()}
    return Calls(calls=calls, unsafe=frozenset(data["unsafe"]), skip=frozenset(data["skip"]))


def _list_packaged(root: Path) -> Iterator[tuple[Found, str, str, str]]:
    """Each tool of a root's packages: what it is, its source, its name in the truth, its path in the guest."""
    for one in PACKAGES.discover(root):
        file = f"/{Path(one.path).relative_to(root)}"
        yield one, f"packages:{one.upstream}", file, file


def _list_trees(trees: dict[str, Path]) -> Iterator[tuple[Found, str, str, str]]:
    """The same for the bpftrace programs of checkouts, but for those that only test bpftrace."""
    for name, tree in trees.items():
        for path in sorted(tree.rglob("*.bt")):
            file = path.relative_to(tree)
            if "tests" not in file.parts:
                found = Found(upstream=name, source=name, stem=path.stem, engine=Engine.BPFTRACE, path=str(path))
                yield found, f"git:{name}", str(file), f"/job/trees/{name}/{file}"


def _make_tasks(found: Found, source: str, file: str, place: str, calls: Calls) -> Iterator[Task]:
    """A task for each way in which the table calls a tool."""
    unsafe = ("--unsafe",) if found.stem in calls.unsafe else ()
    start = (BPFTRACE, *unsafe, place) if found.engine is Engine.BPFTRACE else (place,)
    for words in calls.calls.get(f"{found.engine}/{found.stem}", calls.calls.get(found.stem, ((),))):
        yield Task(source, file, found.stem, found.engine, args=words, argv=(*start, *words))
