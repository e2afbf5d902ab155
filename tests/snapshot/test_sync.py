"""The sync from end to end, with real repositories: what is new is taken, what fails keeps what was held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.conftest import ROOT, WarmUp
from tests.support.samples import make_facts
from toolkit.config import SourceSettings
from toolkit.errors import SettingsError, SourceError, ToolkitError
from toolkit.lock import Busy, hold_lock
from toolkit.model import Engine, Source, ToolFiles
from toolkit.paths import Paths
from toolkit.snapshot.collect import Collected
from toolkit.snapshot.index import load_index
from toolkit.snapshot.layout import Origin
from toolkit.snapshot.origins import merge_sources, resolve_revisions
from toolkit.snapshot.pins import load_pins
from toolkit.snapshot.progress import Phase, Step
from toolkit.snapshot.store import list_snapshots, read_current
from toolkit.snapshot.sync import Request, SyncReport, sync
from toolkit.snapshot.tree import TreeRules
from toolkit.versions import engine_version

GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
    },
}


class Upstream:
    """A repository of tools that a test changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "uploadpack.allowFilter", "true")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, env=GIT, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, str], tag: str = "") -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        if tag:
            self.git("tag", "-f", tag)
        return self.git("rev-parse", "HEAD")


def script(number: int) -> str:
    head = f"#!/usr/bin/env bpftrace\n/*\n * slowio - number {number}\n */\n"
    return head + "tracepoint:sched:sched_switch { @ = count(); }\n"


@pytest.fixture
def paths(tmp_path: Path, warm_up: WarmUp) -> Paths:
    return Paths(settings=tmp_path / "config.yaml", state=warm_up(tmp_path / "state"))


@pytest.fixture
def acme(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1), "README.md": "ours"})
    return upstream


def own_source(upstream: Upstream, name: str = "acme") -> Source:
    return Source(name=name, summary="Ours", url=f"file://{upstream.path}", revisions=("latest",))


def released_source(upstream: Upstream) -> Source:
    rule = ToolFiles(folder="tools", files="*.bt", engine=Engine.BPFTRACE)
    return Source(
        name="bpftrace",
        summary="Upstream",
        url=f"file://{upstream.path}",
        follows=Engine.BPFTRACE,
        tags="v",
        tools=(rule,),
        examples=("tools/{}_example.txt",),
    )


def find_version(engine: Engine) -> tuple[int, ...]:
    """What a host with everything has."""
    return engine_version(engine, make_facts())


def run_sync(paths: Paths, *sources: Source, **changes: object) -> SyncReport:
    asked = frozenset(one.name for one in sources)
    request = Request(sources=sources, asked=asked, version=find_version, seconds=30.0)
    return sync(paths, msgspec.structs.replace(request, **changes), lambda _: None)


def watch_sync(paths: Paths, *sources: Source) -> list[Step]:
    steps: list[Step] = []
    asked = frozenset(one.name for one in sources)
    sync(paths, Request(sources=sources, asked=asked, version=find_version, seconds=30.0), steps.append)
    return steps


def test_a_companys_repository_becomes_tools(paths: Paths, acme: Upstream) -> None:
    report = run_sync(paths, own_source(acme))
    assert report.difference.new == ("acme/slowio",)
    assert not report.failed
    index = load_index(paths)
    (variant,) = (one for one in index.variants if one.found.source == "acme")
    assert variant.id == "acme/slowio"
    tool = next(one for one in index.tools if one.name == "slowio")
    assert (tool.category, tool.summary, tool.curated) == ("disk", "number 1", False)


