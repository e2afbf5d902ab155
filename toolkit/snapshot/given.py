"""Files that a person names, as variants: which of them are BPF tools, read and analysed. Nothing is run or trusted."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from toolkit import analysis
from toolkit.analysis.parts import read_parts
from toolkit.errors import UsageError
from toolkit.model import Engine, Found, Need, NeedKind, Requirement, Variant
from toolkit.trust import open_regular

SOURCE = "file"
MOST_FILES = 20_000  # in one folder and below; a checkout of a kernel has 80,000
IMPORTS_BCC = re.compile(rb"^\s*(?:from\s+bcc\b|import\s+(?:\w+\s*,\s*)*bcc\b)", re.MULTILINE)
SHELL_ALONE = Requirement(any_of=(Need(kind=NeedKind.ENGINE, name=Engine.SHELL),))


def read_given(path: Path) -> tuple[Variant, ...]:
    """A file as a variant, or every BPF tool in a folder and below. Raises UsageError."""
    try:
        if not path.is_dir():
            return (_read_file(path),)
        found = tuple(one for file in _walk(path) if (one := _try_file(file)))
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror}") from error
    if not found:
        raise UsageError(f"there is no BPF tool in {path}", fix="what counts: *.bt, Python with bcc, BPF in an ELF")
    return found


def guess_engine(path: Path, data: bytes) -> Engine | None:
    """What would execute a file, by its first line, its suffix and what it imports; None for no BPF tool."""
    first = data[:128].split(b"\n", 1)[0] if data.startswith(b"#!") else b""
    if data.startswith(b"\x7fELF"):
        return Engine.NATIVE
    if path.suffix == ".bt" or b"bpftrace" in first:
        return Engine.BPFTRACE
    if path.suffix == ".py" or b"python" in first:
        return Engine.BCC if IMPORTS_BCC.search(data) else None
    return Engine.SHELL if re.search(rb"/(?:ba|da)?sh\b|env (?:ba)?sh\b", first) else None


def _read_file(path: Path) -> Variant:
    data = _read(path)
    engine = guess_engine(path, data)
    if engine is None:
        raise UsageError(f"{path} is no BPF tool", fix="what counts: *.bt, Python that imports bcc, BPF in an ELF, sh")
    return _make_variant(path, engine, data)


def _try_file(path: Path) -> Variant | None:
    """A file of a folder, if it is a BPF tool: a program without BPF in it, or a script that calls none, is not."""
    try:
        data = _read(path)
    except OSError:  # a socket, or unreadable: not what was asked for by name
        return None
    engine = guess_engine(path, data)
    if engine is None:
        return None
    variant = _make_variant(path, engine, data)
    read = variant.analysis
    if engine is Engine.NATIVE and read.problem:
        return None
    return None if engine is Engine.SHELL and read.requirements in ((), (SHELL_ALONE,)) else variant


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(analysis.MAX_BYTES + 1)


def _make_variant(path: Path, engine: Engine, data: bytes) -> Variant:
    found = Found(upstream=SOURCE, source=SOURCE, stem=path.stem, engine=engine, path=str(path))
    read = analysis.analyze(engine, data, path.stem, read_parts(engine, data, str(path)))
    return Variant(tool=path.stem, found=found, analysis=read, sha256=hashlib.sha256(data).hexdigest())


def _walk(folder: Path) -> Iterator[Path]:
    """The regular files below a folder in order of their paths; hidden folders and links to folders are left out."""
    seen = 0
    for here, folders, names in os.walk(folder, onerror=_fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                raise UsageError(f"{folder} holds more than {MOST_FILES:,} files", fix="name a smaller folder")
            path = Path(here, name)
            if path.is_file():
                yield path


def _fail(error: OSError) -> None:
    raise error
