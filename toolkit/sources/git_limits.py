"""The bounds of a git process, which prlimit(1) sets before it begins."""

from __future__ import annotations

import resource

from toolkit.model import Value


class GitLimits(Value, frozen=True):
    """The bounds of one git process and its children, in bytes."""

    file_bytes: int = 64 << 20  # a pack, the largest file that git may write
    memory_bytes: int = 1 << 30  # private memory of each process; mapped packs do not count
    output_bytes: int = 64 << 20  # what it may print


DEFAULT_LIMITS = GitLimits()


def list_options(limits: GitLimits) -> tuple[str, ...]:
    """The options of prlimit(1)."""
    file_bytes = _allow(resource.RLIMIT_FSIZE, limits.file_bytes)
    memory_bytes = _allow(resource.RLIMIT_DATA, limits.memory_bytes)
    return f"--fsize={file_bytes}", f"--data={memory_bytes}", "--core=0"


def _allow(what: int, most: int) -> int:
    """A limit that is no higher than ours, which only some may raise."""
    ours = resource.getrlimit(what)[1]
    return most if ours == resource.RLIM_INFINITY else min(most, ours)
