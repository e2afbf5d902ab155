"""Facts kept between commands: one file, believed only while the fingerprint is the same.

The cache is never more than a saving: whatever is wrong with it, the host is probed and the answer is the same.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from mmap import PROT_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.errors import DAMAGED
from toolkit.host.fingerprint import fingerprint
from toolkit.host.names import Names
from toolkit.model import Fact, Facts
from toolkit.paths import write_atomically

if TYPE_CHECKING:
    from toolkit.host.engines import Asked

# Fields of Facts that hold thousands of names, stored as text beside them: see Names.
BIG = (
    "tracepoints",
    "functions",
    "btf_functions",
    "symbols",
    "fields",
    "formats",
    "features",
    "filesystems",
    "modules",
    "loaded",
)

# What no fingerprint sees (a security module's policy, a replaced library) is seen a day later at the latest.
LONGEST_AGE = 86400.0

LARGEST = 256 << 20
LENGTH = 8  # bytes of the file that say how long its head is


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The head of the file: facts without their big sets, and the bytes of each of those, which follow in this order.

    The file is mapped, not read: of four megabytes of names a command looks at a few.
    """

    fingerprint: str
    time: float  # seconds since 1970 when the host was probed
    facts: Facts
    sizes: dict[str, int]


def load_facts(cache: Path | None) -> Facts:
    """The facts of this host and user, from the cache file when it still holds, else probed and stored there.

    Never fails for the cache's sake: a foreign, damaged or outdated file is replaced; a folder that cannot be
    written, or None, means that nothing is kept.
    """
    return recall_facts(cache) or find_facts(cache)


def recall_facts(cache: Path | None) -> Facts | None:
    """The facts in the cache file, None when it holds none that are true now."""
    found = _read(cache) if cache is not None else None
    if found is None:
        return None
    stored, facts = found
    held = 0 <= time.time() - stored.time < LONGEST_AGE and stored.fingerprint == fingerprint()
    return facts if held else None


def find_facts(cache: Path | None, engines: Asked | None = None, kernel: Callable[[], Facts] | None = None) -> Facts:
    """Probe this host now, and keep the facts in the cache file; `engines` and `kernel` as `probe` takes them."""
    from toolkit.host.probe import probe  # here, because a cached answer needs none of what it imports
    from toolkit.host.tree import Tree

    now = fingerprint() if cache is not None else ""
    probed = probe(Tree(), engines, kernel)
    if cache is not None and probed.settled:
        _write(cache, pack(probed.facts, now))
    return probed.facts


def pack(facts: Facts, now: str) -> bytes:
    """What the file holds of these facts, as of a fingerprint."""
    bare, names = strip_names(facts)
    texts = [text.encode(errors="surrogateescape") for text in names.values()]
    stored = Stored(now, time.time(), bare, dict(zip(names, map(len, texts), strict=True)))
    head = msgspec.msgpack.encode(stored)
    return b"".join((len(head).to_bytes(LENGTH), head, *texts))


def unpack(data: bytes | mmap) -> tuple[Stored, Facts]:
    """The head of the file, and the facts. Raises MsgspecError, ValueError and RecursionError for what is not whole."""
    end = LENGTH + int.from_bytes(data[:LENGTH])
    stored = msgspec.msgpack.decode(data[LENGTH:end], type=Stored)
    names: dict[str, Names] = {}
    for field, size in stored.sizes.items():
        names[field], end = Names.within(data, end, end + size), end + size
    if end != len(data) or min(stored.sizes.values(), default=0) < 0:
        raise ValueError("the names do not fill the file")
    return stored, _join(stored.facts, names)


def strip_names(facts: Facts) -> tuple[Facts, dict[str, str]]:
    """Facts without their big sets, and those as text by field, to be stored beside them."""
    values = {field: getattr(facts, field) for field in BIG}
    names = {field: _text(fact.value) for field, fact in values.items() if fact.known}
    bare: dict[str, Fact[AbstractSet[str]]] = {
        field: Fact(unknown=fact.unknown, origin=fact.origin) for field, fact in values.items()
    }
    return msgspec.structs.replace(facts, **bare), names


def restore_names(facts: Facts, names: dict[str, str]) -> Facts:
    """Put the big sets back, as Names that become sets when they are asked."""
    return _join(facts, {field: Names(text) for field, text in names.items()})


def _join(facts: Facts, names: dict[str, Names]) -> Facts:
    sets = {field: Fact(one, origin=getattr(facts, field).origin) for field, one in names.items() if field in BIG}
    return msgspec.structs.replace(facts, **sets)


def _text(names: AbstractSet[str]) -> str:
    return names.text if isinstance(names, Names) else Names.of(names).text


def _read(cache: Path) -> tuple[Stored, Facts] | None:
    """What the file holds, or None unless it is a whole one that this user wrote and nobody else can."""
    try:
        descriptor = os.open(cache, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        foreign = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if foreign or not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return None
        return unpack(mmap(descriptor, 0, prot=PROT_READ))
    except (OSError, *DAMAGED):
        return None
    finally:
        os.close(descriptor)


def _write(cache: Path, data: bytes) -> None:
    """Replace the file at once, all of it on the disk: a part of the names that a crash lost would not be missed."""
    with suppress(OSError):
        write_atomically(cache, data)
