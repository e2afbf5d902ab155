"""Look at a state folder from outside: whether `current` names a whole snapshot, by nothing of toolkit's own code."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEPT = {"sync.lock", "journal.lock"}  # lock files that stay, by design


@dataclass(frozen=True)
class Seen:
    """What `current` names: the snapshot's id, the commits and tools it holds, and what is wrong with it."""

    id: str = ""
    commits: frozenset[str] = frozenset()
    tools: frozenset[tuple[str, str]] = frozenset()  # stem and SHA-256
    faults: tuple[str, ...] = ()


def look_at(state: Path) -> Seen:
    """Read the link, the receipt, the manifest, and every file with its hash."""
    try:
        folder = state / os.readlink(state / "current")
        receipt = json.loads((folder / "receipt.json").read_bytes())
        text = (folder / "manifest.json").read_bytes()
        manifest = json.loads(text)
        faults = tuple(_find_faults(folder, receipt["id"], hashlib.sha256(text).hexdigest(), manifest["entries"]))
    except (OSError, ValueError, KeyError) as error:
        return Seen(faults=(f"{type(error).__name__}: {error}",))
    tools = frozenset((one["stem"], one["sha256"]) for one in manifest["entries"] if one["role"] == "tool")
    commits = frozenset(one["commit"] for one in manifest["origins"])
    return Seen(id=folder.name, commits=commits, tools=tools, faults=faults)


def _find_faults(folder: Path, receipt: str, digest: str, entries: list[dict[str, object]]) -> Iterator[str]:
    if not folder.name == receipt == digest[: len(receipt)]:
        yield f"{folder.name} has a receipt for {receipt} and a manifest of {digest}"
    expected = {f"{one['source']}/{one['revision']}/{one['path']}": one for one in entries}
    found = {str(path.relative_to(folder / "files")) for path in (folder / "files").rglob("*") if not path.is_dir()}
    yield from (f"{path} is there and in no manifest" for path in sorted(found - expected.keys()))
    for name, one in expected.items():
        file = folder / "files" / name
        try:
            mode, data = file.lstat().st_mode, file.read_bytes()
        except OSError as error:
            yield f"{name}: {error.strerror}"
            continue
        if not stat.S_ISREG(mode) or bool(mode & stat.S_IXUSR) != one["executable"]:
            yield f"{name} has the mode {mode:o}"
        if (len(data), hashlib.sha256(data).hexdigest()) != (one["size"], one["sha256"]):
            yield f"{name} is not what the manifest says"


def find_leftovers(state: Path) -> list[str]:
    """Everything that looks unfinished: hidden, temporary or a lock."""
    return [
        str(path.relative_to(state))
        for path in sorted(state.rglob("*"))
        if path.name not in KEPT and (path.name.startswith((".", "tmp_")) or path.suffix in (".lock", ".aside"))
    ]
