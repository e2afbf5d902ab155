"""What the readers of all engines share: names that mean the same function, and requirements put together."""

from __future__ import annotations

import re
from collections.abc import Iterable

from toolkit.model import ATTACH_KINDS, Need, NeedKind, Requirement

# Words that came, went or changed when the kernel renamed functions and events; without them old and new are equal.
_RENAMED = {
    "blk": "block",  # blk_account_io_start -> block:block_io_start, v6.5 (commit 5a80bd075f3b)
    "account": "",
    "dirtied": "dirty",  # account_page_dirtied -> folio_account_dirtied (v5.16) -> writeback:writeback_dirty_folio
    "writeback": "",
    "noprof": "",  # kmem_cache_alloc_noprof, what is allocated being counted since v6.10 (commit 7bd230a26648)
    "nested": "",  # mutex_lock_nested, what locks are called in kernels that check them (CONFIG_LOCKDEP)
    "node": "",  # kmem:kmalloc_node became one with kmem:kmalloc in v6.1 (commit 11e9734bcb6a)
}
# Since folios (v5.16) many functions live on under a name with "folio" in the place of "page".
_PAGES = re.compile(r"pages?|folios?")

# How a syscall's function is called: per architecture since v4.17 (commit e145242ea0df), plain before and
# elsewhere.
# Of a call without arguments (sync) those names are aliases of __do_sys_sync, the only one that ftrace lists.
SYSCALL_PREFIXES = ("__x64_sys_", "__do_sys_", "__arm64_sys_", "__s390x_sys_", "__riscv_sys_", "sys_")


def unique(needs: Iterable[Need]) -> tuple[Need, ...]:
    """The needs in order, each once."""
    return tuple(dict.fromkeys(needs))


def attach_points(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Those that name an attach point, in order, each once."""
    return unique(need for need in needs if need.kind in ATTACH_KINDS)


def one(kind: NeedKind, name: str = "", *, essential: bool = True) -> Requirement:
    """The requirement of a single need."""
    return Requirement(any_of=(Need(kind=kind, name=name),), essential=essential)


def distinct(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """The requirements in order, each once for its versions; an essential one is not repeated as non-essential."""
    found: dict[tuple[tuple[Need, ...], str, str], Requirement] = {}
    for requirement in requirements:
        what = (requirement.any_of, requirement.since, requirement.until)
        known = found.get(what)
        if known is None or (requirement.essential and not known.essential):
            found[what] = requirement
    return tuple(found.values())


def function_key(name: str) -> str:
    """A name under which the old and the new names of one kernel function or event are equal.

    `__blk_account_io_start` and `blk_account_io_start`, `lookup_fast` and `lookup_fast.constprop.0`,
    `swap_readpage` and `swap_read_folio` are the same function at different times or after different compilers. The
    file or the system before the colon does not count: pthread_create moved from libpthread to libc in glibc 2.34.
    """
    symbol = name.rpartition(":")[2].split(".")[0]
    words = [_PAGES.sub("", _RENAMED.get(word, word)) for word in symbol.split("_")]
    return "_".join(word for word in words if word) or symbol


def syscall_functions(syscall: str) -> tuple[Need, ...]:
    """The kernel function of a system call under the names of every architecture."""
    return tuple(Need(kind=NeedKind.KPROBE, name=prefix + syscall) for prefix in SYSCALL_PREFIXES)
