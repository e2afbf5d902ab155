"""The stored index: used while nothing changed, built again when something did, never trusted when it is broken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from tests.snapshot.test_store import make_manifest
from tests.test_house import PACKAGE, find_imports
from toolkit.errors import CannotRun, StateError
from toolkit.launch.guard import check_file
from toolkit.model import Found, Index
from toolkit.paths import Paths, data_folder
from toolkit.snapshot import index as module
from toolkit.snapshot.found import discover_snapshot
from toolkit.snapshot.index import load_index
from toolkit.snapshot.layout import Snapshot
from toolkit.snapshot.store import make_current, write_snapshot


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog of our own with one script, so that building is quick and can be changed."""
    folder = tmp_path / "data"
    (folder / "tools").mkdir(parents=True)
    (folder / "inhouse" / "cpu").mkdir(parents=True)
    (folder / "categories.yaml").write_text("cpu:\n  summary: Processors\nmulti:\n  summary: Everything\n")
    (folder / "sources.yaml").write_text("inhouse:\n  summary: Ours\n")
    (folder / "tools" / "cpu.yaml").write_text("one:\n  summary: The first of them\n  symptoms: [slow]\n")
    (folder / "inhouse" / "cpu" / "one.bt").write_text("BEGIN { exit(); }\n")
    monkeypatch.setattr(module, "data_folder", lambda: folder)
    monkeypatch.setattr("toolkit.sources.packages.discover", lambda root: ())
    return folder


