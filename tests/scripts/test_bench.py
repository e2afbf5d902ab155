"""What the bench judges by: a broken state must look broken, and bytes must be counted, or its figures say nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.bench.kill import STOP_BEFORE_A_CHANGE
from scripts.bench.measure import Options
from scripts.bench.server import serve
from scripts.bench.upstreams import copy_upstreams, list_upstreams
from scripts.bench.whole import find_leftovers, look_at
from tests.conftest import ROOT
from tests.snapshot.test_store import make_manifest
from tests.support.git_repos import AUTHOR, Repo, need_git
from toolkit.snapshot.store import make_current, write_snapshot


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state whose current snapshot holds one tool."""
    folder = tmp_path / "state"
    folder.mkdir()
    manifest, contents = make_manifest({"disk/x.bt": "BEGIN {}"})
    snapshot = write_snapshot(folder / "snapshots", manifest, contents)
    make_current(folder / "snapshots", folder / "current", snapshot.id)
    return folder


def test_a_whole_state_looks_whole(state: Path) -> None:
    seen = look_at(state)
    assert seen.faults == ()
    assert len(seen.id) == 16
    assert seen.commits == frozenset({"a" * 40})
    assert {stem for stem, _ in seen.tools} == {"x"}
    assert find_leftovers(state) == []


def spoil(file: Path) -> None:
    file.chmod(0o755)
    file.write_text("END {}")


BREAK: dict[str, Callable[[Path], object]] = {
    "no receipt": lambda state: (state / "current/receipt.json").unlink(),
    "half a manifest": lambda state: (state / "current/manifest.json").write_text('{"shape": 1'),
    "another manifest": lambda state: (state / "current/manifest.json").open("a").write(" "),
    "a file is missing": lambda state: (state / "current/files/acme/v1/disk/x.bt").unlink(),
    "another content": lambda state: spoil(state / "current/files/acme/v1/disk/x.bt"),
    "another mode": lambda state: (state / "current/files/acme/v1/disk/x.bt").chmod(0o444),
    "a file too many": lambda state: (state / "current/files/acme/v1/disk/y.bt").write_text("x"),
    "the folder is gone": lambda state: shutil.rmtree((state / "current").resolve()),
    "no link": lambda state: (state / "current").unlink(),
}


@pytest.mark.parametrize("what", BREAK)
def test_a_broken_state_looks_broken(state: Path, what: str) -> None:
    BREAK[what](state)
    assert look_at(state).faults


def test_leftovers_are_found(state: Path) -> None:
    for name in ("snapshots/.building-1-a", "sources/acme.git/objects/pack/tmp_pack_x", "shallow.lock", ".current.1"):
        (state / name).mkdir(parents=True)
    assert len(find_leftovers(state)) == 4


def list_remote(url: str) -> bytes:
    return subprocess.run(["git", "ls-remote", url], env=AUTHOR, check=True, capture_output=True).stdout


def test_the_server_counts_what_its_clients_receive(tmp_path: Path) -> None:
    need_git()
    repo = Repo(tmp_path / "x.git")
    repo.commit({"tools/x.bt": b"BEGIN {}"})
    counts: list[int] = []
    for round_trip in (0.0, 0.0, 0.01):
        with serve(tmp_path, round_trip) as server:
            listed = list_remote(server.url("x"))
            counts.append(server.received)
    assert counts[0] > len(listed) > 40
    assert len(set(counts)) == 1


def test_a_mirror_that_lacks_a_file_is_served_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_git()
    for source in list_upstreams():
        repo = Repo(tmp_path / f"{source.name}.git")
        old = repo.commit({"README": b"the first"})
        lost = repo.commit({"README": b"the first", "large.h": source.name.encode()}, parent=old)
        repo.git("update-ref", "refs/tags/v1", lost)
        repo.commit({"README": b"changed", "large.h": source.name.encode()}, parent=lost)
        blob = repo.git("rev-parse", "main:large.h")
        (repo.path / "objects" / blob[:2] / blob[2:]).unlink()
    served = copy_upstreams(Options(runs=1, mirrors=tmp_path))
    assert served is not None
    for source in list_upstreams():
        clone = tmp_path / source.name
        subprocess.run(["git", "clone", "-q", f"file://{served}/{source.name}.git", clone], env=AUTHOR, check=True)
        assert (clone / "README").read_text() == "changed"
        assert (clone / "large.h").read_bytes() == b""
    shutil.rmtree(served)
    assert "an empty one stands in" in capsys.readouterr().out


def test_a_stop_comes_before_the_change_that_was_counted(own_home: Path) -> None:
    def collect(changes: int) -> int:
        command = [sys.executable, "-c", STOP_BEFORE_A_CHANGE, str(changes), "snapshots", "gc"]
        return subprocess.run(command, cwd=ROOT, capture_output=True).returncode

    assert collect(1) == -signal.SIGKILL
    assert not (own_home / "toolkit").exists()
    assert collect(10_000) == 0
    assert (own_home / "toolkit/state/sync.lock").exists()
