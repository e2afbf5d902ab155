"""The files of a folder of captures, read as what they are: whatever somebody copied from another machine."""

from __future__ import annotations

import errno
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from toolkit.host.tree import Damaged
from toolkit.trust import open_regular

LARGEST = 128 << 20  # bytes of one file, unpacked; the BTF of a kernel with everything in it is 10 MiB
LARGEST_MEMBER = 64 << 20
GZIP = b"\x1f\x8b"

# What a command leaves in a file when it failed: a fact too, unknown for this reason. Busybox puts it otherwise.
FAILED = re.compile(r"(?:^|\n)[\w./-]{1,100}: [^\n]{0,400}: ([A-Z][a-z/ ]+)\s*$")
CODES = {
    "No such file or directory": errno.ENOENT,
    "Not a directory": errno.ENOENT,
    "Permission denied": errno.EACCES,
    "Operation not permitted": errno.EPERM,
    "Input/output error": errno.EIO,
}


def read_file(folder: Path, name: str) -> bytes:
    """A captured file, unpacked where it is packed; nothing when it was not taken. Raises Damaged."""
    try:
        with open_regular(folder / name) as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Damaged(f"{name} cannot be read: {error.strerror}") from error
    if data[:2] == GZIP and name.endswith((".gz", ".tgz")):
        data = _unpack(name, data)
    if len(data) > LARGEST:
        raise Damaged(f"{name} is larger than {LARGEST >> 20} MiB")
    return data


def _unpack(name: str, data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise Damaged(f"{name} is damaged: {error}") from error
    if not unpacker.eof and len(unpacked) <= LARGEST:
        raise Damaged(f"{name} is cut off")
    return unpacked


def read_text(folder: Path, name: str) -> str:
    """A captured text; nothing when it was not taken, or cannot be read."""
    try:
        return read_file(folder, name).decode(errors="replace")
    except Damaged:
        return ""


def find_failure(data: bytes) -> int:
    """The errno that the command which should have filled this file met, or 0."""
    match = FAILED.search(data[-4096:].decode(errors="replace"))
    return CODES.get(match[1], errno.EIO) if match else 0


def read_members(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Path, without a / before it, and bytes of each file in a tar archive. Raises Damaged, also after some of them."""
    data = read_file(folder, name)
    if not data:
        return
    try:
        # Of what is unpacked already, so that an archive cannot grow while it is gone through.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.isreg() and member.size <= LARGEST_MEMBER:
                    stream = archive.extractfile(member)
                    yield member.name.removeprefix("./").lstrip("/"), stream.read() if stream else b""
    except (tarfile.TarError, ValueError, OverflowError, IndexError, KeyError, OSError) as error:
        raise Damaged(f"{name} is damaged: {error}") from error
