"""Facts kept between commands: one msgpack file, believed only while the fingerprint is the same.

The cache is never more than a saving: whatever is wrong with it, the host is probed and the answer is the same.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit.host.fingerprint import fingerprint
from toolkit.host.names import Names
from toolkit.model import Fact, Facts

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


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds: facts without their big sets, and those sets as text by field."""

    fingerprint: str
    time: float  # seconds since 1970 when the host was probed
    facts: Facts
    names: dict[str, str]


def load_facts(cache: Path | None) -> Facts:
    """The facts of this host and user, from the cache file when it still holds, else probed and stored there.

    Never fails for the cache's sake: a foreign, damaged or outdated file is replaced; a folder that cannot be
    written, or None, means that nothing is kept.
    """
    return recall_facts(cache) or find_facts(cache)


def recall_facts(cache: Path | None) -> Facts | None:
    """The facts in the cache file, None when it holds none that are true now."""
    stored = _read(cache) if cache is not None else None
    if stored is None or not 0 <= time.time() - stored.time < LONGEST_AGE or stored.fingerprint != fingerprint():
        return None
    return restore(stored)


def find_facts(cache: Path | None, engines: Asked | None = None) -> Facts:
    """Probe this host now, and keep the facts in the cache file; `engines` are those that were asked before."""
    from toolkit.host.probe import probe  # here, because a cached answer needs none of what it imports
    from toolkit.host.tree import Tree

    now = fingerprint() if cache is not None else ""
    probed = probe(Tree(), engines)
    if cache is not None and probed.settled:
        _write(cache, strip(probed.facts, now))
    return probed.facts


def strip(facts: Facts, now: str) -> Stored:
    """What the file holds of these facts."""
    return Stored(now, time.time(), *strip_names(facts))


def restore(stored: Stored) -> Facts:
    """The facts of the file."""
    return restore_names(stored.facts, stored.names)


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
    sets = {
        field: Fact(Names(text), origin=getattr(facts, field).origin) for field, text in names.items() if field in BIG
    }
    return msgspec.structs.replace(facts, **sets)


def _text(names: AbstractSet[str]) -> str:
    return names.text if isinstance(names, Names) else Names.of(names).text


def _read(cache: Path) -> Stored | None:
    """The file's content, or None unless it is a whole one that this user wrote and nobody else can."""
    try:
        descriptor = os.open(cache, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        foreign = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if foreign or not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return None
        try:
            return msgspec.msgpack.decode(file.read(), type=Stored)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return None


def _write(cache: Path, stored: Stored) -> None:
    """Replace the file at once. A crash of the host may leave it damaged, for which _read is prepared: no fsync."""
    import tempfile

    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=f".{cache.name}.", dir=cache.parent)  # mode 0600
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.msgpack.encode(stored))
        os.replace(aside, cache)
    except OSError:
        Path(aside).unlink(missing_ok=True)
