"""A sync on real disks that are full, run out of inodes, or are read-only: the old snapshot stands, nothing is half."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.snapshot.test_sync import Upstream, own_source, run_sync, script
from tests.support.disks import leave_inodes, leave_pages, mount, mount_tmpfs
from toolkit.catalog.curated import Curated
from toolkit.errors import StateError
from toolkit.model import Category, Tool
from toolkit.paths import Paths
from toolkit.snapshot.store import list_snapshots, read_current
from toolkit.snapshot.tree import TreeRules

pytestmark = pytest.mark.root

CURATED = Curated(
    categories=(Category(name="disk", summary="Disks"), Category(name="net", summary="Networks")),
    sources=(),
    tools=(Tool(name="biolatency", category="disk", also=("net",), summary="Block I/O latency"),),
)
RULES = TreeRules(curated=CURATED, command=("/usr/bin/toolkit",))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mount_tmpfs(tmp_path / "disk") as mounted:
        yield mounted


@pytest.fixture
def acme(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1)})
    return upstream


def sync_or_say_why(paths: Paths, upstream: Upstream) -> str:
    """Sync; gives what it said when it failed."""
    try:
        report = run_sync(paths, own_source(upstream), tree=lambda: RULES)
    except StateError as error:
        return f"{error.what} {error.fix}"
    return report.sources[0].problem


def check_whole(paths: Paths) -> str:
    """The current snapshot is whole, with its tree; no half-made thing lies about. Gives its id."""
    current = read_current(paths.snapshots, paths.current)
    assert current is not None
    for entry in current.manifest.entries:
        data = (Path(current.path) / entry.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256
    for place in ("disk/biolatency", "net/biolatency", "disk/slowio"):
        assert (paths.tree / place).read_text().endswith('"$@"\n')
    check_nothing_half_made(paths)
    return current.id


def check_nothing_half_made(paths: Paths) -> None:
    assert [path for path in paths.state.rglob("*") if path.name.startswith((".", "tmp_"))] == []


@pytest.mark.parametrize("leave", [leave_pages, leave_inodes])
def test_without_space_for_any_one_of_its_writes(
    disk: Path, acme: Upstream, leave: Callable[[Path, int], None]
) -> None:
    paths = Paths(settings=disk / "config.yaml", state=disk / "state")
    assert sync_or_say_why(paths, acme) == ""
    before = check_whole(paths)
    acme.commit({"disk/slowio.bt": script(2), "net/who.bt": script(3)})
    said = ""
    for room in range(60):  # one more write succeeds each time
        leave(disk, room)
        said = sync_or_say_why(paths, acme)
        if not said:
            break
        assert "No space left" in said or "Out of diskspace" in said, said
        assert check_whole(paths) == before
    assert not said
    assert room > 5  # it failed in git, in the snapshot, and for inodes in the link
    assert check_whole(paths) != before
    assert len(list_snapshots(paths.snapshots)) == 2


def test_the_first_sync_on_a_full_disk_works_once_there_is_space(disk: Path, acme: Upstream) -> None:
    paths = Paths(settings=disk / "config.yaml", state=disk / "state")
    for room in range(0, 60, 3):
        leave_inodes(disk, room)
        if not sync_or_say_why(paths, acme):
            break
        assert read_current(paths.snapshots, paths.current) is None
        check_nothing_half_made(paths)
    check_whole(paths)


def test_a_state_that_became_read_only(disk: Path, acme: Upstream) -> None:
    paths = Paths(settings=disk / "config.yaml", state=disk / "state")
    sync_or_say_why(paths, acme)
    before = check_whole(paths)
    acme.commit({"disk/slowio.bt": script(2)})
    mount("-o", "remount,ro", str(disk))
    assert "Read-only file system" in sync_or_say_why(paths, acme)
    assert check_whole(paths) == before
    mount("-o", "remount,rw", str(disk))
    assert sync_or_say_why(paths, acme) == ""
    assert check_whole(paths) != before
