"""Fetching from real git servers: by file, http, git and ssh, new ones and old ones, and what it costs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.git_repos import Repo, fake_ssh, fetch_folders, need_git, read_here, serve_daemon, serve_http
from toolkit.errors import SettingsError, SourceError
from toolkit.sources.git import Place, Wish, fetch_blobs, fetch_commits, fetch_files, find_commits, list_files
from toolkit.sources.git_blobs import Blob, find_sizes, read_blobs
from toolkit.sources.git_refs import find_default, list_refs, read_refs
from toolkit.sources.git_store import CONFIG, GitStore, discard_store, open_store

need_git()
BIG = bytes(range(256)) * 4000  # 1 MB that no tool folder holds
FILES: dict[str, bytes | str] = {
    "tools/runqlat.py": b"#!/usr/bin/env python\nprint('runqlat')\n",
    "tools/lib/ucalls_example.txt": b"an example\n",
    "tools/javacalls_example.txt": "lib/ucalls_example.txt",
    "man/man8/runqlat.8": b".TH runqlat 8\n",
    "src/big.bin": BIG,
    "README": b"read me\n",
}
FOLDERS = ("tools", "man")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "served" / "up.git")


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    return open_store(tmp_path / "state" / "sources" / "up.git")


def take(store: GitStore, url: str, commit: str, ref: str = "", *, seconds: float = 20) -> dict[str, bytes]:
    """Everything that the tool folders hold, by path."""
    fetched = fetch_folders(store, Place(url=url, commit=commit, ref=ref), FOLDERS, seconds=seconds)
    blobs = {blob.id: blob.data for blob in read_here(store, [one.blob for one in fetched.entries if not one.problem])}
    return {one.path: blobs[one.blob] for one in fetched.entries if not one.problem}


WANTED = {
    "man/man8/runqlat.8": b".TH runqlat 8\n",
    "tools/javacalls_example.txt": b"an example\n",
    "tools/lib/ucalls_example.txt": b"an example\n",
    "tools/runqlat.py": b"#!/usr/bin/env python\nprint('runqlat')\n",
}


# --- Refs -------------------------------------------------------------------------------------------------------------


def test_refs_are_branches_and_peeled_tags(repo: Repo) -> None:
    commit = repo.commit(FILES)
    repo.git("tag", "v0.1.0", commit)
    repo.git("tag", "-a", "-m", "a release", "v0.2.0", commit)
    repo.git("update-ref", "refs/pull/1/head", commit)
    refs = list_refs(repo.url, seconds=10)
    assert refs.heads == {"main": commit}
    assert refs.tags == {"v0.1.0": commit, "v0.2.0": commit}
    assert refs.skipped == ()
    assert list_refs(str(repo.path), seconds=10) == refs


def test_hostile_ref_names_are_left_out_and_noted(repo: Repo) -> None:
    commit = repo.commit(FILES)
    for name in ("--upload-pack=touch", "-rf", "ok/$(id)", "ünïcode"):
        path = repo.path / "refs" / "heads" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(commit + "\n")
    refs = list_refs(repo.url, seconds=10)
    assert refs.heads == {"main": commit}
    assert len(refs.skipped) == 4
    assert any("--upload-pack" in note for note in refs.skipped)
    assert all(note.isprintable() for note in refs.skipped)


def test_a_listing_with_anything_in_it_is_read() -> None:
    good = b"a" * 40 + b"\trefs/heads/main\n"
    listing = good + b"nonsense\n\x1b[31m\n" + b"b" * 40 + b"\trefs/heads/\xff\n" + b"c" * 40 + b"\trefs/tags/v1^{}\n"
    refs = read_refs(listing, "https://host/x")
    assert refs.heads == {"main": "a" * 40}
    assert refs.tags == {}
    assert len(refs.skipped) == 3
    many = b"".join(b"a" * 40 + b"\trefs/heads/-%d\n" % number for number in range(100))
    assert read_refs(many, "x").skipped[-1] == "and 80 more"
    with pytest.raises(SourceError, match="SHA-256"):
        read_refs(b"a" * 64 + b"\trefs/heads/main\n", "x")


def test_the_default_branch_is_the_only_one_or_what_head_names(repo: Repo) -> None:
    commit = repo.commit(FILES)
    assert find_default(repo.url, list_refs(repo.url, seconds=10), seconds=0) == "main"
    repo.git("update-ref", "refs/heads/other", commit)
    assert find_default(repo.url, list_refs(repo.url, seconds=10), seconds=10) == "main"
    repo.git("symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(SourceError, match="no default branch") as error:
        find_default(repo.url, list_refs(repo.url, seconds=10), seconds=10)
    assert "main, other" in error.value.fix


def test_an_empty_repository_is_no_source(repo: Repo) -> None:
    with pytest.raises(SourceError, match="no branch and no tag"):
        list_refs(repo.url, seconds=10)


# --- Fetching ---------------------------------------------------------------------------------------------------------


def test_only_the_wanted_files_come_and_nothing_comes_twice(repo: Repo, store: GitStore) -> None:
    commit = repo.commit(FILES)
    place = Place(url=repo.url, commit=commit)
    first = fetch_folders(store, place, FOLDERS, seconds=20)
    assert 0 < first.received < 3000
    assert take(store, repo.url, commit) == WANTED
    assert [one.link for one in first.entries if one.link] == ["tools/lib/ucalls_example.txt"]
    shutil.rmtree(repo.path)  # what is there needs no server
    assert fetch_folders(store, place, FOLDERS, seconds=20).received == 0
    assert take(store, repo.url, commit) == WANTED


def test_what_is_not_chosen_costs_nothing(repo: Repo, store: GitStore) -> None:
    commit = repo.commit({**FILES, "tools/decoy": BIG, "tools/decoy.py": "decoy", "tools/linked.txt": "../man/l.txt"})
    place = Place(url=repo.url, commit=commit)
    listed = list_files(store, (place,), ("tools", "man"), seconds=20)
    assert "tools/decoy" in [one.path for one in listed.entries[0]]
    chosen = ("tools/javacalls_example.txt", "tools/runqlat.py")
    wish = Wish(listed=listed.entries[0], paths=chosen)
    fetched = fetch_files(store, (place,), (wish,), seconds=20, fresh=listed.fresh)
    assert [(one.path, one.link) for one in fetched.entries[0]] == [
        (chosen[0], "tools/lib/ucalls_example.txt"),
        (chosen[1], ""),
    ]
    here = {path: repo.git("rev-parse", f"{commit}:{path}") for path in FILES}
    sizes = find_sizes(store, here.values())
    assert {path for path, blob in here.items() if sizes[blob] is not None} == {*chosen, "tools/lib/ucalls_example.txt"}
    assert listed.received + fetched.received < 3000


def test_a_link_to_links_is_followed_to_what_was_not_chosen(repo: Repo, store: GitStore) -> None:
    hops: dict[str, bytes | str] = {f"tools/{number}": f"{number + 1}" for number in range(8)}
    commit = repo.commit(
        {**hops, "tools/8": b"the end\n", "tools/a": "0", "tools/loop": "loop", "tools/out": "../../x"}
    )
    place = Place(url=repo.url, commit=commit)
    listed = list_files(store, (place,), ("tools",), seconds=20)
    wish = Wish(listed=listed.entries[0], paths=("tools/0", "tools/a", "tools/loop", "tools/out"))
    fetched = fetch_files(store, (place,), (wish,), seconds=20)
    found = {one.path: one for one in fetched.entries[0]}
    assert (found["tools/0"].link, found["tools/0"].problem) == ("tools/8", "")
    assert fetched.blobs[found["tools/0"].blob].data == b"the end\n"
    assert all("times over" in found[path].problem for path in ("tools/a", "tools/loop"))
    assert "out of the tree" in found["tools/out"].problem


def test_a_new_commit_brings_only_what_is_new(repo: Repo, store: GitStore) -> None:
    first = repo.commit(FILES)
    take(store, repo.url, first)
    second = repo.commit({**FILES, "README": b"another\n"}, parent=first)
    before = len(list(store.packs.glob("*.pack")))
    assert take(store, repo.url, second) == WANTED
    assert len(list(store.packs.glob("*.pack"))) == before + 1
    assert take(store, repo.url, first) == WANTED


def test_nothing_that_git_does_there_changes_the_stores_configuration(repo: Repo, store: GitStore) -> None:
    take(store, repo.url, repo.commit(FILES))
    assert (store.path / "config").read_bytes() == CONFIG
    assert not list(store.path.glob("refs/*/*"))
    assert not (store.path / "hooks").exists()
    assert not (store.path / "FETCH_HEAD").exists()


def test_reading_never_asks_the_network(repo: Repo, store: GitStore) -> None:
    commit = repo.commit(FILES)
    fetch_commits(store, (Place(url=repo.url, commit=commit),), seconds=20)
    big = repo.git("rev-parse", f"{commit}:src/big.bin")
    assert find_sizes(store, [big]) == {big: None}
    with pytest.raises(SourceError, match="is not what its name says") as error:
        list(read_blobs(store, {big: len(BIG)}))
    assert error.value.damaged


def test_a_server_without_filters_sends_a_shallow_commit(repo: Repo, store: GitStore) -> None:
    repo.git("config", "uploadpack.allowFilter", "false")
    old = repo.commit({"old": b"old" * 1000})
    commit = repo.commit(FILES, parent=old)
    assert take(store, repo.url, commit) == WANTED
    assert not find_commits(store, [old])


@pytest.mark.parametrize("protocol", ["file", "http", "git", "ssh"])
def test_no_protocol_needs_filters_or_objects_by_id(
    repo: Repo, store: GitStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    repo.git("config", "uploadpack.allowFilter", "false")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "false")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(fake_ssh(tmp_path)))
    old = repo.commit(FILES)
    commit = repo.commit({**FILES, "README": b"newer\n"}, parent=old)
    with serve_http(repo.path.parent) as (http, _), serve_daemon(repo.path.parent) as daemon:
        urls = {
            "file": repo.url,
            "http": f"{http}/up.git",
            "git": f"{daemon}/up.git",
            "ssh": f"deploy@host:{repo.path}",
        }
        assert list_refs(urls[protocol], seconds=10).heads == {"main": commit}
        assert take(store, urls[protocol], commit, "refs/heads/main") == WANTED
        assert take(store, urls[protocol], old, "refs/heads/main") == WANTED


@pytest.mark.parametrize("speaks_v2", [True, False], ids=["v2", "v0"])
def test_over_http(repo: Repo, store: GitStore, *, speaks_v2: bool) -> None:
    commit = repo.commit(FILES)
    with serve_http(repo.path.parent, speaks_v2=speaks_v2) as (url, _):
        assert list_refs(f"{url}/up.git", seconds=10).heads == {"main": commit}
        assert take(store, f"{url}/up.git", commit) == WANTED


def test_an_old_server_that_gives_out_only_its_refs(repo: Repo, store: GitStore) -> None:
    repo.git("config", "uploadpack.allowFilter", "false")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "false")
    pinned = repo.commit(FILES)
    repo.git("tag", "v1.0", pinned)
    tip = repo.commit({"README": b"empty now\n"}, parent=pinned)
    with serve_http(repo.path.parent, speaks_v2=False) as (base, _):
        url = f"{base}/up.git"
        with pytest.raises(SourceError, match=r"unadvertised|not our ref"):
            take(open_store(store.path.with_name("a.git")), url, tip[:39] + "0")
        assert take(store, url, pinned, "refs/heads/main") == WANTED  # by the history of the branch
        assert take(open_store(store.path.with_name("b.git")), url, pinned, "refs/tags/v1.0") == WANTED


def test_a_server_that_gives_out_no_blob_sends_the_commit(repo: Repo, store: GitStore) -> None:
    repo.git("config", "uploadpack.allowAnySHA1InWant", "false")
    commit = repo.commit(FILES)
    with serve_http(repo.path.parent, speaks_v2=False) as (base, _):
        assert take(store, f"{base}/up.git", commit, "refs/heads/main") == WANTED


def test_over_git_daemon(repo: Repo, store: GitStore) -> None:
    commit = repo.commit(FILES)
    with serve_daemon(repo.path.parent) as url:
        assert take(store, f"{url}/up.git", commit) == WANTED
        with pytest.raises(SourceError, match=r"other\.git") as error:
            list_refs(f"{url}/other.git", seconds=10)
        assert "url" in error.value.fix


@pytest.mark.parametrize("form", ["deploy@host:{}", "ssh://deploy@host:2222{}"])
def test_over_ssh(repo: Repo, store: GitStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    commit = repo.commit(FILES)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(fake_ssh(tmp_path)))
    assert take(store, form.format(repo.path), commit) == WANTED
    assert "deploy@host" in (tmp_path / "ssh-calls").read_text()


def test_through_a_proxy(repo: Repo, store: GitStore, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repo.commit(FILES)
    with serve_http(repo.path.parent) as (proxy, requests):
        monkeypatch.setenv("http_proxy", proxy)
        assert take(store, "http://forge.invalid/up.git", commit) == WANTED
    assert all(request.startswith("http://forge.invalid/") for request in requests)


# --- The store --------------------------------------------------------------------------------------------------------


def break_config(store: GitStore) -> None:
    (store.path / "config").write_text("[core]\n\tbare = true\n\tsshCommand = touch /tmp/x\n")


def break_packs(store: GitStore) -> None:
    for pack in store.packs.glob("*.pack"):
        pack.unlink()


def break_all(store: GitStore) -> None:
    shutil.rmtree(store.path)
    store.path.write_text("a file")


def break_objects(store: GitStore) -> None:
    shutil.rmtree(store.path / "objects")


def make_it_a_link(store: GitStore) -> None:
    shutil.rmtree(store.path)
    store.path.symlink_to("/etc")


@pytest.mark.parametrize("spoil", [break_config, break_packs, break_all, break_objects, make_it_a_link])
def test_a_broken_store_is_made_anew(repo: Repo, store: GitStore, spoil: Callable[[GitStore], None]) -> None:
    commit = repo.commit(FILES)
    take(store, repo.url, commit)
    spoil(store)
    assert take(open_store(store.path), repo.url, commit) == WANTED
    assert [one.name for one in store.path.parent.iterdir()] == ["up.git"]
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_pack_is_seen_and_fetched_again(repo: Repo, store: GitStore, number: int) -> None:
    commit = repo.commit(FILES)
    take(store, repo.url, commit)
    pack = sorted(store.packs.glob("*.pack"), key=lambda path: path.stat().st_size)[number]
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[12:-20] = bytes(255 - byte for byte in data[12:-20])
    pack.write_bytes(data)
    try:
        assert take(open_store(store.path), repo.url, commit) == WANTED
    except SourceError as error:
        assert error.damaged  # noqa: PT017
        discard_store(store)
        assert take(open_store(store.path), repo.url, commit) == WANTED


def test_what_a_killed_git_left_does_not_stop_the_next(repo: Repo, store: GitStore) -> None:
    commit = repo.commit(FILES)
    for name in ("shallow.lock", "config.lock", "objects/pack/tmp_pack_abc"):
        (store.path / name).write_text("")
    assert take(open_store(store.path), repo.url, commit) == WANTED
    assert not list(store.path.glob("**/tmp_*"))


def test_a_worn_store_is_made_anew(repo: Repo, store: GitStore, monkeypatch: pytest.MonkeyPatch) -> None:
    take(store, repo.url, repo.commit(FILES))
    monkeypatch.setattr("toolkit.sources.git_store.MOST_PACKS", 1)
    assert not list(open_store(store.path).packs.iterdir())


# --- Errors say what and what to do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said", "fix"),
    [
        ("http://u:hunter2@127.0.0.1:1/x", "connect", "server is up"),
        ("git://127.0.0.1:1/x", "onnect", "server is up"),
        ("file:///nonexistent/x.git", "/nonexistent/x.git", "url"),
        ("http://host.invalid/x", "resolve host", "DNS"),
    ],
)
def test_a_server_that_is_not_there(url: str, said: str, fix: str) -> None:
    with pytest.raises(SourceError, match=said) as error:
        list_refs(url, seconds=10)
    assert fix in error.value.fix
    assert "hunter2" not in error.value.what


def test_a_url_that_starts_programs_never_reaches_git(store: GitStore) -> None:
    for url in ("ext::sh -c 'touch /tmp/x'", "--upload-pack=touch /tmp/x"):
        with pytest.raises(SettingsError):
            list_refs(url, seconds=10)
        with pytest.raises(SettingsError):
            fetch_commits(store, (Place(url=url, commit="a" * 40),), seconds=10)


def test_a_repository_that_vanished(repo: Repo, store: GitStore) -> None:
    commit = repo.commit(FILES)
    take(store, repo.url, commit)
    shutil.rmtree(repo.path)
    with pytest.raises(SourceError, match="cannot fetch commit bbbbbbbbbbbb from file://"):
        take(store, repo.url, "b" * 40)
    assert take(store, repo.url, commit) == WANTED


def test_a_page_that_is_no_repository(tmp_path: Path) -> None:
    with serve_http(tmp_path) as (url, _), pytest.raises(SourceError, match="not found") as error:
        list_refs(f"{url}/nothing.git", seconds=10)
    assert "url" in error.value.fix


def test_blobs_are_read_once_and_in_order(repo: Repo, store: GitStore) -> None:
    ids = [repo.blob(data) for data in (b"one", b"", b"two\n\nblob 3\n", b"\0\xff")]
    commit = repo.commit(
        {f"tools/{number}": data for number, data in enumerate((b"one", b"", b"two\n\nblob 3\n", b"\0\xff"))}
    )
    place = Place(url=repo.url, commit=commit)
    fetch_commits(store, (place,), seconds=10)
    assert fetch_blobs(store, (place,), [*ids, *ids], seconds=10).received > 0
    assert fetch_blobs(store, (place,), ids, seconds=10).received == 0
    assert [blob.data for blob in read_here(store, [*ids, ids[0]])] == [b"one", b"", b"two\n\nblob 3\n", b"\0\xff"]
    assert list(read_here(store, [])) == []
    assert list(read_here(store, [ids[0]], largest=2)) == [
        Blob(id=ids[0], problem="it has 0.0 KiB, and a file of a tool has at most 0.0 KiB")
    ]
