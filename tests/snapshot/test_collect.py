"""One revision of a source: only what its rules choose, and anew where our copy of the repository is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git_repos import Repo, need_git
from toolkit.model import Source
from toolkit.snapshot.collect import Collected, fetch_origin
from toolkit.snapshot.layout import Origin
from toolkit.snapshot.origins import Wanted
from toolkit.sources.git import has_commit
from toolkit.sources.git_blobs import find_sizes
from toolkit.sources.git_store import GitStore, open_store

need_git()
NOISE = bytes(range(256)) * 4000
TOOLS: dict[str, bytes | str] = {
    "disk/slowio.bt": b"// slowio\n" * 20,
    "net/who.bt": b"// who\n" * 20,
    "net/alias.bt": "who.bt",
}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "up.git")


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    return open_store(tmp_path / "state" / "acme.git")


def collect(store: GitStore, repo: Repo, commit: str) -> Collected:
    origin = Origin(source="acme", revision=commit[:12], commit=commit)
    source = Source(name="acme", summary="Ours", url=repo.url, revisions=("latest",))
    return fetch_origin(store, source, Wanted(origin=origin, ref="refs/heads/main", why="a test"), seconds=30)


def texts(collected: Collected) -> dict[str, bytes]:
    return {entry.path: collected.contents[entry.sha256] for entry in collected.entries}


WANTED = {"disk/slowio.bt": b"// slowio\n" * 20, "net/alias.bt": b"// who\n" * 20, "net/who.bt": b"// who\n" * 20}


def test_a_file_that_no_rule_chooses_never_comes(repo: Repo, store: GitStore) -> None:
    many: dict[str, bytes | str] = {f"disk/{number}.dat": b"%d" % number for number in range(200)}
    commit = repo.commit({**TOOLS, **many, "disk/huge.bin": NOISE, "disk/link.dat": "huge.bin"})
    collected = collect(store, repo, commit)
    assert texts(collected) == WANTED
    decoys = [repo.git("rev-parse", f"{commit}:disk/{name}") for name in ("0.dat", "huge.bin", "link.dat")]
    assert set(find_sizes(store, decoys).values()) == {None}
    assert collected.received < 20_000  # most of it the names of the 200


@pytest.mark.parametrize("part", ["trees", "files", "both"])
def test_a_damaged_pack_is_fetched_anew(repo: Repo, store: GitStore, part: str) -> None:
    commit = repo.commit(TOOLS)
    collect(store, repo, commit)
    trees, files = sorted(store.packs.glob("*.pack"), key=lambda pack: pack.stat().st_mtime_ns)
    for pack in {"trees": (trees,), "files": (files,), "both": (trees, files)}[part]:
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        data[14:-20] = bytes(255 - byte for byte in data[14:-20])
        pack.write_bytes(data)
    again = collect(open_store(store.path), repo, commit)
    assert texts(again) == WANTED
    assert again.received > 0
    assert has_commit(open_store(store.path), commit)
    assert collect(open_store(store.path), repo, commit).received == 0


def test_a_link_that_leads_nowhere_is_noted_and_the_rest_is_taken(repo: Repo, store: GitStore) -> None:
    collected = collect(store, repo, repo.commit({**TOOLS, "net/lost.bt": "gone.bt", "net/-rf.bt": b"x"}))
    assert texts(collected) == WANTED
    assert [note.split(":")[1] for note in collected.notes] == [" net/-rf.bt", " net/lost.bt"]
