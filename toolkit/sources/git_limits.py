"""The bounds of a git process, and how it comes by them: by prlimit(1), or because we have them while it begins."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.model import Value

_starting = threading.Lock()  # held by who has lowered our own limits


class GitLimits(Value, frozen=True):
    """The bounds of one git process and its children, in bytes."""

    file_bytes: int = 64 << 20  # a pack, the largest file that git may write
    memory_bytes: int = 1 << 30  # private memory of each process; mapped packs do not count
    output_bytes: int = 64 << 20  # what it may print


DEFAULT_LIMITS = GitLimits()


def list_bounds(limits: GitLimits) -> list[tuple[str, int, int]]:
    """Each bound: prlimit's name for it, its number, and how much, which is no more than we may have ourselves."""
    wanted = (
        ("fsize", resource.RLIMIT_FSIZE, limits.file_bytes),
        ("data", resource.RLIMIT_DATA, limits.memory_bytes),
        ("core", resource.RLIMIT_CORE, 0),
    )
    ours = {what: resource.getrlimit(what)[1] for _, what, _ in wanted}
    return [
        (name, what, most if ours[what] == resource.RLIM_INFINITY else min(most, ours[what]))
        for name, what, most in wanted
    ]


@contextmanager
def lowered(bounds: list[tuple[str, int, int]]) -> Iterator[None]:
    """Have these bounds ourselves while a process begins, which inherits them.

    On a busy host it may have started others before it could be given its own. prlimit(1) would be one more program
    to load, 1 ms that the server waits.
    """
    with _starting:
        ours = [(what, resource.getrlimit(what)) for _, what, _ in bounds]
        try:
            for (_, what, most), (_, (soft, hard)) in zip(bounds, ours, strict=True):
                resource.setrlimit(what, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
            yield
        finally:
            for what, limit in ours:
                resource.setrlimit(what, limit)
