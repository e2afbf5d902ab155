"""Read the content of files out of a store, verified against its name, and never more of it than a tool can be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from toolkit.model import Value
from toolkit.sources.git_limits import GitLimits
from toolkit.sources.git_names import check_commit, tidy
from toolkit.sources.git_process import run_git
from toolkit.sources.git_store import GitStore, damaged

LARGEST = 4 << 20
AT_ONCE = 32 << 20  # bytes of blobs that one git process is asked for

_HEADER = re.compile(rb"([0-9a-f]{40}) (?:(missing)|([a-z]+) (\d{1,15}))")
_LFS = b"version https://git-lfs.github.com/spec/"


class Blob(Value, frozen=True):
    """The content of a file; none, and a problem, when it must not be taken."""

    id: str
    data: bytes = b""
    problem: str = ""


def read_blobs(
    store: GitStore, sizes: Mapping[str, int], *, largest: int = LARGEST, seconds: float = 60
) -> Iterator[Blob]:
    """Read each of these blobs, whose sizes are known. Raises SourceError when the store is damaged or lacks one.

    `seconds` bounds each git process; there is one for every 32 MiB of content.
    """
    batch: list[str] = []
    total = 0
    for blob, size in sizes.items():
        if size > largest:
            # A file of 2 GB stays compressed in its pack: its size is known without reading it.
            yield Blob(id=blob, problem=f"it has {_size(size)}, and a file of a tool has at most {_size(largest)}")
            continue
        if total + size > AT_ONCE:
            yield from _read_batch(store, batch, sizes, seconds)
            batch, total = [], 0
        batch.append(blob)
        total += size
    yield from _read_batch(store, batch, sizes, seconds)


def find_sizes(store: GitStore, ids: Iterable[str], *, seconds: float = 60) -> dict[str, int | None]:
    """The size of each blob, None for one that is not in the store. Raises SourceError."""
    wanted = list(dict.fromkeys(map(check_commit, ids)))
    if not wanted or not store.has_packs():
        return dict.fromkeys(wanted)
    told = "".join(f"{one}\n" for one in wanted).encode()
    said = run_git(("cat-file", "--batch-check"), stdin=told, seconds=seconds, repository=store.path, asks=True)
    lines = said.stdout.split(b"\n")[:-1]
    if not said.ok or len(lines) != len(wanted):
        raise damaged(store, tidy(said.stderr) or "git did not tell its sizes")
    sizes: dict[str, int | None] = {}
    for one, line in zip(wanted, lines, strict=True):
        match = _HEADER.fullmatch(line)
        if match is None or match[1].decode() != one:
            raise damaged(store, f"git says {tidy(line.decode('ascii', 'replace'))!r} of {one}")
        if match[3] not in (None, b"blob"):
            raise damaged(store, f"{one} is a {match[3].decode()} where a blob is meant")
        sizes[one] = None if match[2] else int(match[4])
    return sizes


def _read_batch(store: GitStore, batch: list[str], sizes: Mapping[str, int], seconds: float) -> Iterator[Blob]:
    if not batch:
        return
    expected = sum(sizes[blob] for blob in batch) + 128 * len(batch)
    said = run_git(
        ("cat-file", "--batch"),
        stdin="".join(f"{blob}\n" for blob in batch).encode(),
        seconds=seconds,
        repository=store.path,
        limits=GitLimits(output_bytes=expected),
        asks=True,
    )
    at = 0
    for blob in batch:
        size = sizes[blob]
        start = at + len(header) if said.stdout.startswith(header := f"{blob} blob {size}\n".encode(), at) else -1
        data = said.stdout[start : start + size] if start >= 0 else b""
        # Git believes its packs when it reads; what root runs is worth another hash.
        if _name(data) != blob:
            raise damaged(store, f"blob {blob} is not what its name says. {tidy(said.stderr)}")
        at = start + size + 1
        lfs = data.startswith(_LFS) and len(data) < 1024
        problem = "it is a Git LFS pointer: the file itself is kept elsewhere" if lfs else ""
        yield Blob(id=blob, data=b"" if lfs else data, problem=problem)


def _name(data: bytes) -> str:
    # Git names a blob by SHA-1 of its kind, its size and its bytes.
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / 1024:.1f} KiB"
