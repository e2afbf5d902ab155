"""Where things live: the system's places for root, XDG's for others, TOOLKIT_HOME for everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.errors import StateError
from toolkit.paths import check_state_owner, data_folder, find_paths, make_folder, own_command, write_atomically


def test_root_uses_the_systems_places() -> None:
    paths = find_paths({"HOME": "/root"}, 0)
    assert str(paths.settings) == "/etc/toolkit/config.yaml"
    assert str(paths.recordings) == "/var/lib/toolkit/recordings"


def test_others_use_xdg_and_its_defaults() -> None:
    assert str(find_paths({"HOME": "/home/ada"}, 1000).state) == "/home/ada/.local/state/toolkit"
    paths = find_paths({"HOME": "/home/ada", "XDG_STATE_HOME": "/data", "XDG_CONFIG_HOME": "relative"}, 1000)
    assert str(paths.state) == "/data/toolkit"
    assert str(paths.settings) == "/home/ada/.config/toolkit/config.yaml"


def test_toolkit_home_moves_all_of_it_even_for_root() -> None:
    paths = find_paths({"TOOLKIT_HOME": "/srv/tk"}, 0)
    assert {paths.settings.parts[1:3], paths.state.parts[1:3], paths.index.parts[1:3]} == {("srv", "tk")}


def test_the_catalog_is_found_in_a_checkout() -> None:
    assert (data_folder() / "categories.yaml").is_file()


@pytest.mark.root
def test_state_that_others_can_write_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    check_state_owner(state, os.getuid())
    state.mkdir(mode=0o700)
    check_state_owner(state, os.getuid())
    state.chmod(0o777)
    with pytest.raises(StateError, match="can be written by other users") as caught:
        check_state_owner(state, os.getuid())
    assert "chmod go-w" in caught.value.fix
    state.chmod(0o700)
    os.chown(state, 65534, 65534)
    with pytest.raises(StateError, match="uid 65534"):
        check_state_owner(state, os.getuid())


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "index"
    write_atomically(file, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["index"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_process_left_beside_a_file_is_swept(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    mine, other = (f".index.{os.getppid()}", ".index.html")
    folder = tmp_path / "cache"
    folder.mkdir()
    for name in (f".index.{ended.pid}", mine, other):
        (folder / name).write_text("half")
    write_atomically(folder / "index", b"new")
    assert {path.name for path in folder.iterdir()} == {"index", mine, other}


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError) as caught:
        make_folder(tmp_path / "file" / "below")
    assert "TOOLKIT_HOME" in caught.value.fix


def test_the_console_script_that_was_called_is_what_starts_us_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").write_text("")
    (tmp_path / "real").chmod(0o755)
    (tmp_path / "toolkit").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./toolkit", "sync"])
    assert own_command() == (str(tmp_path / "toolkit"),)


@pytest.mark.parametrize("called", ["/x/toolkit/__main__.py", "/gone/toolkit", "/usr/bin/pytest", "", "-c"])
def test_without_one_it_is_this_python_and_never_the_folder_it_is_in(
    called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert own_command() == (sys.executable, "-P", "-m", "toolkit")
