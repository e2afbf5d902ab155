"""More than one at once: syncs, readers, tools that run, and the collector, in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.snapshot.test_sync import Upstream, own_source, run_sync, script
from toolkit.errors import StateError
from toolkit.paths import Paths
from toolkit.snapshot.store import collect_garbage, list_snapshots, make_current, read_current, use_current
from toolkit.snapshot.use import use_snapshot

READER = """
import json, sys
from pathlib import Path
from toolkit.errors import StateError
from toolkit.paths import Paths
from toolkit.snapshot.index import load_index
from toolkit.snapshot.use import use_snapshot
from toolkit.sources import packages
packages.discover = lambda root: ()  # what the distribution has takes a second to read
paths = Paths(settings=Path("/none"), state=Path(sys.argv[1]))
late, loads = 0, 0
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    (own,) = (one for one in load_index(paths).variants if one.id == "acme/slowio")
    loads += 1
    try:
        with use_snapshot(paths.snapshots, Path(own.found.path)):
            assert "slowio" in Path(own.found.path).read_text()
    except StateError:
        late += 1
(own,) = (one for one in load_index(paths).variants if one.id == "acme/slowio")
print(json.dumps({"loads": loads, "late": late, "last": Path(own.found.path).read_text()}))
"""


@pytest.fixture
def paths(warm_home: Path) -> Paths:
    """The state that the command uses, too."""
    return Paths(settings=warm_home / "toolkit" / "config.yaml", state=warm_home / "toolkit" / "state")


@pytest.fixture
def acme(tmp_path: Path, paths: Paths) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(0)})
    paths.settings.write_text(f"sources:\n  acme: {{url: 'file://{upstream.path}'}}\n")
    return upstream


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "toolkit", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_syncs_started_together_both_end_well(paths: Paths, acme: Upstream) -> None:
    both = [start("sync", "acme") for _ in range(2)]
    said = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sum("Nothing is new" in out for out, _ in said) == 1
    assert len(list_snapshots(paths.snapshots)) == 1


def test_readers_never_miss_a_tool_while_snapshots_come_and_go(paths: Paths, acme: Upstream, tmp_path: Path) -> None:
    run_sync(paths, own_source(acme), keep=1)
    enough = tmp_path / "enough"
    command = [sys.executable, "-c", READER, str(paths.state), str(enough)]
    readers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    for number in range(1, 16):
        acme.commit({"disk/slowio.bt": script(number)})
        run_sync(paths, own_source(acme), keep=1)
    enough.touch()
    for reader in readers:
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
        told = json.loads(out)
        assert told["last"] == script(15), "the index of an old snapshot stayed"
        assert told["loads"]


def test_syncs_rollbacks_and_collections_at_once_leave_a_whole_state(
    paths: Paths, acme: Upstream, toolkit: Toolkit
) -> None:
    for number in range(1, 4):
        acme.commit({"disk/slowio.bt": script(number)})
        run_sync(paths, own_source(acme))
    acme.commit({"disk/slowio.bt": script(4)})
    changes = (("sync", "acme"), ("snapshots", "rollback"), ("snapshots", "gc", "--keep", "2"), ("snapshots", "unhold"))
    for one in [start(*arguments) for arguments in (*changes, ("list", "disk"), ("snapshots", "list"))]:
        _, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
    toolkit("snapshots", "unhold")
    assert toolkit("sync", "acme").returncode == 0
    current = read_current(paths.snapshots, paths.current)
    assert current is not None
    assert (Path(current.path) / current.manifest.entries[0].file).read_text() == script(4)
    assert "slowio" in toolkit("list", "disk").stdout


def test_what_a_running_tool_reads_late_is_still_there(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    go = paths.state.parent / "go"
    slow = f'#!/bin/sh\necho started\nwhile [ ! -e {go} ]; do sleep 0.05; done\ncat "$(dirname "$0")/part.sh"\n'
    acme.commit({"disk/late.sh": slow, "disk/part.sh": "#!/bin/sh\necho the first\n"})
    (acme.path / "disk" / "late.sh").chmod(0o755)
    acme.commit({})
    run_sync(paths, own_source(acme), keep=1)
    before = read_current(paths.snapshots, paths.current)
    assert before is not None
    tool = start("run", "--quiet", "--force", "late")
    assert tool.stdout is not None
    assert tool.stdout.readline() == "started\n"
    acme.commit({"disk/part.sh": "#!/bin/sh\necho the second\n"})
    run_sync(paths, own_source(acme), keep=1)
    assert len(list_snapshots(paths.snapshots)) == 2
    assert f"kept {before.id}: a tool is running from it" in toolkit("snapshots", "gc", "--keep", "1").stdout
    go.touch()
    out, err = tool.communicate(timeout=60)
    assert "the first" in out, err
    assert f"removed {before.id}" in toolkit("snapshots", "gc", "--keep", "1").stdout


def test_a_tool_chosen_from_a_snapshot_that_is_gone_is_explained(paths: Paths, acme: Upstream) -> None:
    first = run_sync(paths, own_source(acme)).snapshot
    acme.commit({"disk/slowio.bt": script(1)})
    run_sync(paths, own_source(acme))
    file = paths.snapshots / first / "files" / "x"
    assert collect_garbage(paths.snapshots, paths.current, 1) == (first,)
    with pytest.raises(StateError, match="was removed a moment ago") as caught, use_snapshot(paths.snapshots, file):
        pass
    assert "run the command again" in caught.value.fix
    with use_snapshot(paths.snapshots, Path("/usr/sbin/runqlat")):
        pass


def test_what_a_reader_takes_stays_until_it_lets_go(paths: Paths, acme: Upstream) -> None:
    first = run_sync(paths, own_source(acme)).snapshot
    with use_current(paths.snapshots, paths.current) as used:
        assert used is not None
        acme.commit({"disk/slowio.bt": script(1)})
        run_sync(paths, own_source(acme), keep=1)
        assert {one.id for one in list_snapshots(paths.snapshots)} > {first}
    assert collect_garbage(paths.snapshots, paths.current, 1) == (first,)


def test_an_index_built_during_a_swap_is_built_again(
    paths: Paths, acme: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.snapshot import build
    from toolkit.snapshot.index import load_index

    first = run_sync(paths, own_source(acme)).snapshot
    acme.commit({"disk/slowio.bt": script(1)})
    second = run_sync(paths, own_source(acme)).snapshot
    make_current(paths.snapshots, paths.current, first)
    real = build.build_index

    def swap_meanwhile(*arguments: object) -> object:
        make_current(paths.snapshots, paths.current, second)
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(build, "build_index", swap_meanwhile)
        load_index(paths)
    (own,) = (one for one in load_index(paths).variants if one.id == "acme/slowio")
    assert second in own.found.path
