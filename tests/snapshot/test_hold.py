"""The hold of a rollback: sync stays until the person says otherwise, and a half-done rollback holds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.snapshot.test_sync import Upstream, own_source, run_sync, script
from toolkit.paths import Paths
from toolkit.snapshot.hold import end_hold, find_held, hold_snapshot
from toolkit.snapshot.layout import current_name
from toolkit.snapshot.store import make_current


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


@pytest.fixture
def acme(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1)})
    return upstream


def test_a_sync_leaves_what_is_held_and_asks_nobody(paths: Paths, acme: Upstream) -> None:
    first = run_sync(paths, own_source(acme)).snapshot
    acme.commit({"disk/slowio.bt": script(2)})
    second = run_sync(paths, own_source(acme)).snapshot
    hold_snapshot(paths.hold, first)
    make_current(paths.snapshots, paths.current, first)
    acme.path.rename(acme.path.with_name("gone"))
    report = run_sync(paths, own_source(acme))
    assert (report.held, report.failed, report.sources) == (True, False, ())
    assert report.snapshot == report.before == first
    acme.path.with_name("gone").rename(acme.path)
    end_hold(paths.hold)
    assert run_sync(paths, own_source(acme)).snapshot == second


def test_it_counts_only_for_the_current_one(paths: Paths, acme: Upstream) -> None:
    first = run_sync(paths, own_source(acme)).snapshot
    acme.commit({"disk/slowio.bt": script(2)})
    run_sync(paths, own_source(acme))
    hold_snapshot(paths.hold, first)  # killed before the link was swapped
    assert find_held(paths.hold, paths.current) == ""
    acme.commit({"disk/slowio.bt": script(3)})
    assert not run_sync(paths, own_source(acme)).held
    assert not paths.hold.exists()
    acme.commit({"disk/slowio.bt": script(1)})
    acme.git("reset", "-q", "--hard", "HEAD~3")  # back to the first commit: nobody holds it
    assert not run_sync(paths, own_source(acme)).held
    assert current_name(paths.current) == first
    assert not run_sync(paths, own_source(acme)).held


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"../../x\n", b"a" * 100_000])
def test_a_broken_file_holds_nothing(paths: Paths, acme: Upstream, content: bytes) -> None:
    run_sync(paths, own_source(acme))
    paths.hold.write_bytes(content)
    assert find_held(paths.hold, paths.current) == ""
