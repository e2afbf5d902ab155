"""Revisions of a source: only what its rules choose, and anew where our copy of the repository is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git_repos import Repo, need_git, serve_http
from toolkit.errors import SourceError
from toolkit.model import Source
from toolkit.snapshot.collect import Collected, Gathered, fetch_origins
from toolkit.snapshot.layout import Origin
from toolkit.snapshot.origins import Wanted
from toolkit.sources.git import find_commits
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


def collect(store: GitStore, url: str, *commits: str, refs: tuple[str, ...] = ("refs/heads/main",)) -> Gathered:
    source = Source(name="acme", summary="Ours", url=url, revisions=("latest",))
    origins = (Origin(source="acme", revision=commit[:12], commit=commit) for commit in commits)
    wanted = (Wanted(origin=origin, ref=ref, why="a test") for origin, ref in zip(origins, refs, strict=True))
    return fetch_origins(store, source, tuple(wanted), seconds=30)


def texts(gathered: Gathered) -> dict[str, bytes]:
    (texts,) = map(read_texts, gathered.files.values())
    return texts


def read_texts(collected: Collected) -> dict[str, bytes]:
    return {entry.path: collected.contents[entry.sha256] for entry in collected.entries}


WANTED = {"disk/slowio.bt": b"// slowio\n" * 20, "net/alias.bt": b"// who\n" * 20, "net/who.bt": b"// who\n" * 20}


def test_a_file_that_no_rule_chooses_never_comes(repo: Repo, store: GitStore) -> None:
    many: dict[str, bytes | str] = {f"disk/{number}.dat": b"%d" % number for number in range(200)}
    commit = repo.commit({**TOOLS, **many, "disk/huge.bin": NOISE, "disk/link.dat": "huge.bin"})
    collected = collect(store, repo.url, commit)
    assert texts(collected) == WANTED
    decoys = [repo.git("rev-parse", f"{commit}:disk/{name}") for name in ("0.dat", "huge.bin", "link.dat")]
    assert set(find_sizes(store, decoys).values()) == {None}
    assert collected.received < 20_000  # most of it the names of the 200


@pytest.mark.parametrize("part", ["trees", "files", "both"])
def test_a_damaged_pack_is_fetched_anew(repo: Repo, store: GitStore, part: str) -> None:
    commit = repo.commit(TOOLS)
    collect(store, repo.url, commit)
    trees, files = sorted(store.packs.glob("*.pack"), key=lambda pack: pack.stat().st_mtime_ns)
    for pack in {"trees": (trees,), "files": (files,), "both": (trees, files)}[part]:
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        data[14:-20] = bytes(255 - byte for byte in data[14:-20])
        pack.write_bytes(data)
    again = collect(open_store(store.path), repo.url, commit)
    assert texts(again) == WANTED
    assert again.received > 0
    assert find_commits(open_store(store.path), [commit])
    assert collect(open_store(store.path), repo.url, commit).received == 0


def test_a_link_that_leads_nowhere_is_noted_and_the_rest_is_taken(repo: Repo, store: GitStore) -> None:
    collected = collect(store, repo.url, repo.commit({**TOOLS, "net/lost.bt": "gone.bt", "net/-rf.bt": b"x"}))
    assert texts(collected) == WANTED
    (files,) = collected.files.values()
    assert [note.split(":")[1] for note in files.notes] == [" net/-rf.bt", " net/lost.bt"]


SECOND: dict[str, bytes | str] = {**TOOLS, "net/who.bt": b"// who else\n" * 20, "net/alias.bt": "../disk/slowio.bt"}
WANTED_THEN = {"disk/slowio.bt": WANTED["disk/slowio.bt"], "net/alias.bt": WANTED["disk/slowio.bt"]}


def test_several_revisions_come_together(repo: Repo, store: GitStore) -> None:
    first = repo.commit(TOOLS)
    second = repo.commit(SECOND, "next", parent=first)
    gathered = collect(store, repo.url, first, second, refs=("refs/heads/main", "refs/heads/next"))
    assert [read_texts(files) for files in gathered.files.values()] == [
        WANTED,
        {**WANTED_THEN, "net/who.bt": SECOND["net/who.bt"]},
    ]
    assert len(list(store.packs.glob("*.pack"))) == 2  # one of commits and trees, one of files
    assert gathered.received == store.count_bytes()


@pytest.mark.parametrize("filters", ["true", "false"])
def test_where_nothing_is_given_out_by_id_each_revision_comes_by_its_ref(
    repo: Repo, store: GitStore, filters: str
) -> None:
    repo.git("config", "uploadpack.allowFilter", filters)
    repo.git("config", "uploadpack.allowAnySHA1InWant", "false")
    first = repo.commit(TOOLS)
    second = repo.commit(SECOND, "next", parent=first)
    if filters == "false":  # then the history brings the files, too
        repo.commit({"README": b"x"}, "next", parent=second)
    with serve_http(repo.path.parent, speaks_v2=False) as (base, _):
        url = f"{base}/{repo.path.name}"
        gathered = collect(store, url, first, second, refs=("refs/heads/main", "refs/heads/next"))
    assert [len(files.entries) for files in gathered.files.values()] == [3, 3]


def test_one_revision_that_is_gone_is_named(repo: Repo, store: GitStore) -> None:
    first = repo.commit(TOOLS)
    with pytest.raises(SourceError, match=f"does not hold commit {'b' * 40} in refs/heads/main any more"):
        collect(store, repo.url, first, "b" * 40, refs=("refs/heads/main",) * 2)
