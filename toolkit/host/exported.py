"""Facts as a file for another machine: one JSON document, gzipped where its name ends in .gz (shape: docs/json.md).

Whoever reads one did not write it: its size, its types and every text in it are checked each time. There is nothing
secret in it: no addresses, no user names, no name of the host.
"""

from __future__ import annotations

import gzip
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from toolkit import __version__
from toolkit.errors import DAMAGED, StateError, UsageError
from toolkit.host.cache import BIG, restore_names, strip_names
from toolkit.model import Fact, Facts, Value

FORMAT = "toolkit facts"
VERSION = 1  # raised when a reader of the one before would take something for what it is not
MODE = 0o644  # it is made to be carried about, and holds what the host shows to everybody who may trace on it
LARGEST = 64 << 20  # bytes, unpacked; those of a distribution's kernel with all modules loaded are 8 MiB
LARGEST_NUMBER = 1 << 62
LONGEST = 4096  # characters of anything that is not a list of names
GZIP = b"\x1f\x8b"


class Header(msgspec.Struct, frozen=True):
    """What every version of the format has."""

    format: str
    version: int


class Exported(Value, frozen=True, omit_defaults=False):
    """The document: facts without their big sets, and those sets as sorted text, one name a line."""

    format: str
    version: int
    toolkit: str  # the version that wrote it
    written: float  # seconds since 1970
    facts: Facts
    names: dict[str, str]


def encode_facts(facts: Facts, *, packed: bool = False) -> bytes:
    """The bytes of the file."""
    bare, names = strip_names(facts)
    document = Exported(FORMAT, VERSION, __version__, round(time.time(), 3), bare, names)
    data = msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1) + b"\n"
    return gzip.compress(data, 6, mtime=0) if packed else data


def write_facts(facts: Facts, path: Path) -> None:
    """Write facts to a file at once, or to a pipe or device that is there. Raises StateError."""
    data = encode_facts(facts, packed=path.suffix == ".gz")
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("wb") as file:
                file.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data)  # a link stays one
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, data: bytes) -> None:
    """Write beside the file and rename: under a name that nobody can guess, since the folder may be /tmp."""
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)  # whatever the umask is
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def read_facts(path: Path) -> Facts:
    """The facts of a file that `toolkit facts --export` wrote, or of a folder of captures, on whatever machine.

    Raises UsageError that names it.
    """
    if path.is_dir():
        from toolkit.host.capture import read_capture  # it reads with half of the probes

        return read_capture(path)
    data = _read(path)
    try:
        header = msgspec.json.decode(data, type=Header)
        if header.format != FORMAT:
            raise _refuse(path, f"its format is {header.format[:40]!r}, not {FORMAT!r}")
        if header.version != VERSION:
            raise UsageError(
                f"{path} has version {header.version} of the facts format; this toolkit reads version {VERSION}",
                fix="export it again with this version of toolkit, or use the version that wrote it",
            )
        document = msgspec.json.decode(data, type=Exported)
    except DAMAGED as error:
        raise _refuse(path, str(error)) from error
    problem = next(_find_problems(document), "")
    if problem:
        raise _refuse(path, problem)
    return restore_names(document.facts, document.names)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if data[:2] == GZIP:
            # Not gzip.decompress: a megabyte of zeros that unpacks to a gigabyte must stop at our limit.
            unpacker = zlib.decompressobj(wbits=31)
            data = unpacker.decompress(data, LARGEST + 1)
            if not unpacker.eof and len(data) <= LARGEST:
                raise _refuse(path, "its gzip data is cut off")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except zlib.error as error:
        raise _refuse(path, "its gzip data is damaged") from error
    if len(data) > LARGEST:
        raise _refuse(path, f"it is larger than {LARGEST >> 20} MiB")
    return data


def _find_problems(document: Exported) -> Iterator[str]:
    """What types alone do not say: a fact is a value or a reason, lists are where they belong, texts can be shown."""
    yield from (f"names has {field[:40]!r}, which is no list of names" for field in document.names if field not in BIG)
    for name, fact in _list_facts(document.facts):
        listed = name in document.names
        if name in BIG and fact.known:
            yield f"{name} stands in facts; its names belong in names"
        if isinstance(fact.value, int) and abs(fact.value) > LARGEST_NUMBER:
            yield f"{name} is a number that no kernel has"
        if (fact.known or listed) == bool(fact.unknown):
            yield f"{name} needs a value or a reason why it is unknown, one of them"
    for text in _list_texts(msgspec.to_builtins(document.facts)):
        if len(text) > LONGEST or not text.isprintable():
            yield f"it holds a text that is too long or cannot be printed: {text[:40]!r}"
    for field, text in document.names.items():
        # A name may end up on a terminal, where an escape sequence could rewrite what a person sees.
        if not text.replace("\n", "").isprintable():
            yield f"names.{field} holds what cannot be printed"


def _list_facts(facts: Facts) -> Iterator[tuple[str, Fact[Any]]]:
    for name in facts.__struct_fields__:
        value = getattr(facts, name)
        if isinstance(value, Fact):
            yield name, value
    yield from facts.program_kinds.items()


def _list_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _list_texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _list_texts(inner)


def _refuse(path: Path, why: str) -> UsageError:
    # A type checker's message quotes what it found, such as the name of a field.
    why = "".join(sign if sign.isprintable() else "?" for sign in why[:300])
    return UsageError(f"{path} is no file of facts: {why}", fix="write one with: toolkit facts --export FILE")
