"""Which release of a source fits an engine, with the tags that bcc and bpftrace really have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.revisions import explain_mismatch, match_tag, newest_tag, parse_tag

# `git tag` of iovisor/bcc and bpftrace/bpftrace, November 2026.
BCC = [
    "0.29.0",
    "v0.1",
    "v0.1.1",
    "v0.1.2",
    "v0.1.3",
    "v0.1.4",
    "v0.1.5",
    "v0.1.6",
    "v0.1.7",
    "v0.1.8",
    "v0.10.0",
    "v0.11.0",
    "v0.12.0",
    "v0.13.0",
    "v0.14.0",
    "v0.15.0",
    "v0.16.0",
    "v0.17.0",
    "v0.18.0",
    "v0.19.0",
    "v0.2.0",
    "v0.20.0",
    "v0.21.0",
    "v0.22.0",
    "v0.23.0",
    "v0.24.0",
    "v0.25.0",
    "v0.26.0",
    "v0.27.0",
    "v0.28.0",
    "v0.29.0",
    "v0.29.1",
    "v0.3.0",
    "v0.30.0",
    "v0.31.0",
    "v0.32.0",
    "v0.33.0",
    "v0.34.0",
    "v0.35.0",
    "v0.36.0",
    "v0.36.1",
    "v0.37.0",
    "v0.4.0",
    "v0.5.0",
    "v0.6.0",
    "v0.6.1",
    "v0.7.0",
    "v0.8.0",
    "v0.9.0",
]
BPFTRACE = [
    "v0.10.0",
    "v0.11.0",
    "v0.11.1",
    "v0.11.2",
    "v0.11.3",
    "v0.11.4",
    "v0.12.0",
    "v0.12.1",
    "v0.13.0",
    "v0.13.1",
    "v0.14.0",
    "v0.14.1",
    "v0.15.0",
    "v0.16.0",
    "v0.17.0",
    "v0.17.1",
    "v0.18.0",
    "v0.18.1",
    "v0.19.0",
    "v0.19.1",
    "v0.20.0",
    "v0.20.1",
    "v0.20.2",
    "v0.20.3",
    "v0.20.4",
    "v0.21.0",
    "v0.21.1",
    "v0.21.2",
    "v0.21.3",
    "v0.22.0",
    "v0.22.1",
    "v0.23.0",
    "v0.23.1",
    "v0.23.2",
    "v0.23.3",
    "v0.23.4",
    "v0.23.5",
    "v0.24-rc0",
    "v0.24.0",
    "v0.24.1",
    "v0.24.2",
    "v0.25-rc0",
    "v0.25.0",
    "v0.25.1",
    "v0.26-rc0",
    "v0.26.0",
    "v0.26.1",
    "v0.8",
    "v0.9",
    "v0.9.1",
    "v0.9.2",
    "v0.9.3",
    "v0.9.4",
]


def test_the_lists_are_whole() -> None:
    assert (len(BCC), len(BPFTRACE)) == (49, 53)


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v0.17.0", (0, 17, 0)),
        ("v0.9", (0, 9)),
        ("v1", (1,)),
        ("v0.24-rc0", None),
        ("v0.24.0-rc1", None),
        ("v0.24.0rc1", None),
        ("0.29.0", None),
        ("v", None),
        ("v.1", None),
        ("v1.", None),
        ("vv1.0", None),
        ("v1.0\n", None),
        ("v١.٠", None),  # noqa: RUF001
        ("v1.2.3.4.5.6", None),
        ("v" + "9" * 5000, None),
    ],
)
def test_what_is_a_release(tag: str, version: tuple[int, ...] | None) -> None:
    assert parse_tag(tag) == version


def test_other_prefixes_are_taken_literally() -> None:
    assert parse_tag("release-1.2", "release-") == (1, 2)
    assert parse_tag("0.29.0", "") == (0, 29, 0)
    assert parse_tag("v1.0", ".") is None


@pytest.mark.parametrize(
    ("tags", "engine", "tag"),
    [
        (BPFTRACE, "v0.17.0", "v0.17.0"),
        (BPFTRACE, (0, 17, 0), "v0.17.0"),
        (BPFTRACE, "0.17.1", "v0.17.1"),
        (BPFTRACE, "0.17.5", "v0.17.1"),
        (BPFTRACE, "0.17", "v0.17.0"),
        (BPFTRACE, "v0.20.2-18-gabcdef", "v0.20.2"),
        (BPFTRACE, "0.21.2-1ubuntu1", "v0.21.2"),
        (BPFTRACE, "v0.24.0-rc0", "v0.23.5"),
        (BPFTRACE, "0.24~rc0", "v0.23.5"),
        (BPFTRACE, "0.99.0", "v0.26.1"),
        (BPFTRACE, "0.9.9", "v0.9.4"),
        (BPFTRACE, "0.8.5", "v0.8"),
        (BPFTRACE, "0.7", None),
        (BPFTRACE, "unknown", None),
        (BPFTRACE, "", None),
        (BPFTRACE, (), None),
        ([], "0.17.0", None),
        (["main", "v0.24-rc0"], "0.30.0", None),
        (BCC, "0.26.0+ds-1", "v0.26.0"),
        (BCC, (0, 26), "v0.26.0"),
        (BCC, "0.18.0", "v0.18.0"),
        (BCC, "0.36.5", "v0.36.1"),
        (BCC, "0.1.9", "v0.1.8"),
        (BCC, "0.29.0", "v0.29.0"),
        (["v0.16.0", "v0.17.0"], "0.17.1", "v0.17.0"),
        (["v0.16.0", "v0.18.0"], "0.17.1", "v0.16.0"),
    ],
)
def test_the_revision_that_fits(tags: list[str], engine: str | tuple[int, ...], tag: str | None) -> None:
    assert match_tag(tags, engine) == tag


def test_the_newest_release() -> None:
    assert newest_tag(BCC) == "v0.37.0"
    assert newest_tag(BPFTRACE) == "v0.26.1"
    assert newest_tag(["main", "v1-rc1"]) is None


def test_why_nothing_fits() -> None:
    assert explain_mismatch(BPFTRACE, (0, 7), "bpftrace") == (
        "bpftrace 0.7 is older than every release; the oldest is v0.8"
    )
    assert explain_mismatch([], "1.0") == "no tag is a release, such as v1.0"
    assert explain_mismatch(BCC, (), "bcc") == "the version of bcc is not known"
    assert explain_mismatch(BCC, "unknown", "bcc") == "the version of bcc is not known"


versions = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(tuple)


def pad(version: tuple[int, ...]) -> tuple[int, ...]:
    return (*version, 0, 0, 0, 0)[:4]


@given(st.lists(versions, max_size=30), versions)
def test_never_newer_and_nothing_better(releases: list[tuple[int, ...]], engine: tuple[int, ...]) -> None:
    tags = ["v" + ".".join(map(str, one)) for one in releases]
    chosen = match_tag(tags, engine)
    fitting = [one for one in releases if pad(one) <= pad(engine)]
    if chosen is None:
        assert not fitting
        return
    version = parse_tag(chosen)
    assert version is not None
    assert pad(version) == pad(max(fitting, key=pad))
    assert chosen in tags
    assert match_tag(reversed(tags), engine) == chosen


@given(st.lists(st.sampled_from(BCC)), st.text())
def test_any_text_of_an_engine_is_answered(tags: list[str], engine: str) -> None:
    assert match_tag(tags, engine) in {None, *tags}
