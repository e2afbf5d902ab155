"""What a name stands for: a tool, a category's tool, a source's variant, or a near miss with a suggestion."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_index, make_variant
from toolkit.catalog.query import describe_ways, find_category, list_tools, require_category, resolve_name
from toolkit.errors import NoSuchTool, UsageError
from toolkit.model import Engine, Tool

LIBBPF = make_variant("libbpf-tools/runqlat")
BCC = make_variant("bcc/runqlat", engine=Engine.BCC)
OWN = make_variant("inhouse/runqlat", engine=Engine.BPFTRACE)
OLD = make_variant("bpftrace/biolatency-kp", engine=Engine.BPFTRACE, tool="biolatency")
NEW = make_variant("bpftrace/biolatency", engine=Engine.BPFTRACE)
BIOLATENCY = Tool(name="biolatency", category="cpu", also=("mem",), aliases=("biolatency-kp", "iolat"))
INDEX = make_index(LIBBPF, BCC, OWN, OLD, NEW, tools=(BIOLATENCY,))


def test_a_bare_name_leaves_every_variant_open() -> None:
    asked = resolve_name(INDEX, "runqlat")
    assert asked.variants == (LIBBPF, BCC, OWN)
    assert not asked.pinned


@pytest.mark.parametrize("name", ["cpu/runqlat", "cpus/runqlat", "CPU/runqlat"])
def test_a_category_before_the_name_pins_nothing(name: str) -> None:
    assert not resolve_name(INDEX, name).pinned


def test_a_tool_is_found_under_its_other_category_too() -> None:
    assert resolve_name(INDEX, "memory/biolatency").tool is BIOLATENCY


@pytest.mark.parametrize(
    ("name", "variants"),
    [("bcc/runqlat", (BCC,)), ("inhouse/runqlat", (OWN,)), ("packages/runqlat", (LIBBPF, BCC))],
)
def test_an_upstream_or_a_source_before_the_name_pins_variants(name: str, variants: tuple[object, ...]) -> None:
    asked = resolve_name(INDEX, name)
    assert asked.variants == variants
    assert asked.pinned


def test_a_revision_behind_the_name_pins_it() -> None:
    held = tuple(
        msgspec.structs.replace(BCC, found=msgspec.structs.replace(BCC.found, revision=one))
        for one in ("v0.26.0", "v0.31.0")
    )
    asked = resolve_name(make_index(*held), "bcc/runqlat@v0.31.0")
    assert (asked.variants, asked.pinned) == (held[1:], True)
    with pytest.raises(NoSuchTool, match="not held at revision 'v9'") as caught:
        resolve_name(make_index(*held), "runqlat@v9")
    assert caught.value.fix == "it is at v0.26.0, v0.31.0"


def test_an_alias_means_the_tool() -> None:
    assert resolve_name(INDEX, "iolat").variants == (OLD, NEW)


def test_the_name_of_another_implementation_means_that_file() -> None:
    asked = resolve_name(INDEX, "biolatency-kp")
    assert (asked.tool, asked.variants, asked.pinned) == (BIOLATENCY, (OLD,), True)


def test_what_is_not_on_this_host_comes_by_packages_that_it_lacks_and_by_git() -> None:
    sync = "`toolkit sync` fetches more tools from git"
    held = tuple(
        msgspec.structs.replace(one, found=msgspec.structs.replace(one.found, source=source))
        for one, source in ((LIBBPF, "packages"), (BCC, "packages"), (OWN, "inhouse"), (NEW, "bpftrace"))
    )
    assert describe_ways(make_index(*held[:3]), "debian") == f"apt-get install -y bpftrace; {sync}"
    assert describe_ways(make_index(*held), "debian") == "apt-get install -y bpftrace"
    assert describe_ways(make_index(*held[:3]), "unheard-of") == sync
    assert describe_ways(make_index(*held), "unheard-of") == "`toolkit doctor` says what this host lacks"


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(NoSuchTool, match="'runqlatt'") as caught:
        resolve_name(INDEX, "runqlatt")
    assert "did you mean runqlat" in caught.value.fix
    assert caught.value.status == 127
    with pytest.raises(NoSuchTool) as caught:
        resolve_name(INDEX, "zzz")
    assert "toolkit list" in caught.value.fix


def test_a_source_without_that_tool_says_who_has_it() -> None:
    with pytest.raises(NoSuchTool, match="'book' has no runqlat") as caught:
        resolve_name(INDEX, "book/runqlat")
    assert "bcc/runqlat, inhouse/runqlat, libbpf-tools/runqlat" in caught.value.fix


def test_a_tool_of_another_category_says_which() -> None:
    with pytest.raises(NoSuchTool, match="runqlat is not in mem") as caught:
        resolve_name(INDEX, "memory/runqlat")
    assert caught.value.fix == "it is cpu/runqlat"


def test_categories_have_long_names() -> None:
    assert find_category(INDEX, "memory") == "mem"
    assert find_category(INDEX, "Mem") == "mem"
    with pytest.raises(UsageError, match="no category named 'tape'") as caught:
        require_category(INDEX, "tape")
    assert "cpu mem" in caught.value.fix


def test_a_tool_with_two_categories_is_listed_in_both() -> None:
    assert [tool.name for tool in list_tools(INDEX, "mem")] == ["biolatency"]
    assert [tool.name for tool in list_tools(INDEX, None)] == ["biolatency", "runqlat"]
