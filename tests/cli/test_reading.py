"""What a sync reads: the same whether a second process reads it or this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.cli.reading import Reading, Text, open_reading
from toolkit.errors import SettingsError
from toolkit.host import probe
from toolkit.host.cache import strip_names
from toolkit.host.tree import Tree
from toolkit.launch.second import second_process
from toolkit.model import Engine
from toolkit.paths import Paths
from toolkit.snapshot import index as module
from toolkit.snapshot.build import Reader
from toolkit.snapshot.index import load_index

TEXT = Text(Engine.BPFTRACE, "reads", b"kprobe:vfs_read { @ = count(); }", "1" * 64)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr("toolkit.sources.packages.discover", lambda root: ())  # so that it is quick
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


def list_children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        pytest.fail("it was read in this process")

    monkeypatch.setattr(Reader, "read", fail)


def test_a_first_sync_reads_in_a_second_process_what_this_one_would(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_index(paths)
    paths.index.unlink()
    with open_reading(paths) as reading, monkeypatch.context() as patch:
        forbid_reading(patch)
        reading.read_tools((TEXT,))
        assert reading.load_catalog() == expected
    assert paths.index.exists()  # the next command finds it


def test_a_later_one_has_too_little_to_read_for_a_second_process(paths: Paths) -> None:
    load_index(paths)
    (paths.state / "snapshots" / "one").mkdir(parents=True)
    paths.current.symlink_to("snapshots/one")
    before = list_children()
    with open_reading(paths) as reading:
        assert list_children() == before
        reading.read_tools((TEXT,))
        assert reading.load_catalog().variants


def test_what_a_second_process_does_not_answer_is_read_here(paths: Paths) -> None:
    with second_process(lambda _: os._exit(1)) as second:
        reading = Reading(paths, second)
        reading.read_tools((TEXT,))
        assert reading.load_catalog().variants


def test_the_kernel_is_probed_by_a_second_process_as_it_would_be_here(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = probe.probe_kernel(Tree())
    with open_reading(paths) as reading, monkeypatch.context() as patch:
        patch.setattr(probe, "probe_kernel", lambda _: pytest.fail("it was probed in this process"))
        found = reading.probe_kernel()
    assert strip_names(found) == strip_names(expected)


def test_a_kernel_that_a_second_process_says_nothing_of_is_probed_here(paths: Paths) -> None:
    with second_process(lambda _: os._exit(1)) as second:
        assert Reading(paths, second).probe_kernel().release == os.uname().release


def test_a_mistake_in_the_catalog_is_told_here(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "categories.yaml").write_text("cpu: [")
    monkeypatch.setattr(module, "data_folder", lambda: tmp_path)
    with open_reading(paths) as reading, pytest.raises(SettingsError, match=r"categories\.yaml"):
        reading.load_catalog()
