"""Our copy of a source: a bare repository that no ref, hook, remote or checkout ever enters, only packs.

Nothing in it names a server, so reading from it never asks one: an object that is missing is missing. One process
at a time may write here; the lock is the caller's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import SourceError, StateError
from toolkit.paths import advise_writing, make_folder

# What `config` holds, byte for byte: git never writes it, so another content is another's.
CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tbare = true\n[gc]\n\tauto = 0\n"
HEAD = b"ref: refs/heads/none\n"
# A sync that finds something new adds two packs and never removes one; at 40 KB each, a new copy costs less than a
# repack that knows partial clones.
MOST_PACKS = 400


@dataclass(frozen=True)
class GitStore:
    """A bare repository of ours."""

    path: Path

    @property
    def packs(self) -> Path:
        """Where git keeps what it fetched."""
        return self.path / "objects" / "pack"

    def has_packs(self) -> bool:
        """Whether it holds anything at all: a new one does not, and git need not be asked."""
        return any(self.packs.glob("*.pack"))

    def count_bytes(self) -> int:
        """The size of all packs: what came over the network, but for some bytes a request."""
        return sum(path.stat().st_size for path in self.packs.glob("*.pack"))


def open_store(path: Path) -> GitStore:
    """The store at this path, made when it is missing, made anew when it is broken or worn. Raises StateError."""
    store = GitStore(path)
    try:
        if not _is_sound(store):
            discard_store(store)
            _make_store(path)
        sweep_store(store)
    except OSError as error:
        raise _unusable(path, error) from error
    return store


def renew_store(store: GitStore) -> GitStore:
    """An empty store in the place of a damaged one. Raises StateError."""
    try:
        discard_store(store)
    except OSError as error:
        raise _unusable(store.path, error) from error
    return open_store(store.path)


def discard_store(store: GitStore) -> None:
    """Remove a store: out of the way at once, so that a crash leaves nothing that looks like one. Raises OSError."""
    for aside in store.path.parent.glob(f".{store.path.name}.*.aside"):
        shutil.rmtree(aside, ignore_errors=True)
    if store.path.is_symlink() or store.path.is_file():
        store.path.unlink()
    elif store.path.exists():
        aside = _aside(store.path, "old")
        store.path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def discard_others(folder: Path, names: Collection[str]) -> None:
    """Remove the stores in this folder that are of none of these sources, and what a crash left. Raises StateError."""
    wanted = {f"{name}.git" for name in names}
    try:
        for path in folder.glob("*.git"):
            if not path.name.startswith(".") and path.name not in wanted:
                discard_store(GitStore(path))
        for aside in folder.glob(".*.aside"):
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(f"cannot open {path}: {error.strerror}", fix=advise_writing(error))


def _aside(path: Path, why: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{why}.aside")


def _is_sound(store: GitStore) -> bool:
    """Whether this is a store as we make it; what its packs hold is verified when it is read."""
    path = store.path
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        if (path / "config").read_bytes() != CONFIG or (path / "HEAD").read_bytes() != HEAD:
            return False
        whole = all((path / name).is_dir() for name in ("objects", "refs", "objects/pack"))
        names = os.listdir(store.packs)
    except OSError:
        return False
    # A pack without its index, or the other way round, is what is left of a disk that lost something.
    packs = {name.removesuffix(".pack") for name in names if name.startswith("pack-") and name.endswith(".pack")}
    indexes = {name.removesuffix(".idx") for name in names if name.startswith("pack-") and name.endswith(".idx")}
    return whole and indexes <= packs and len(packs) <= MOST_PACKS


def _make_store(path: Path) -> None:
    make_folder(path.parent)
    aside = _aside(path, "new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        # All that makes a folder a repository to git (setup.c, is_git_directory), whatever its templates hold.
        for name in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
            (aside / name).mkdir(mode=0o700, parents=True)
        (aside / "HEAD").write_bytes(HEAD)
        (aside / "config").write_bytes(CONFIG)
        aside.chmod(0o700)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def sweep_store(store: GitStore) -> None:
    """Remove what a git that was killed left behind: locks and unfinished packs. Raises OSError."""
    leftovers = (
        *store.path.glob("*.lock"),
        *store.packs.glob("tmp_*"),
        *store.packs.glob(".tmp-*"),
        *store.path.glob("shallow_*"),
    )
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)


def damaged(store: GitStore, what: str) -> SourceError:
    """The error of a store that lacks what it should hold."""
    return SourceError(
        f"{store.path} is damaged: {what}", fix=f"remove {store.path}; the next sync fetches it anew", damaged=True
    )
