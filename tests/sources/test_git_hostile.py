"""Repositories and servers that mean harm, or are broken: each refused or bounded, with a message that says why."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
import zlib
from pathlib import Path

import pytest

from tests.support.git_repos import (
    FILE,
    FOLDER,
    LINK,
    PROGRAM,
    SUBMODULE,
    Entry,
    Repo,
    Taken,
    fetch_folders,
    need_git,
    read_here,
    serve_http,
    serve_silence,
)
from toolkit.errors import SourceError
from toolkit.sources.git import Place, fetch_commits
from toolkit.sources.git_limits import GitLimits
from toolkit.sources.git_refs import list_refs
from toolkit.sources.git_store import GitStore, open_store
from toolkit.sources.git_tree import TreeEntry, list_tree

need_git()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "served" / "up.git")


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    return open_store(tmp_path / "state" / "sources" / "up.git")


def take(store: GitStore, repo: Repo, commit: str, *, limits: GitLimits | None = None, seconds: float = 30) -> Taken:
    place = Place(url=repo.url, commit=commit)
    return fetch_folders(store, place, ("tools",), seconds=seconds, limits=limits or GitLimits())


def problems(entries: tuple[TreeEntry, ...]) -> dict[str, str]:
    return {entry.path: entry.problem for entry in entries if entry.problem}


def ok(entries: tuple[TreeEntry, ...]) -> list[str]:
    return [entry.path for entry in entries if not entry.problem]


# --- Names and kinds --------------------------------------------------------------------------------------------------


def test_what_cannot_be_taken_is_listed_with_its_reason(repo: Repo, store: GitStore) -> None:
    good, link = repo.blob(b"good"), repo.blob(b"good.py")
    entries: list[Entry] = [
        (FILE, b"-rf", good),
        (FILE, b"a\nb", good),
        (FILE, b"bell\x07", good),
        (FILE, "caf\u00e9.py".encode(), good),
        (FILE, "cafe\u0301.py".encode(), good),
        (FILE, b"CASE.py", good),
        (FILE, b"case.py", good),
        (FILE, b"good.py", good),
        (LINK, b"link.py", link),
        (LINK, b"link-abs", repo.blob(b"/etc/shadow")),
        (LINK, b"link-out", repo.blob(b"../../etc/shadow")),
        (LINK, b"link-root", repo.blob(b"..")),
        (LINK, b"link-odd", repo.blob(b"good.py\n")),
        (LINK, b"link-gone", repo.blob(b"nothing")),
        (LINK, b"link-bad", repo.blob(b"-rf")),
        (LINK, b"link-loop", repo.blob(b"link-loop")),
        (LINK, b"link-link", repo.blob(b"./link.py")),
        (LINK, b"link-folder", repo.blob(b"../tools")),
        (FILE, b"not-utf8-\xff", good),
        (SUBMODULE, b"sub", "a" * 40),
        (FILE, "right\u202eleft".encode(), good),
        (PROGRAM, b"run.sh", good),
    ]
    # git's own fsck wants them sorted.
    fetched = take(store, repo, repo.commit_entries(sorted(entries, key=lambda one: one[1])))
    found = problems(fetched.entries)
    assert sorted(ok(fetched.entries)) == ["tools/good.py", "tools/link-link", "tools/link.py", "tools/run.sh"]
    assert len(fetched.entries) == len(entries)
    for path, word in {
        "tools/-rf": "dash",
        "tools/a\nb": "control",
        "tools/bell\x07": "control",
        "tools/CASE.py": "case",
        "tools/case.py": "case",
        "tools/caf\u00e9.py": "form",
        "tools/link-abs": "out of the tree",
        "tools/link-out": "out of the tree",
        "tools/link-odd": "out of the tree",
        "tools/link-gone": "not in the folders",
        "tools/link-bad": "not taken",
        "tools/link-loop": "times over",
        "tools/link-folder": "to a folder",
        "tools/not-utf8-\\xff": "UTF-8",
        "tools/sub": "submodule",
        "tools/right\u202eleft": "control",
    }.items():
        assert word in found[path], path
    assert [one.path for one in fetched.entries if one.executable] == ["tools/run.sh"]


@pytest.mark.parametrize("name", [b"..", b".", b".git", b"a/../../b", b""])
def test_paths_out_of_the_tree_are_refused_by_git_already(repo: Repo, store: GitStore, name: bytes) -> None:
    commit = repo.commit_entries([(FILE, name, repo.blob(b"x"))])
    with pytest.raises(SourceError) as error:
        take(store, repo, commit)
    assert error.value.fix
    assert error.value.what.isprintable()


@pytest.mark.parametrize("name", [b"..", b".git", b"x/../../b", b"/etc/passwd"])
def test_and_by_us_where_they_are_in_the_store(store: GitStore, name: bytes) -> None:
    inside = Repo(store.path.with_name("inside.git"))
    commit = inside.commit_entries([(FILE, name, inside.blob(b"x"))])
    entries = list_tree(GitStore(inside.path), commit, ("tools",), seconds=10)
    assert ok(entries) == []


def test_a_folder_beside_its_twin_in_another_case(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({"tools/A/x": b"1", "tools/a/y": b"2", "tools/b/z": b"3"})
    assert ok(take(store, repo, commit).entries) == ["tools/b/z"]


@pytest.mark.parametrize("how", ["many blobs", "one blob of many names", "one blob behind many links"])
def test_a_small_pack_that_would_become_gigabytes_is_refused(
    repo: Repo, store: GitStore, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("toolkit.sources.git.MOST_BYTES", 10 << 20)
    blobs = [repo.blob(b"%d" % (number if how == "many blobs" else 0) + bytes(3 << 20)) for number in range(4)]
    link = repo.blob(b"0.py")
    mode = LINK if how == "one blob behind many links" else FILE
    entries = [(mode if at else FILE, b"%d.py" % at, link if at and mode is LINK else blobs[at]) for at in range(4)]
    with pytest.raises(SourceError, match="12 MiB, and those of a source of tools have at most 10 MiB"):
        take(store, repo, repo.commit_entries(entries))
    fetched = take(store, repo, repo.commit_entries(entries[:3]))
    assert len(ok(fetched.entries)) == 3


def test_a_folder_that_is_a_link_or_missing_gives_nothing(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({"tools": "src", "src/a.py": b"x"})
    entries = take(store, repo, commit).entries
    assert list(problems(entries)) == ["tools"]
    assert list_tree(store, commit, ("man",), seconds=10) == ()


def test_pathspec_magic_is_a_name(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({"tools/a": b"x", "secret/b": b"y"})
    fetch_commits(store, (Place(url=repo.url, commit=commit),), seconds=10)
    assert list_tree(store, commit, (":(top)secret", ":/", "*"), seconds=10) == ()


def test_lfs_pointers_are_noted(repo: Repo, store: GitStore) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    fetched = take(store, repo, repo.commit({"tools/big.bt": pointer}))
    (blob,) = read_here(store, [entry.blob for entry in fetched.entries])
    assert "LFS" in blob.problem
    assert blob.data == b""


# --- Sizes ------------------------------------------------------------------------------------------------------------


def write_loose(repo: Repo, name: str, kind: bytes, size: int) -> None:
    """Put an object of zeros under a name that was computed elsewhere, without holding it in memory."""
    packer = zlib.compressobj(1)
    path = repo.path / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(packer.compress(kind + b" %d\0" % size))
        for _ in range(size >> 20):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())


def test_a_huge_blob_that_compresses_well_is_never_inflated_into_memory(repo: Repo, store: GitStore) -> None:
    bomb = _name_of_zeros(512 << 20)
    write_loose(repo, bomb, b"blob", 512 << 20)
    commit = repo.commit_entries([(FILE, b"bomb", bomb), (FILE, b"good", repo.blob(b"good"))])
    with serve_http(repo.path.parent) as (base, _):  # a server of its own: our bounds are not for it
        place = Place(url=f"{base}/{repo.path.name}", commit=commit)
        fetched = fetch_folders(store, place, ("",), seconds=60, limits=GitLimits(memory_bytes=256 << 20))
    found = {blob.id: blob for blob in read_here(store, [entry.blob for entry in fetched.entries])}
    assert "512.0 MiB" in found[bomb].problem
    assert sorted(blob.data for blob in found.values()) == [b"", b"good"]


def _name_of_zeros(size: int) -> str:
    import hashlib

    digest = hashlib.sha1(b"blob %d\0" % size)
    for _ in range(size >> 20):
        digest.update(bytes(1 << 20))
    return digest.hexdigest()


def test_a_large_file_that_does_not_compress_ends_the_fetch(repo: Repo, store: GitStore) -> None:
    import random

    commit = repo.commit({"tools/big": random.Random(1).randbytes(8 << 20), "tools/good": b"good"})
    with pytest.raises(SourceError, match=r"cannot fetch the files.*too large") as error:
        take(store, repo, commit, limits=GitLimits(file_bytes=1 << 20))
    assert "large files" in error.value.fix
    assert not [path for path in store.path.rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]
    assert not list(store.path.rglob("tmp_*"))


def test_a_tree_that_is_too_large_for_memory(repo: Repo, store: GitStore) -> None:
    name = "0123456789012345678901234567890123456789"
    write_loose(repo, name, b"tree", 300 << 20)
    commit = repo.commit({"tools/a": b"x"})
    raw = f"tree {name}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nx\n".encode()
    commit = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=raw)
    repo.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError) as error:
        take(store, repo, commit, limits=GitLimits(memory_bytes=128 << 20))
    assert error.value.fix


def test_a_tree_that_folds_into_millions_of_files(repo: Repo, store: GitStore) -> None:
    tree = repo.tree([(FILE, b"%d" % number, repo.blob(b"x")) for number in range(10)])
    for _ in range(7):
        tree = repo.tree([(FOLDER, b"%d" % number, tree) for number in range(10)])
    commit = repo.commit_tree(repo.tree([(FOLDER, b"tools", tree)]))
    with pytest.raises(SourceError, match="more than"):  # and not that its time was over
        take(store, repo, commit)


def test_a_hundred_thousand_files_are_listed_and_one_more_is_not(repo: Repo, store: GitStore) -> None:
    one = repo.blob(b"x")
    tree = repo.tree([(FILE, b"%06d" % number, one) for number in range(100_000)])
    fetched = take(store, repo, repo.commit_tree(repo.tree([(FOLDER, b"tools", tree)])))
    assert len(fetched.entries) == 100_000
    tree = repo.tree([(FILE, b"%06d" % number, one) for number in range(100_001)])
    with pytest.raises(SourceError, match="more than 100,000 files"):
        take(store, repo, repo.commit_tree(repo.tree([(FOLDER, b"tools", tree)])))


# --- Histories that are not whole -------------------------------------------------------------------------------------


def remove(repo: Repo, name: str) -> None:
    (repo.path / "objects" / name[:2] / name[2:]).unlink()


def test_a_server_that_lacks_a_wanted_blob(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({"tools/a": b"here", "tools/b": b"lost", "src/c": b"also lost"})
    remove(repo, repo.git("rev-parse", f"{commit}:src/c"))
    assert take(store, repo, commit).entries  # what nobody wants may be missing
    other = open_store(store.path.with_name("other.git"))
    remove(repo, repo.git("rev-parse", f"{commit}:tools/b"))
    with pytest.raises(SourceError, match="cannot fetch the files of commit") as error:
        take(other, repo, commit)
    assert error.value.fix


def test_a_server_that_lacks_a_tree_or_holds_a_damaged_one(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({"tools/a": b"here"})
    tree = repo.git("rev-parse", f"{commit}:tools")
    remove(repo, tree)
    with pytest.raises(SourceError, match="cannot fetch commit"):
        take(store, repo, commit)
    (repo.path / "objects" / tree[:2] / tree[2:]).write_bytes(b"not zlib at all")
    with pytest.raises(SourceError, match="cannot fetch commit"):
        take(store, repo, commit)


def test_history_that_was_rewritten(repo: Repo, store: GitStore) -> None:
    old = repo.commit({"tools/a": b"old"})
    fetched = take(store, repo, old)
    new = repo.commit({"tools/a": b"new"})
    repo.git("reflog", "expire", "--all", "--expire=now")
    repo.git("prune", "--expire=now")
    assert take(store, repo, old) == Taken(entries=fetched.entries, received=0)
    assert take(store, repo, new).received > 0
    other = open_store(store.path.with_name("other.git"))
    place = Place(url=repo.url, commit=old, ref="refs/heads/main")
    with pytest.raises(SourceError, match="history was rewritten") as error:
        fetch_folders(other, place, ("tools",), seconds=20)
    assert "pin" in error.value.fix
    with pytest.raises(SourceError, match="not our ref"):
        fetch_folders(other, Place(url=repo.url, commit=old), ("tools",), seconds=20)


def test_a_tag_of_something_that_is_no_commit(repo: Repo, store: GitStore) -> None:
    tree = repo.tree([(FILE, b"a", repo.blob(b"x"))])
    repo.git("update-ref", "refs/tags/v1.0", tree)
    with pytest.raises(SourceError, match="not a commit"):
        take(store, repo, list_refs(repo.url, seconds=10).tags["v1.0"])


# --- Servers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["git", "http"])
def test_a_server_that_accepts_and_says_nothing(store: GitStore, scheme: str) -> None:
    with serve_silence() as port:
        url = f"{scheme}://127.0.0.1:{port}/x.git"
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"127\.0\.0\.1.*did not end within 0\.4 s") as error:
            list_refs(url, seconds=0.4)
        with pytest.raises(SourceError, match="did not end within"):
            fetch_commits(store, (Place(url=url, commit="a" * 40),), seconds=0.4)
        assert time.monotonic() - start < 30
        assert "proxy" in error.value.fix


def answer_once(answer: bytes) -> int:
    """The port of a server that gives each connection the same bytes and closes it."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(4)

    def serve() -> None:
        for _ in range(4):
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 1000,
        b"ffff",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello",
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
            b"Content-Length: 9999\r\n\r\n001e"
        ),
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("scheme", ["git", "http"])
def test_servers_that_talk_nonsense(answer: bytes, scheme: str) -> None:
    user = "user:hunter2@" if scheme == "http" else ""  # the git protocol knows no users
    with pytest.raises(SourceError) as error:
        list_refs(f"{scheme}://{user}127.0.0.1:{answer_once(answer)}/x.git", seconds=5)
    assert error.value.fix
    assert error.value.what.isprintable()
    assert "hunter2" not in error.value.what


def test_a_pack_that_is_cut_short(repo: Repo, store: GitStore, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repo.commit({"tools/a": bytes(range(256)) * 100})
    whole = subprocess.run

    def cut(argv: list[str], **rest: object) -> object:
        done: subprocess.CompletedProcess[bytes] = whole(argv, **rest)  # type: ignore[call-overload]
        if argv[:2] == ["git", "http-backend"] and b"PACK" in done.stdout:
            done.stdout = done.stdout[: done.stdout.index(b"PACK") + 60]
        return done

    monkeypatch.setattr("tests.support.git_repos.subprocess.run", cut)
    with serve_http(repo.path.parent) as (base, _), pytest.raises(SourceError, match="cannot fetch") as error:
        fetch_commits(store, (Place(url=f"{base}/up.git", commit=commit),), seconds=10)
    assert error.value.fix
    assert not list(store.path.rglob("tmp_*"))