def own(index: Index) -> list[str]:
    return sorted(variant.id for variant in index.variants)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often the index was built."""
    counted: list[int] = []
    real = module._build

    def build(*arguments: object) -> Index:
        counted.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_build", build)
    return counted


def test_it_is_built_once(paths: Paths, data: Path, builds: list[int]) -> None:
    first = load_index(paths)
    assert load_index(paths) == first
    assert own(first) == ["inhouse/one"]
    assert len(builds) == 1


def test_a_name_unpacks_the_variants_of_its_tool_alone(paths: Paths, data: Path) -> None:
    swap_in(paths, "BEGIN {}")
    whole = load_index(paths)
    assert {one.tool for one in whole.variants} == {"one", "slowio"}
    for name in ("slowio", "disk/slowio", "acme/slowio", "slowio@v1"):
        index = load_index(paths, name=name)
        assert {one.tool for one in index.variants} == {"slowio"}
        assert index.tools == whole.tools
    assert load_index(paths, name="nosuch").tools == whole.tools


def test_damage_within_is_built_again(paths: Paths, data: Path, builds: list[int]) -> None:
    whole = load_index(paths)
    data_of_it = paths.index.read_bytes()
    paths.index.write_bytes(data_of_it.replace(b"inhouse", b"inh\xff\xffse"))
    assert load_index(paths, name="one") == whole
    assert load_index(paths) == whole
    assert len(builds) == 2


def test_a_new_file_a_changed_one_and_new_catalog_data_are_noticed(paths: Paths, data: Path) -> None:
    load_index(paths)
    (data / "inhouse" / "cpu" / "two.bt").write_text("END {}\n")
    assert own(load_index(paths)) == ["inhouse/one", "inhouse/two"]
    before = {variant.id: variant.sha256 for variant in load_index(paths).variants}
    (data / "inhouse" / "cpu" / "one.bt").write_text("BEGIN { print(1); }\n")
    after = {variant.id: variant.sha256 for variant in load_index(paths).variants}
    assert before["inhouse/one"] != after["inhouse/one"]
    assert before["inhouse/two"] == after["inhouse/two"]
    (data / "tools" / "cpu.yaml").write_text("one:\n  summary: Another summary\n  symptoms: [slow]\n")
    assert [tool.summary for tool in load_index(paths).tools if tool.name == "one"] == ["Another summary"]


def test_a_change_of_mode_is_noticed(paths: Paths, data: Path, builds: list[int]) -> None:
    load_index(paths)
    (data / "inhouse" / "cpu" / "one.bt").chmod(0o600)
    load_index(paths)
    assert len(builds) == 2


@pytest.mark.parametrize("broken", [b"", b"\x00", b"not msgpack at all", b"\x93\x01\x02\x03"])
def test_a_broken_one_is_built_again(paths: Paths, data: Path, broken: bytes) -> None:
    load_index(paths)
    paths.index.write_bytes(broken)
    assert own(load_index(paths)) == ["inhouse/one"]
    paths.index.write_bytes(paths.index.read_bytes()[:-20])
    assert own(load_index(paths)) == ["inhouse/one"]


def test_one_of_another_version_is_built_again(paths: Paths, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_index(paths)
    monkeypatch.setattr(module, "LAYOUT", module.LAYOUT + 1)
    assert own(load_index(paths)) == ["inhouse/one"]


def test_state_that_cannot_be_written_costs_only_time(paths: Paths, data: Path) -> None:
    paths.state.write_text("a file where a folder should be")
    paths.state.chmod(0o600)
    assert own(load_index(paths)) == ["inhouse/one"]


def test_state_that_others_can_write_is_refused(paths: Paths, data: Path) -> None:
    paths.state.mkdir(mode=0o700)
    os.chmod(paths.state, 0o777)
    with pytest.raises(StateError, match="can be written by other users"):
        load_index(paths)


def swap_in(paths: Paths, text: str) -> None:
    """Make a snapshot of one tool, acme/slowio, the current one."""
    manifest, contents = make_manifest({"disk/slowio.bt": text})
    make_current(paths.snapshots, paths.current, write_snapshot(paths.snapshots, manifest, contents).id)


def read_synced(index: Index) -> list[str]:
    return [Path(one.found.path).read_text() for one in index.variants if one.found.source == "acme"]


def test_another_snapshot_is_noticed_and_the_way_back_too(paths: Paths, data: Path) -> None:
    for text in ("BEGIN {}", "END {}", "BEGIN {}"):
        swap_in(paths, text)
        assert read_synced(load_index(paths)) == [text]


def test_the_index_of_a_state_that_was_copied_is_built_again(paths: Paths, data: Path, builds: list[int]) -> None:
    load_index(paths)
    copy = msgspec.structs.replace(paths, state=paths.state.with_name("copy"))
    shutil.copytree(paths.state, copy.state)
    swap_in(copy, "BEGIN {}")
    assert read_synced(load_index(copy)) == ["BEGIN {}"]
    assert read_synced(load_index(paths)) == []


def test_a_snapshots_files_are_not_looked_at_again(paths: Paths, data: Path, builds: list[int]) -> None:
    swap_in(paths, "BEGIN {}")
    (variant,) = (one for one in load_index(paths).variants if one.found.source == "acme")
    Path(variant.found.path).chmod(0o644)
    load_index(paths)
    assert len(builds) == 1
    Path(variant.found.path).write_text("END {}")
    with pytest.raises(CannotRun, match="changed since it was analysed"):
        check_file(variant)


def test_a_snapshot_that_comes_while_the_index_is_built_is_noticed_next_time(
    paths: Paths, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap_in(paths, "BEGIN {}")

    def discover_then_swap(snapshot: Snapshot) -> tuple[Found, ...]:
        found = discover_snapshot(snapshot)
        swap_in(paths, "END {}")
        return found

    with monkeypatch.context() as while_building:
        while_building.setattr("toolkit.snapshot.found.discover_snapshot", discover_then_swap)
        assert read_synced(load_index(paths)) == ["BEGIN {}"]
    assert read_synced(load_index(paths)) == ["END {}"]


def test_all_code_that_says_what_a_variant_needs_is_stamped() -> None:
    """Otherwise an index of before would be taken for one that this code made."""
    stamped = {path for path in module._own_files(data_folder()) if path.suffix == ".py"}
    used = {imported for path in (PACKAGE / "analysis").glob("*.py") for _, imported in find_imports(path)}
    files = {PACKAGE / f"{name.replace('.', '/')}.py" for name in used if name != "analysis"}
    assert files - stamped == set()
