"""What a kernel header says: looked up in the headers of the kernel, and unknown without them."""

from __future__ import annotations

from pathlib import Path

from tests.support.samples import need
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree

ASKED = "header_text:linux/minmax.h:BUILD_BUG_ON"
OTHER = "header_text:linux/minmax.h:static_assert"
ABSENT = "header_text:linux/slub_def.h"


def look(root: Path) -> dict[str, bool]:
    return look_up((need(ASKED), need(OTHER), need(ABSENT)), Tree(root))


def put_headers(root: Path, release: str) -> None:
    """Like Debian: what all processors share lies in `source`, `build` has only what was generated."""
    folder = root / "lib/modules" / release
    (folder / "build/include/generated").mkdir(parents=True)
    (folder / "source/include/linux").mkdir(parents=True)
    (folder / "source/include/linux/minmax.h").write_text("#define min(x, y) BUILD_BUG_ON(!__types_ok(x, y))\n")


def test_a_text_is_found_or_not(tmp_path: Path) -> None:
    put_headers(tmp_path, "6.1.0")
    assert look(tmp_path) == {ASKED: True, OTHER: False, ABSENT: False}


def test_without_headers_nobody_knows(tmp_path: Path) -> None:
    assert look(tmp_path) == {}
    (tmp_path / "lib/modules/6.1.0").mkdir(parents=True)
    assert look(tmp_path) == {}


def test_of_several_kernels_a_tree_does_not_say_which_is_meant(tmp_path: Path) -> None:
    put_headers(tmp_path, "6.1.0")
    put_headers(tmp_path, "6.12.0")
    assert look(tmp_path) == {}
