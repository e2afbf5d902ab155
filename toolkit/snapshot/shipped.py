"""Analyses that a release brings along: of the tools of the upstream revisions and packages that it was tested with.

To read them all takes a second, which a host that has nothing yet would wait for at its first command and its first
sync. They are facts, not text: needs, attach points, options. One counts for the same bytes alone, and while all code
that could read them otherwise is what it was when they were made (`make analyses`).
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from toolkit.model import Analysis, Value
from toolkit.paths import data_folder

PACKAGE = Path(__file__).resolve().parent.parent
NAME = "analyses.msgpack.gz"
BROKEN = (OSError, EOFError, zlib.error, msgspec.MsgspecError, ValueError, RecursionError)


class Shipped(Value, frozen=True):
    """Packed analyses by their keys, and the name of the code that made them."""

    code: str
    analyses: dict[str, memoryview]


def load_shipped() -> Mapping[str, memoryview]:
    """The packed analyses by `analysis_key`; none where they are not there, not whole, or of other code."""
    try:
        shipped = msgspec.msgpack.decode(gzip.decompress(find_file().read_bytes()), type=Shipped)
    except BROKEN:
        return {}
    return shipped.analyses if shipped.code == name_code() else {}


def write_shipped(analyses: Mapping[str, Analysis]) -> bytes:
    """The file of these analyses: the same bytes for the same ones. Summaries are left out: curated tools have ours."""
    packed = {
        key: memoryview(msgspec.msgpack.encode(msgspec.structs.replace(analyses[key], summary="")))
        for key in sorted(analyses)
    }
    return gzip.compress(msgspec.msgpack.encode(Shipped(code=name_code(), analyses=packed)), mtime=0)


def find_file() -> Path:
    """Where the file lies: beside the catalog in a wheel, with the pins in a checkout."""
    inside = data_folder() / NAME
    return inside if inside.is_file() else data_folder().parent / "vendored" / NAME


def list_code() -> tuple[Path, ...]:
    """The code that decides what an analysis says."""
    names = ("model", "kernels", "options")
    return (*(PACKAGE / f"{name}.py" for name in names), *sorted((PACKAGE / "analysis").glob("*.py")))


def name_code() -> str:
    """A name for the text of this code: other code, another name."""
    digest = hashlib.sha256()
    for path in list_code():
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
