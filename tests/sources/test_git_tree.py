"""Where links lead, and which names clash: decided from listings alone."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from toolkit.sources.git_tree import EntryKind, TreeEntry, find_folders, read_tree, resolve_links

ONE, TWO, TO = "1" * 40, "2" * 40, "3" * 40


def file(path: str) -> TreeEntry:
    return TreeEntry(path=path, kind=EntryKind.FILE, blob=ONE)


def link(path: str) -> TreeEntry:
    return TreeEntry(path=path, kind=EntryKind.LINK, blob=TO)


def resolve(target: bytes, *others: TreeEntry, path: str = "tools/l") -> TreeEntry:
    return resolve_links((*others, link(path)), {TO: target})[-1]


def test_a_link_becomes_the_file_that_it_leads_to() -> None:
    found = resolve(b"lib/a", file("tools/lib/a"))
    assert (found.kind, found.blob, found.link, found.problem) == (EntryKind.FILE, ONE, "tools/lib/a", "")
    assert resolve(b"../man/x", file("man/x")).link == "man/x"
    assert resolve(b"./lib/../lib//a", file("tools/lib/a")).link == "tools/lib/a"


def test_a_link_whose_target_was_not_read() -> None:
    assert "could not be read" in resolve_links((link("a"),), {})[0].problem


def test_a_refused_name_does_not_stand_in_for_a_good_one() -> None:
    refused = TreeEntry(path="tools/\\xff", kind=EntryKind.FILE, blob=TWO, problem="its name is not UTF-8")
    found = resolve(b"\\xff", file("tools/\\xff"), refused)
    assert (found.blob, found.problem) == (ONE, "")


@given(st.lists(st.sampled_from(["..", ".", "", "a", "tools", "/"]), max_size=8), st.booleans())
def test_no_link_leads_out(parts: list[str], absolute: bool) -> None:
    target = ("/" if absolute else "") + "/".join(parts)
    found = resolve(target.encode(), file("a"), file("tools/a"), file("tools/tools/a"))
    assert found.problem or found.link in ("a", "tools/a", "tools/tools/a")


@given(st.binary(max_size=200))
def test_any_listing_is_read(data: bytes) -> None:
    for entry in read_tree(data + b"\0"):
        assert entry.problem or entry.kind in (EntryKind.FILE, EntryKind.LINK)


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name), max_size=10, unique=True))
def test_names_that_are_taken_are_safe_to_use(names: list[bytes]) -> None:
    listing = b"".join(b"100644 blob " + ONE.encode() + b"\t" + name + b"\0" for name in names)
    taken = [entry.path for entry in read_tree(listing) if not entry.problem]
    assert len({path.casefold() for path in taken}) == len(taken)
    for path in taken:
        assert path.isprintable()
        assert not path.startswith(("/", "-"))
        assert ".." not in path.split("/")
    assert find_folders(taken).isdisjoint(taken)


def test_deep_paths_and_many_links_cost_little() -> None:
    start = time.process_time()
    deep = [b"/".join([b"%d" % number, *[b"d"] * 480]) for number in range(30_000)]
    listing = b"".join(b"100644 blob " + ONE.encode() + b"\t" + name + b"\0" for name in deep)
    assert all(entry.problem for entry in read_tree(listing))
    many = tuple(link(f"d{number}/l") for number in range(30_000))
    assert all(entry.problem for entry in resolve_links(many, {TO: b"../nothing"}))
    assert time.process_time() - start < 20
