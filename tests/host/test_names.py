"""A set of names that stays text until it is asked."""

from __future__ import annotations

from toolkit.host.names import Names


def test_it_is_a_set_like_any_other() -> None:
    names = Names.of(("vfs_write", "vfs_read", "vfs_read"))
    assert set(names) == {"vfs_read", "vfs_write"}
    assert names == Names("vfs_read\nvfs_write")
    assert "vfs_read" in names
    assert "vfs" not in names
    assert len(names) == 2
    assert sorted(names) == ["vfs_read", "vfs_write"]
    assert names & {"vfs_read", "other"} == {"vfs_read"}


def test_no_names_are_an_empty_set() -> None:
    assert len(Names.of(())) == 0
    assert "" not in Names("")
    assert not Names("")


def test_text_is_sorted_so_that_equal_sets_are_stored_alike() -> None:
    assert Names.of(("b", "a")).text == "a\nb"