def test_what_a_person_may_miss_is_noted(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    acme.commit({"net/slowio.bt": script(2), "net/deeper/other.bt": script(3)})
    (note,) = run_sync(paths, own_source(acme)).sources[0].notes
    assert note == "acme: net/slowio.bt: a name is one tool, and disk/slowio.bt has it"
    empty = Upstream(tmp_path / "empty")
    empty.commit({"tools/disk/slowio.bt": script(1)})
    (note,) = run_sync(paths, own_source(empty, "empty")).sources[0].notes
    assert "empty: no file in it is a tool, such as disk/slowio.bt" in note


def test_nothing_new_makes_no_snapshot(paths: Paths, acme: Upstream) -> None:
    first = run_sync(paths, own_source(acme))
    again = run_sync(paths, own_source(acme))
    assert again.snapshot == again.before == first.snapshot
    assert again.sources[0].received == 0
    assert len(list_snapshots(paths.snapshots)) == 1


def test_what_happens_is_told_in_steps(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    commit = acme.git("rev-parse", "HEAD")[:12]
    first = watch_sync(paths, own_source(acme))
    assert [(one.source, one.phase) for one in first] == [
        ("acme", Phase.ASKING),
        ("acme", Phase.FETCHING),
        ("acme", Phase.FETCHED),
        ("", Phase.BUILDING),
        ("", Phase.SWAPPED_IN),
    ]
    assert first[1].text == f"{commit} (the newest commit)"
    assert first[2].text == commit
    assert first[2].received > 0
    assert [one.phase for one in watch_sync(paths, own_source(acme))] == [Phase.ASKING, Phase.NO_NEWS]
    acme.path.rename(tmp_path / "gone")
    failed = watch_sync(paths, own_source(acme))[-1]
    assert failed.phase is Phase.FAILED
    assert "cannot list the branches and tags" in failed.text


def test_a_password_in_a_url_is_not_told(paths: Paths) -> None:
    source = Source(name="acme", summary="x", url="http://me:secret@127.0.0.1:9/x.git", revisions=("latest",))
    assert all("secret" not in one.text for one in watch_sync(paths, source))


def test_a_file_that_the_disk_lost_is_written_again(paths: Paths, acme: Upstream) -> None:
    run_sync(paths, own_source(acme))
    (variant,) = (one for one in load_index(paths).variants if one.found.source == "acme")
    file, whole = Path(variant.found.path), Path(variant.found.path).read_bytes()
    for damage in (lambda: file.write_bytes(b""), file.unlink):
        damage()
        report = run_sync(paths, own_source(acme))
        assert file.read_bytes() == whole
        assert report.snapshot == report.before


@pytest.mark.parametrize("fails", [True, False], ids=["failed", "not asked"])
def test_a_source_that_stays_loses_nothing_by_a_damaged_file(
    paths: Paths, acme: Upstream, tmp_path: Path, fails: bool
) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    sources = (own_source(acme), own_source(other, "other"))
    run_sync(paths, *sources)
    (variant,) = (one for one in load_index(paths).variants if one.found.source == "acme")
    Path(variant.found.path).write_bytes(b"")
    other.commit({"net/who.bt": script(2)})
    acme.path.rename(tmp_path / "gone")
    report = run_sync(paths, *sources, asked=frozenset({"acme", "other"} if fails else {"other"}))
    assert report.difference.gone == ()
    (variant,) = (one for one in load_index(paths).variants if one.found.source == "acme")
    assert Path(variant.found.path).read_text() == script(1)
    assert report.failed is fails


def test_what_a_crash_left_is_removed_even_when_nothing_is_new(paths: Paths, acme: Upstream) -> None:
    run_sync(paths, own_source(acme))
    (paths.snapshots / ".building-1-dead").mkdir()
    run_sync(paths, own_source(acme))
    assert [path.name for path in paths.snapshots.iterdir() if path.name.startswith(".")] == []


def test_a_change_is_taken_and_told(paths: Paths, acme: Upstream) -> None:
    run_sync(paths, own_source(acme))
    acme.commit({"disk/slowio.bt": script(2), "net/who.bt": script(3)})
    change = run_sync(paths, own_source(acme)).difference
    assert (change.new, change.changed, change.gone) == (("acme/who",), ("acme/slowio",), ())


def test_two_hosts_get_the_same_snapshot(tmp_path: Path, acme: Upstream) -> None:
    hosts = [Paths(settings=tmp_path / "none", state=tmp_path / name) for name in ("one", "two")]
    assert len({run_sync(host, own_source(acme)).snapshot for host in hosts}) == 1


def test_the_engine_gets_the_release_that_fits_it_and_the_newest_is_shown(paths: Paths, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up")
    for tag, number in (("v0.16.0", 16), ("v0.17.0", 17), ("v0.18.0", 18), ("v0.26-rc0", 0), ("v0.26.1", 26)):
        upstream.commit({"tools/slowio.bt": script(number)}, tag)
    report = run_sync(paths, released_source(upstream))
    assert [one.revision for one in report.sources[0].origins] == ["v0.17.0", "v0.26.1"]
    held = {one.found.revision: one for one in load_index(paths).variants if one.found.source == "bpftrace"}
    assert "number 17" in Path(held["v0.17.0"].found.path).read_text()
    assert held["v0.26.1"].found.made_for == "bpftrace>=0.26.1"


def test_what_was_held_stays_where_nobody_knows_what_fits_the_engine(paths: Paths, tmp_path: Path) -> None:
    def fail(engine: Engine) -> tuple[int, ...]:
        raise ToolkitError(f"the version of {engine} is not known")

    upstream = Upstream(tmp_path / "up")
    for tag, number in (("v0.17.0", 17), ("v0.26.1", 26)):
        upstream.commit({"tools/slowio.bt": script(number)}, tag)
    run_sync(paths, released_source(upstream))
    report = run_sync(paths, released_source(upstream), version=fail)
    assert "is not known" in report.sources[0].problem
    assert [one.revision for one in report.sources[0].origins] == ["v0.17.0", "v0.26.1"]


def test_a_tag_that_moved_is_reported_and_not_followed(paths: Paths, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up")
    first = upstream.commit({"tools/slowio.bt": script(1)}, "v0.17.0")
    run_sync(paths, released_source(upstream))
    upstream.commit({"tools/slowio.bt": script(2)}, "v0.17.0")
    report = run_sync(paths, released_source(upstream))
    assert "the tag v0.17.0 moved" in " ".join(report.sources[0].notes)
    assert report.sources[0].origins == (Origin(source="bpftrace", revision="v0.17.0", commit=first),)
    assert report.snapshot == report.before


def test_one_that_fails_keeps_what_was_held_and_the_others_go_on(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    sources = (own_source(acme), own_source(other, "other"))
    run_sync(paths, *sources)
    acme.commit({"disk/slowio.bt": script(2)})
    other.path.rename(tmp_path / "gone")
    report = run_sync(paths, *sources)
    assert report.failed
    assert [bool(one.problem) for one in report.sources] == [False, True]
    current = read_current(paths.snapshots, paths.current)
    assert current is not None
    assert {entry.source for entry in current.manifest.entries} == {"acme", "other"}
    assert report.difference.changed == ("acme/slowio",)


def test_a_source_that_is_not_asked_stays_as_it_is(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    sources = (own_source(acme), own_source(other, "other"))
    run_sync(paths, *sources)
    acme.commit({"disk/slowio.bt": script(2)})
    report = run_sync(paths, *sources, asked=frozenset({"other"}))
    assert report.snapshot == report.before


def test_another_source_in_the_settings_is_no_reason_to_fetch_the_others(
    paths: Paths, acme: Upstream, tmp_path: Path
) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    run_sync(paths, own_source(acme))
    report = run_sync(paths, own_source(acme), own_source(other, "other"))
    assert [(one.source, one.fetched) for one in report.sources] == [("acme", 0), ("other", 1)]


@pytest.mark.parametrize("fails", [True, False], ids=["failed", "not asked"])
def test_rules_that_changed_while_a_source_stayed_are_made_up_for(
    paths: Paths, acme: Upstream, tmp_path: Path, fails: bool
) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    before, rest = own_source(acme), own_source(other, "other")
    run_sync(paths, before, rest)
    after = msgspec.structs.replace(before, hints={"disk": "fs"})  # as a newer toolkit may have it
    broken = msgspec.structs.replace(after, url=f"file://{tmp_path}/gone")
    other.commit({"net/who.bt": script(2)})
    run_sync(paths, broken if fails else after, rest, asked=frozenset({"acme", "other"} if fails else {"other"}))
    assert list_categories(paths) == {"disk", "net"}
    run_sync(paths, after, rest)
    assert list_categories(paths) == {"fs", "net"}


def list_categories(paths: Paths) -> set[str]:
    current = read_current(paths.snapshots, paths.current)
    assert current is not None
    return {entry.category for entry in current.manifest.entries}


def test_nothing_is_left_of_a_source_that_the_settings_name_no_more(
    paths: Paths, acme: Upstream, tmp_path: Path
) -> None:
    other = Upstream(tmp_path / "other")
    other.commit({"net/who.bt": script(1)})
    run_sync(paths, own_source(acme), own_source(other, "other"))
    (paths.sources / ".other.git.1.old.aside").mkdir()
    run_sync(paths, own_source(acme), asked=frozenset())
    assert [path.name for path in paths.sources.iterdir()] == ["acme.git"]


def test_pins_take_exactly_their_commits(paths: Paths, acme: Upstream) -> None:
    first = acme.git("rev-parse", "HEAD")
    acme.commit({"disk/slowio.bt": script(2)})
    pins = {"acme": (Origin(source="acme", revision=first[:12], commit=first),)}
    report = run_sync(paths, own_source(acme), pins=pins)
    assert report.sources[0].origins == pins["acme"]
    (variant,) = (one for one in load_index(paths).variants if one.found.source == "acme")
    assert "number 1" in Path(variant.found.path).read_text()


def test_the_pins_of_this_release_are_whole_commits() -> None:
    pins = load_pins(ROOT / "catalog")
    assert pins.keys() == {"bcc", "bpftrace", "book"}
    assert all(len(one.commit) == 40 for origins in pins.values() for one in origins)


def test_settings_add_a_repository_with_one_line() -> None:
    curated = (
        Source(name="bcc", summary="Upstream", url="https://example.com/bcc.git"),
        Source(name="inhouse", summary="x"),
    )
    merged = merge_sources(
        curated, {"acme": SourceSettings(url="/srv/acme.git"), "bcc": SourceSettings(revisions="v1")}
    )
    assert [(one.name, one.url, one.revisions) for one in merged] == [
        ("acme", "/srv/acme.git", ("latest",)),
        ("bcc", "https://example.com/bcc.git", ("v1",)),
    ]


def test_a_policy_that_names_nothing_says_what_it_may_name() -> None:
    source = Source(name="acme", summary="x", url="/x", revisions=("nothing",))
    with pytest.raises(SourceError, match="has no revision 'nothing'") as caught:
        resolve_revisions(source, {"main": "a" * 40}, {}, "main", find_version)
    assert "match, latest" in caught.value.fix


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ((), "the newest release; none fits bpftrace: it is not here"),
        (
            (0, 9),
            "the newest release; none fits bpftrace: bpftrace 0.9 is older than every release; the oldest is v0.17",
        ),
        ((0, 17), "the newest for bpftrace 0.17"),
        ((0, 26), "the newest release"),
    ],
)
def test_why_a_release_was_taken_is_told(tmp_path: Path, version: tuple[int, ...], why: str) -> None:
    source = Source(name="bpftrace", summary="x", url=f"file://{tmp_path}", follows=Engine.BPFTRACE, tags="v")
    tags = {"v0.17": "a" * 40, "v0.26": "b" * 40}
    wanted = resolve_revisions(source, {}, tags, "", lambda _: version)
    assert wanted[0].why == why


def test_servers_are_asked_before_the_version_of_an_engine_is_known(
    paths: Paths, tmp_path: Path, acme: Upstream
) -> None:
    upstream = Upstream(tmp_path / "bpftrace")
    upstream.commit({"tools/slowio.bt": script(1)}, tag="v0.17.0")
    upstream.commit({"tools/slowio.bt": script(2)}, tag="v0.30.0")
    fetched = threading.Event()

    def take(step: Step) -> None:
        if (step.source, step.phase) == ("acme", Phase.FETCHED):
            fetched.set()

    def find_out(engine: Engine) -> tuple[int, ...]:
        assert fetched.wait(30)  # a source whose revision no engine decides does not wait for one
        return find_version(engine)

    sources = (own_source(acme), released_source(upstream))
    request = Request(sources=sources, asked=frozenset(("acme", "bpftrace")), version=find_out, seconds=30.0)
    report = sync(paths, request, take)
    assert [one.revision for one in report.sources[1].origins] == ["v0.17.0", "v0.30.0"]


def test_what_is_fetched_is_handed_on_once(paths: Paths, acme: Upstream) -> None:
    fetched: list[Collected] = []
    for _ in range(2):
        run_sync(paths, own_source(acme), fetched=fetched.append)
    assert [[entry.stem for entry in files.entries] for files in fetched] == [["slowio"]]


def test_what_the_tree_is_made_from_cannot_be_had_and_nothing_is_written(paths: Paths, acme: Upstream) -> None:
    def fail() -> TreeRules:
        raise SettingsError("the catalog is wrong")

    with pytest.raises(SettingsError, match="the catalog is wrong"):
        run_sync(paths, own_source(acme), tree=fail)
    assert list_snapshots(paths.snapshots) == ()
    assert not paths.current.exists()


def test_two_at_once_do_not_meet(paths: Paths, acme: Upstream) -> None:
    with hold_lock(paths.state / "sync.lock", 1.0), pytest.raises(Busy, match=f"process {os.getpid()}") as caught:
        run_sync(paths, own_source(acme), lock_wait=0.3)
    assert "ps -fp" in caught.value.fix
    assert run_sync(paths, own_source(acme)).snapshot


def test_killed_at_any_moment_the_old_or_the_new_stands(paths: Paths, acme: Upstream) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom toolkit.model import Source\nfrom toolkit.paths import Paths\n"
        "from tests.snapshot.test_sync import run_sync\nstate, url = sys.argv[1:]\n"
        "paths = Paths(settings=Path('/none'), state=Path(state))\nprint('ready', flush=True)\n"
        "run_sync(paths, Source(name='acme', summary='x', url=url, revisions=('latest',)))"
    )
    run_sync(paths, own_source(acme))
    for moment in range(10):
        acme.commit({"disk/slowio.bt": script(100 + moment)})
        before = read_current(paths.snapshots, paths.current)
        command = [sys.executable, "-c", code, str(paths.state), f"file://{acme.path}"]
        runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert runner.stdout is not None
        runner.stdout.readline()
        time.sleep(0.03 * moment)
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        after = read_current(paths.snapshots, paths.current)
        assert before is not None
        assert after is not None
        for entry in after.manifest.entries:
            assert (Path(after.path) / entry.file).stat().st_size == entry.size
    assert not run_sync(paths, own_source(acme)).failed
    assert not list(paths.snapshots.glob(".building-*"))
