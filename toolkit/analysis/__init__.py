"""What a variant needs, read from its text or ELF and never by running it.

A module an engine, each with `analyze(data, name)`; they are imported when the first file of that engine is read,
because together they cost more than the whole start of a command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from toolkit.model import Analysis, Engine

MAX_BYTES = 64 << 20


def _bpftrace(data: bytes, _name: str, _parts: Mapping[str, bytes]) -> Analysis:
    from toolkit.analysis import bpftrace

    return bpftrace.analyze(data)


def _bcc(data: bytes, _name: str, parts: Mapping[str, bytes]) -> Analysis:
    from toolkit.analysis import bcc

    return bcc.analyze(data, parts)


def _native(data: bytes, name: str, _parts: Mapping[str, bytes]) -> Analysis:
    from toolkit.analysis import elf

    return elf.analyze(data, name)


def _shell(data: bytes, _name: str, _parts: Mapping[str, bytes]) -> Analysis:
    from toolkit.analysis import shell

    return shell.analyze(data)


NO_PARTS: Mapping[str, bytes] = {}
_READERS: dict[Engine, Callable[[bytes, str, Mapping[str, bytes]], Analysis]] = {
    Engine.BPFTRACE: _bpftrace,
    Engine.BCC: _bcc,
    Engine.NATIVE: _native,
    Engine.SHELL: _shell,
}


def analyze(engine: Engine, data: bytes, name: str = "", parts: Mapping[str, bytes] = NO_PARTS) -> Analysis:
    """Read a file of this engine; never raises: what cannot be read is an Analysis with a problem.

    `name` is what the file is called: libbpf-tools has binaries that act on it (xfsslower is a link to fsslower).
    `parts` are those of its files that `parts.read_parts` found.
    """
    if len(data) > MAX_BYTES:
        return Analysis(problem=f"larger than {MAX_BYTES >> 20} MiB: no tool is")
    try:
        read = _READERS[engine](data, name, parts)
    except RecursionError:
        return Analysis(problem="nested too deeply to be read")
    except MemoryError:
        return Analysis(problem="too large or too deeply nested to be read")
    except Exception as error:  # noqa: BLE001 - one strange file among 300 must not cost the other 299
        return Analysis(problem=f"could not be read: {type(error).__name__}: {error}"[:200])
    hashes = {part: hashlib.sha256(text).hexdigest() for part, text in parts.items()}
    return msgspec.structs.replace(read, parts=hashes) if hashes else read
