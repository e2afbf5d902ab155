"""Programs and libraries that are named by a pattern: uprobe:/usr/lib/*/libc.so.6:malloc."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.model import Need, NeedKind


def need(kind: NeedKind, name: str) -> Need:
    return Need(kind=kind, name=name)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for folder, source in (("one", "/etc/hostname"), ("two", "/bin/true")):
        (tmp_path / "usr/lib" / folder).mkdir(parents=True)
        shutil.copy(source, tmp_path / "usr/lib" / folder / "libx.so.1")
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/usr/lib/*/libx.so.1", True),
        ("/usr/lib/t*/libx.so.*", True),
        ("/usr/lib/*/liby.so.1", False),
        ("/usr/*/*/*/x", False),
        ("/nowhere/*", False),
        ("/usr/lib/two/libx.so.1", True),
    ],
)
def test_a_file_may_be_named_by_a_pattern(tree: Tree, path: str, there: bool) -> None:
    wanted = need(NeedKind.PROGRAM, path)
    assert look_up((wanted,), tree) == {str(wanted): there}


def test_of_the_files_that_match_any_may_have_the_function(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "libtext.so").write_text("no library")
    library = next(Path("/usr/lib").glob("*-linux-gnu/libc.so.6"))
    shutil.copy(library, folder / "libz.so")
    malloc, gone = need(NeedKind.UPROBE, "/lib/lib*.so:malloc"), need(NeedKind.UPROBE, "/lib/lib*.so:no_such_function")
    assert look_up((malloc, gone), Tree(tmp_path)) == {str(malloc): True, str(gone): False}
