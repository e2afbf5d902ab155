"""Which engines can start tools here: bpftrace, a system Python with bcc, and the kernel itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import NamedTuple

from toolkit.command import capture_command
from toolkit.host.places import BPFTRACES, PROGRAMS, PYTHON_PACKAGES, PYTHONS
from toolkit.host.tree import Tree
from toolkit.model import Engine, EngineFact, Fact
from toolkit.trust import find_distrust

# -I keeps the working folder and PYTHONPATH out of it: a bcc.py that lies around must not run as root.
ASK_BCC = ("-I", "-c", "import bcc; print(getattr(bcc, '__version__', ''))")

# Both load LLVM, which takes its time on a cold disk.
BPFTRACE_SECONDS = 5.0
BCC_SECONDS = 10.0


class Missing(NamedTuple):
    """Why an engine is not there; `passing` when it is, but did not answer in time, or was killed (^C, no memory)."""

    why: str
    passing: bool = False


Asked = Mapping[Engine, "Future[EngineFact | Missing]"]


def ask_engines(pool: Executor) -> Asked:
    """Ask those that have to be started to say their version, each in a thread."""
    return {Engine.BPFTRACE: pool.submit(find_bpftrace), Engine.BCC: pool.submit(find_bcc)}


def find_bpftrace() -> EngineFact | Missing:
    """The first bpftrace that says its version."""
    nothing = f"there is no bpftrace in {', '.join(PROGRAMS)}"
    return _find_first(Engine.BPFTRACE, BPFTRACES, ("--version",), BPFTRACE_SECONDS, nothing)


def find_bcc() -> EngineFact | Missing:
    """The first system Python that can import bcc, which is what bcc's tools run in."""
    nothing = f"there is no system Python: none of {', '.join(PYTHONS[:3])} exists"
    return _find_first(Engine.BCC, PYTHONS, ASK_BCC, BCC_SECONDS, nothing)


def read_bcc_version() -> str:
    """The version of the one bcc that the system's Pythons have, as its own text says; "" for none and for several."""
    found: list[str] = []
    for folder in PYTHON_PACKAGES:
        try:
            with open(f"{folder}/bcc/version.py", encoding="utf-8", errors="replace") as file:
                found.append(parse_version(file.read(1000)))
        except OSError:
            continue
    return found[0] if len(found) == 1 else ""


def _find_first(
    engine: Engine, paths: tuple[str, ...], question: tuple[str, ...], seconds: float, nothing: str
) -> EngineFact | Missing:
    """The first of these programs that root may run and that answers; `nothing` is said when none exists."""
    why: list[str] = []
    slow = False
    for path in _list_existing(paths):
        # Asking an engine for its version executes it: the same rule as for a tool.
        problem = find_distrust(Path(path)) if os.geteuid() == 0 else ""
        if problem:
            why.append(problem)
            continue
        said = capture_command((path, *question), seconds=seconds)
        if said.ok:
            return EngineFact(name=engine, version=parse_version(said.stdout), argv=(path,))
        slow = slow or said.status is None or said.status < 0
        why.append(said.problem or f"{path} fails: {_last_line(said.stderr or said.stdout)}")
    return Missing("; ".join(why) or nothing, slow)


def find_native(release: str, may_load: Fact[bool]) -> EngineFact | Missing:
    """Programs with embedded BPF need nothing but the kernel, so its release is the version."""
    if may_load.value:
        return EngineFact(name=Engine.NATIVE, version=release, argv=())
    return Missing(may_load.unknown or may_load.origin)


def find_shell(tree: Tree) -> EngineFact | Missing:
    """bcc's shell wrappers ask for bash."""
    for path in ("/bin/bash", "/bin/sh"):
        if tree.exists(path):
            return EngineFact(name=Engine.SHELL, version="", argv=(path,))
    return Missing("there is no /bin/sh")


def parse_version(text: str) -> str:
    """The dotted numbers of the first version in a text: "bpftrace v0.20.0-45-gabc" gives "0.20.0"; "" for none."""
    match = re.search(r"(?<!\d)\d+(?:\.\d+)+", text)
    return match.group() if match else ""


def _list_existing(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths that are executable, each file once: /bin is often a link to /usr/bin."""
    files = {os.path.realpath(path): path for path in reversed(paths) if os.access(path, os.X_OK)}
    return tuple(path for path in paths if files.get(os.path.realpath(path)) == path)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it says nothing"
