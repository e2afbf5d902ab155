"""A set of names that stays text until it is asked."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    "texts", [[], ["a"], ["a", "b"], ["a", "ab", "abc", "b"], [f"name_{one}" for one in range(300)]]
)
def test_the_first_questions_are_answered_like_all_others(texts: list[str]) -> None:
    asked = [*texts, "", "_", "a\n", "a\nb", "aa", "name_1234", "zzz", *(f"{one}x" for one in texts), "\U0001f600"]
    text = Names.of(texts).text.encode()
    for one in asked:
        assert (one in Names.of(texts)) == (one in frozenset(texts)), one
        inside = Names.within(b"zzz\naa\n" + text + b"\nname_1234", 7, 7 + len(text))
        assert (one in inside) == (one in frozenset(texts)), one
        assert set(inside) == set(texts)
