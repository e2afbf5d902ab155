"""What was read before: believed while the file looks the same, never when anything is wrong with the memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit import config
from toolkit.catalog.load import load_sources
from toolkit.cli import remembered as module
from toolkit.cli.remembered import recall_settings, recall_sources
from toolkit.config import Settings
from toolkit.errors import SettingsError, StateError
from toolkit.paths import Paths, data_folder


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "state").mkdir(mode=0o700)
    return Paths(settings=tmp_path / "config.yaml", state=tmp_path / "state")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read and not remembered."""
    files: list[Path] = []
    load = config.load_settings

    def load_and_note(file: Path) -> Settings:
        files.append(file)
        return load(file)

    monkeypatch.setattr(module, "load_settings", load_and_note)
    return files


def memory_of(paths: Paths) -> Path:
    return paths.state / "cache" / "config.msgpack"


def test_settings_are_read_once(paths: Paths, read: list[Path]) -> None:
    paths.settings.write_text("keep: 7\nlimits: {duration: 30}\nrecordings: {count: 3}\nsources: {a: {url: /b}}\n")
    first = recall_settings(paths)
    assert first.keep == 7
    assert recall_settings(paths) == first
    assert read == [paths.settings]


def test_no_settings_are_the_defaults_and_leave_no_memory(paths: Paths) -> None:
    assert recall_settings(paths) == Settings()
    assert not memory_of(paths).exists()


def test_an_edit_is_seen_at_once_even_one_that_keeps_size_and_time(paths: Paths) -> None:
    paths.settings.write_text("keep: 7\n")
    before = paths.settings.stat()
    assert recall_settings(paths).keep == 7
    paths.settings.write_text("keep: 8\n")
    os.utime(paths.settings, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert recall_settings(paths).keep == 8


def test_a_mistake_is_told_every_time(paths: Paths) -> None:
    paths.settings.write_text("keep: none\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"config\.yaml:1: keep"):
            recall_settings(paths)


NOT_UTF8 = b"\x81\xaawritten_by\xa1\xff"
ENDLESS = b"\x81\xa4said" + b"\x91" * 100_000


@pytest.mark.parametrize("bytes_", [b"", b"\x80", b"\xff" * 100, b"toolkit", NOT_UTF8, ENDLESS])
def test_a_damaged_memory_is_written_anew(paths: Paths, read: list[Path], bytes_: bytes) -> None:
    paths.settings.write_text("keep: 7\n")
    recall_settings(paths)
    memory_of(paths).write_bytes(bytes_)
    assert recall_settings(paths).keep == 7
    assert recall_settings(paths).keep == 7
    assert len(read) == 2


def test_a_memory_of_other_code_is_not_believed(
    paths: Paths, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.settings.write_text("keep: 7\n")
    recall_settings(paths)
    monkeypatch.setattr(module, "__version__", "0.0.0")
    recall_settings(paths)
    assert len(read) == 2


def test_state_that_others_can_write_is_refused(paths: Paths) -> None:
    paths.settings.write_text("keep: 7\n")
    paths.state.chmod(0o777)
    with pytest.raises(StateError, match="cannot be trusted"):
        recall_settings(paths)


def test_a_memory_that_cannot_be_kept_costs_nothing_but_time(paths: Paths) -> None:
    paths.settings.write_text("keep: 7\n")
    (paths.state / "cache").write_text("in the way")
    assert recall_settings(paths).keep == 7


def test_sources_are_those_of_the_catalog(paths: Paths) -> None:
    expected = load_sources(data_folder())
    assert recall_sources(paths) == expected
    assert recall_sources(paths) == expected


def test_a_token_is_in_no_file_but_the_settings(paths: Paths, read: list[Path]) -> None:
    paths.settings.write_text('sources: {acme: {url: "https://u:s3cret@git.acme.example/tools.git"}}\n')
    paths.settings.chmod(0o600)
    for _ in range(2):
        assert recall_settings(paths).sources["acme"].url.startswith("https://u:s3cret@")
    assert len(read) == 2
    assert [file for file in paths.state.rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()] == []
