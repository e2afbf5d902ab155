"""Known trouble: which files it concerns, on which hosts it strikes, and what a verdict says of it."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_facts, make_variant, need, requirement
from toolkit.compat import judge
from toolkit.model import Engine, EngineFact, Fact, Facts, Found, Status, Trouble, Variant
from toolkit.troubles import answer_trouble, find_troubles

SLAB = Trouble(
    id="slab",
    variants=("bcc/slab*",),
    revisions=">=0.20,<0.27",
    has=(need("struct_field:slab"),),
    lacks=(need("engine:bcc>=0.30"),),
    status=Status.BLOCKED,
    symptom="it does not compile",
    why="a type is private",
    link="https://example.com/1",
    fix="take a newer one",
)
SILENT = msgspec.structs.replace(SLAB, id="silent", has=(), lacks=(), status=Status.PARTIAL, blind=True)
WITH_SLAB = make_facts(fields=Fact(value=frozenset({"slab"})))
WITHOUT_SLAB = make_facts(fields=Fact(value=frozenset({"page"})))


def found(revision: str, identifier: str = "bcc/slabratetop") -> Found:
    upstream, _, stem = identifier.partition("/")
    return Found(upstream=upstream, source="packages", stem=stem, engine=Engine.BCC, path="/x", revision=revision)


def troubled(*troubles: Trouble) -> Variant:
    variant = make_variant("bcc/slabratetop", requirement("kprobe:vfs_read"), engine=Engine.BCC)
    return msgspec.structs.replace(variant, troubles=troubles)


@pytest.mark.parametrize(
    ("revision", "concerned"),
    [
        ("v0.26.0", True),
        ("0.26.0+ds-1", True),
        ("0.20", True),
        ("0.27.0", False),
        ("v0.19.0", False),
        ("master", False),
        ("09f8a3a101fd", False),
        ("", False),
    ],
)
def test_a_range_of_versions_is_of_releases(revision: str, concerned: bool) -> None:
    assert bool(find_troubles((SLAB,), found(revision))) == concerned


def test_without_a_range_every_revision_is_concerned() -> None:
    assert find_troubles((msgspec.structs.replace(SLAB, revisions=""),), found("09f8a3a101fd"))


def test_only_the_variants_that_are_named_are_concerned() -> None:
    assert not find_troubles((SLAB,), found("v0.26.0", "bcc/biolatency"))
    assert not find_troubles((SLAB,), found("v0.26.0", "libbpf-tools/slabratetop"))


def engine(version: str) -> tuple[EngineFact, ...]:
    return (EngineFact(name=Engine.BCC, version=version, argv=("/usr/bin/python3",)),)


@pytest.mark.parametrize(
    ("facts", "strikes"),
    [
        (WITH_SLAB, True),
        (WITHOUT_SLAB, False),
        (msgspec.structs.replace(WITH_SLAB, engines=engine("0.30.0")), False),
        (make_facts(fields=Fact(unknown="no BTF")), None),
        (make_facts(fields=Fact(unknown="no BTF"), engines=engine("0.31.0")), False),
    ],
)
def test_it_strikes_where_every_condition_holds(facts: Facts, strikes: bool | None) -> None:
    assert answer_trouble(SLAB, facts) is strikes


def test_a_verdict_says_what_is_known_with_its_fix_and_link() -> None:
    verdict = judge(troubled(SLAB), WITH_SLAB)
    assert verdict.status is Status.BLOCKED
    (reason,) = verdict.reasons
    assert reason.text == "known: it does not compile: a type is private"
    assert (reason.fix, reason.link) == ("take a newer one", "https://example.com/1")
    assert judge(troubled(SLAB), WITHOUT_SLAB).status is Status.RUNS


def test_what_starts_and_attaches_to_nothing_is_blind() -> None:
    verdict = judge(troubled(SILENT), WITHOUT_SLAB)
    assert (verdict.status, verdict.blind) == (Status.PARTIAL, True)


def test_where_nobody_knows_whether_it_strikes_the_verdict_is_unknown() -> None:
    verdict = judge(troubled(SLAB), make_facts(fields=Fact(unknown="no BTF")))
    assert verdict.status is Status.UNKNOWN
    assert "not known whether it is so here" in verdict.reasons[0].text


def test_what_is_missing_is_said_first() -> None:
    facts = msgspec.structs.replace(WITH_SLAB, functions=Fact(value=frozenset()))
    texts = [reason.text for reason in judge(troubled(SLAB), facts).reasons]
    assert texts[0].startswith("no function vfs_read")
    assert texts[1].startswith("known: ")
