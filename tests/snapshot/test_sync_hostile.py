"""A source that means harm or is broken, beside one that is well: the other goes on, and what was held stays."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import WarmUp
from tests.snapshot.test_sync import run_sync
from tests.support.git_repos import FILE, FOLDER, LINK, SUBMODULE, Entry, Repo, need_git, serve_silence
from toolkit.model import Source
from toolkit.paths import Paths
from toolkit.snapshot.index import load_index
from toolkit.snapshot.layout import Snapshot
from toolkit.snapshot.store import read_current, read_snapshot
from toolkit.snapshot.sync import SyncReport

need_git()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"


def script(number: int) -> bytes:
    return b"// tool %d\ntracepoint:sched:sched_switch { @ = count(); }\n" % number


@dataclass
class Hosts:
    """A host that holds two sources, of which one is then spoilt and the other has something new."""

    paths: Paths
    good: Repo
    bad: Repo
    before: Snapshot

    def sync(self, url: str = "", seconds: float = 60.0) -> SyncReport:
        bad = Source(name="bad", summary="x", url=url or self.bad.url, revisions=("latest",))
        good = Source(name="good", summary="x", url=self.good.url, revisions=("latest",))
        return run_sync(self.paths, bad, good, seconds=seconds)

    def read(self, source: str) -> dict[str, bytes]:
        """The files of a source in the current snapshot, each held against its hash."""
        current = read_current(self.paths.snapshots, self.paths.current)
        assert current is not None
        return {
            entry.path: data
            for entry in current.manifest.entries
            if entry.source == source
            and hashlib.sha256(data := (Path(current.path) / entry.file).read_bytes()).hexdigest() == entry.sha256
        }


@pytest.fixture
def hosts(tmp_path: Path, warm_up: WarmUp) -> Hosts:
    paths = Paths(settings=tmp_path / "config.yaml", state=warm_up(tmp_path / "state"))
    hosts = Hosts(paths, Repo(tmp_path / "good.git"), Repo(tmp_path / "bad.git"), before=None)  # type: ignore[arg-type]
    hosts.good.commit({"cpu/fine.bt": script(1)})
    hosts.bad.commit({"disk/slowio.bt": script(1)})
    assert not hosts.sync().failed
    current = read_current(paths.snapshots, paths.current)
    assert current is not None
    hosts.before = current
    hosts.good.commit({"cpu/fine.bt": script(2)})
    return hosts


def commit_disk(repo: Repo, entries: list[Entry]) -> None:
    """A commit whose folder disk has these entries and a tool that is well."""
    every = [*entries, (FILE, b"slowio.bt", repo.blob(script(2)))]
    repo.commit_entries(sorted(every, key=lambda one: one[1]), folder=b"disk")


# --- Refused in part: the rest is taken, and each refusal is noted ----------------------------------------------------


def bad_names(repo: Repo) -> None:
    blob = repo.blob(script(3))
    names = (b"-rf", b"a\nb.bt", b"bell\x07.bt", b"not-utf8-\xff.bt", b"CASE.bt", b"case.bt", b"-rf.bt")
    commit_disk(repo, [(FILE, name, blob) for name in names])


def links_out(repo: Repo) -> None:
    targets = {b"absolute.bt": b"/etc/shadow", b"out.bt": b"../../../etc/shadow", b"gone.bt": b"nothing"}
    commit_disk(repo, [(LINK, name, repo.blob(target)) for name, target in targets.items()])


def a_submodule(repo: Repo) -> None:
    commit_disk(repo, [(SUBMODULE, b"sub", "a" * 40)])


def an_lfs_pointer(repo: Repo) -> None:
    commit_disk(repo, [(FILE, b"big.bt", repo.blob(LFS))])


def a_large_tool(repo: Repo) -> None:
    commit_disk(repo, [(FILE, b"large.bt", repo.blob(bytes(5 << 20)))])


def a_branch_that_is_an_option(repo: Repo) -> None:
    commit_disk(repo, [])
    commit = repo.git("rev-parse", "refs/heads/main")
    for name in ("--upload-pack=touch mark", "-rf", "a$(touch mark)"):
        (repo.path / "refs" / "heads" / name).write_text(f"{commit}\n")


@pytest.mark.parametrize(
    ("spoil", "notes"),
    [
        (bad_names, ("-rf", "UTF-8", "control", "only in case")),
        (links_out, ("absolute.bt.*out of the tree", "out.bt.*out of the tree", "gone.bt")),
        (a_submodule, ("disk/sub.*submodule",)),
        (an_lfs_pointer, ("big.bt.*LFS",)),
        (a_large_tool, ("large.bt.*5.0 MiB",)),
        (a_branch_that_is_an_option, ("--upload-pack=touch",)),
    ],
)
def test_what_cannot_be_taken_is_noted_and_the_rest_is_taken(
    hosts: Hosts, spoil: Callable[[Repo], None], notes: tuple[str, ...]
) -> None:
    spoil(hosts.bad)
    report = hosts.sync()
    assert not report.failed
    told = "\n".join(report.sources[0].notes)
    assert [note for note in notes if not re.search(note, told)] == []
    assert all(line.isprintable() for line in report.sources[0].notes)
    assert hosts.read("bad") == {"disk/slowio.bt": script(2)}
    assert hosts.read("good") == {"cpu/fine.bt": script(2)}
    assert not list(hosts.paths.state.parent.rglob("mark"))


def test_a_text_that_is_no_text_becomes_a_tool_with_a_problem_and_no_crash(hosts: Hosts) -> None:
    commit_disk(hosts.bad, [(FILE, b"noise.bt", hosts.bad.blob(bytes(range(256)) * 20))])
    assert not hosts.sync().failed
    assert {"noise", "slowio", "fine"} <= {one.found.stem for one in load_index(hosts.paths).variants}


def test_what_no_rule_chooses_costs_only_its_name(hosts: Hosts) -> None:
    one = hosts.bad.blob(b"x")
    never_made = hashlib.sha1(b"2 GB that the server would have to send", usedforsecurity=False).hexdigest()
    entries = [(FILE, b"%05d.dat" % number, one) for number in range(99_998)]
    commit_disk(hosts.bad, [*entries, (FILE, b"huge.bin", never_made)])
    report = hosts.sync()
    assert not report.failed
    assert hosts.read("bad") == {"disk/slowio.bt": script(2)}


# --- Refused as a whole: what was held of it stays --------------------------------------------------------------------


def too_many_files(repo: Repo) -> None:
    blob = repo.blob(b"x")
    commit_disk(repo, [(FILE, b"%06d.dat" % number, blob) for number in range(100_001)])


def too_many_bytes(repo: Repo) -> None:
    repo.git("config", "core.compression", "0")
    commit_disk(repo, [(FILE, b"huge.bt", repo.blob(os.urandom(65 << 20)))])


def endless_folders(repo: Repo) -> None:
    tree = repo.tree([(FILE, b"%d" % number, repo.blob(b"x")) for number in range(10)])
    for _ in range(6):
        tree = repo.tree([(FOLDER, b"%d" % number, tree) for number in range(10)])
    repo.commit_tree(repo.tree([(FOLDER, b"disk", tree)]))


def a_path_out_of_the_tree(repo: Repo) -> None:
    commit_disk(repo, [(FOLDER, b"..", repo.tree([(FILE, b"x.bt", repo.blob(b"x"))]))])


def a_lost_blob(repo: Repo) -> None:
    repo.commit({"disk/slowio.bt": script(3)})
    find_object(repo, "disk/slowio.bt").unlink()


def a_cut_blob(repo: Repo) -> None:
    repo.commit({"disk/slowio.bt": script(3)})
    file = find_object(repo, "disk/slowio.bt")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-10])


def a_lost_tree(repo: Repo) -> None:
    repo.commit({"disk/slowio.bt": script(3)})
    find_object(repo, "disk").unlink()


def gone(repo: Repo) -> None:
    shutil.rmtree(repo.path)


def emptied(repo: Repo) -> None:
    repo.git("update-ref", "-d", "refs/heads/main")


def find_object(repo: Repo, path: str) -> Path:
    name = repo.git("rev-parse", f"main:{path}")
    return repo.path / "objects" / name[:2] / name[2:]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (too_many_files, "more than 100,000 files"),
        (too_many_bytes, "too large|maximum"),
        (endless_folders, "more than 100,000 files|printed more than"),
        (a_path_out_of_the_tree, "fsck error"),
        (a_lost_blob, "bad.git: .*missing|not our ref|bad object|unable to read|does not send"),
        (a_cut_blob, "corrupt|inflate|unable to|could not|bad pack"),
        (a_lost_tree, "cannot fetch commit"),
        (gone, "cannot list"),
        (emptied, "no branch and no tag"),
    ],
)
def test_a_source_that_is_broken_keeps_what_was_held_of_it(
    hosts: Hosts, spoil: Callable[[Repo], None], problem: str
) -> None:
    spoil(hosts.bad)
    check_failure(hosts, hosts.sync(), problem)


def check_failure(hosts: Hosts, report: SyncReport, problem: str) -> None:
    bad, good = report.sources
    assert re.search(problem, bad.problem), bad.problem
    assert bad.problem.isprintable()
    assert bad.fix
    assert not good.problem
    assert hosts.read("bad") == {"disk/slowio.bt": script(1)}
    assert hosts.read("good") == {"cpu/fine.bt": script(2)}
    assert read_snapshot(hosts.paths.snapshots, hosts.before.id) == hosts.before
    for entry in hosts.before.manifest.entries:
        data = (Path(hosts.before.path) / entry.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256


def test_a_server_that_hangs_is_given_up(hosts: Hosts) -> None:
    with serve_silence() as port:
        report = hosts.sync(url=f"git://127.0.0.1:{port}/bad.git", seconds=2.0)
    check_failure(hosts, report, "did not end within 2 s")


@pytest.mark.parametrize("url", ["ext::sh -c touch% mark", "--upload-pack=touch mark", "ext::x", "fd::7", "ftp://x/y"])
def test_a_url_that_starts_something_is_refused(hosts: Hosts, url: str) -> None:
    check_failure(hosts, hosts.sync(url=url), "cannot be a source")
    assert not list(hosts.paths.state.parent.rglob("mark"))


def test_history_that_was_rewritten_is_followed_by_its_branch_and_refused_by_its_commit(hosts: Hosts) -> None:
    old = hosts.bad.git("rev-parse", "refs/heads/main")
    hosts.bad.commit({"disk/slowio.bt": script(7)})  # without a parent
    hosts.bad.git("reflog", "expire", "--all", "--expire=now")
    hosts.bad.git("prune", "--expire=now")
    other = Paths(settings=hosts.paths.settings, state=hosts.paths.state.with_name("other"))
    pinned = Source(name="bad", summary="x", url=hosts.bad.url, revisions=(old,))
    report = run_sync(other, pinned, Source(name="good", summary="x", url=hosts.good.url, revisions=("latest",)))
    assert "not our ref" in report.sources[0].problem
    assert not report.sources[1].problem
    assert not hosts.sync().failed
    assert hosts.read("bad") == {"disk/slowio.bt": script(7)}
