"""No text makes the reader of bpftrace programs raise, or take more than its length: damaged ones, hostile ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.samples import make_facts
from toolkit.analysis.bpftrace import analyze
from toolkit.compat import judge
from toolkit.model import Engine, Found, Variant

PROGRAMS = sorted(Path("/usr/sbin").glob("*.bt"))
PIECES = (
    *("@a[", "[(", "((", "{", "}", "@x;", "$x;", "{$x=1;}", "args.x;", "f(", "@a[1]=1;", "delete(@a[", "..", "1ns"),
    *('"', "/*", "//\n", "#define x\n", "struct s {", "(struct s *)", "((struct s*)x)->y;", "$x=(struct s *)y;$x->z;"),
    *(
        "kprobe:f{",
        "tracepoint:a:*,",
        "kprobe:f/",
        "uprobe:/a/*:f{}",
        "config={",
        "macro m(@x){",
        "\\",
        "let $x;",
        "\0",
    ),
)
HEADS = ("", "kprobe:f{ ", 'config = { missing_probes = "warn" } tracepoint:a:b{ ')


def analyze_and_judge(data: bytes) -> None:
    """Read it, and decide on what was read: the whole way of a foreign file."""
    analysis = analyze(data)
    found = Found(upstream="x", source="x", stem="x", engine=Engine.BPFTRACE, path="/x.bt")
    judge(Variant(tool="x", found=found, analysis=analysis), make_facts())


@pytest.mark.packages
@given(
    program=st.sampled_from(PROGRAMS or [Path("/nowhere")]),
    place=st.floats(0, 1),
    length=st.integers(0, 60),
    put=st.sampled_from(PIECES) | st.text(max_size=8),
    again=st.integers(1, 4),
)
@settings(max_examples=150, deadline=None)
def test_a_damaged_program_makes_nothing_raise(program: Path, place: float, length: int, put: str, again: int) -> None:
    text = program.read_text()
    at = int(place * len(text))
    analyze_and_judge((text[:at] + put * again + text[at + length :]).encode(errors="replace"))


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), head=st.sampled_from(HEADS))
@settings(max_examples=150, deadline=None)
def test_no_heap_of_words_makes_anything_raise(pieces: list[str], head: str) -> None:
    analyze_and_judge((head + "".join(pieces) + " }").encode())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("piece", PIECES)
def test_time_is_in_proportion_to_the_text(piece: str, head: str) -> None:
    analyze_and_judge((head + piece * (30_000 // len(piece))).encode() + b" }")


def test_a_text_larger_than_any_program_is_not_read() -> None:
    assert analyze(b"kprobe:f {} " * 10_000).problem == "larger than any bpftrace program is"
