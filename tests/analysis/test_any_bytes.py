"""No bytes make a reader raise: catalogs are built from files that others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.elf import Field, bpf_object, native_tool
from toolkit.analysis import MAX_BYTES, analyze, bcc, bpftrace, elf, shell
from toolkit.model import Engine
from toolkit.sources.registry import PACKAGES

TOOL = native_tool(bpf_object((("kprobe/vfs_read", "a"), ("usdt", "b")), (Field("usdt", "sock", "sk_err"),)))
# Pieces that get a text past the first look of a reader.
PIECES = st.sampled_from(
    [
        *("#!/bin/bash\n", "#!/usr/bin/bpftrace\n", "#ifndef X\n", "#endif\n", "/*", "*/", "//", "\n", "\\", '"', "'"),
        *("kprobe:a", "uprobe:/a/b", ",", "{", "}", "/", "config = {", "struct s {", "$1", "((struct s *)x)->y", ";"),
        *("if BPF.ksymname('a') != -1:\n", "    b.attach_kprobe(event='x')\n", "BPF(text='''", "'''", "def f(a):\n"),
        *(
            "    return f(a)\n",
            "f(1)\n",
            "x = x + 'a' % (x,)\n",
            "try:\n",
            "except E:\n",
            "while x:\n",
            "for a in b:\n",
        ),
        *("TRACEPOINT_PROBE(a, b)", "$lib/ucalls -l java", "USAGE: x [a [b]]", "[", "]", "(", ")", "\0", "é"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


@given(data=st.binary(max_size=400) | TEXTS.map(str.encode))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_a_reader_raise(data: bytes) -> None:
    bpftrace.analyze(data)
    bcc.analyze(data)
    shell.analyze(data)
    elf.analyze(data)


@given(place=st.integers(0, len(TOOL) - 1), change=st.binary(min_size=1, max_size=16), cut=st.integers(0, len(TOOL)))
@settings(max_examples=200, deadline=None)
def test_no_damaged_binary_makes_a_reader_raise(place: int, change: bytes, cut: int) -> None:
    elf.analyze(TOOL[:place] + change + TOOL[place + len(change) :])
    elf.analyze(TOOL[:cut])


@pytest.mark.parametrize("engine", Engine)
def test_what_is_too_large_is_not_read(engine: Engine) -> None:
    assert "64 MiB" in analyze(engine, b"#" * (MAX_BYTES + 1)).problem


@pytest.mark.parametrize("engine", Engine)
def test_what_is_empty_is_a_problem_or_nothing(engine: Engine) -> None:
    found = analyze(engine, b"")
    assert found.problem or found.fault or not found.probes


# What a real file looks like after some bytes of it were replaced, repeated or lost.
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from((b"", b"\0", b"\xff" * 8, b"{", b'"""', b"#if\n", b"struct x *y;")),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=8,
)


def change(data: bytes, changes: list[tuple[float, bytes, int]]) -> bytes:
    for place, new, lost in changes:
        at = int(place * len(data))
        data = data[:at] + new * (1 + lost % 3) + data[at + lost :]
    return data


@pytest.mark.packages
@given(changes=CHANGES, number=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_no_damage_to_a_packaged_tool_makes_a_reader_fail(changes: list[tuple[float, bytes, int]], number: int) -> None:
    found = PACKAGES.discover(Path("/"))
    tools = [one for one in found if one.engine is not Engine.BPFTRACE]
    one = tools[number % len(tools)]
    read = analyze(one.engine, change(Path(one.path).read_bytes(), changes), one.stem)
    assert "could not be read" not in read.problem


@pytest.mark.packages
def test_every_packaged_tool_can_be_read_and_attaches_something_that_is_needed() -> None:
    found = [one for one in PACKAGES.discover(Path("/")) if one.engine in (Engine.NATIVE, Engine.SHELL)]
    read = {one.stem: analyze(one.engine, Path(one.path).read_bytes(), one.stem) for one in found}
    assert {stem: one.problem for stem, one in read.items() if one.problem} == {}
    assert [one.stem for one in found if one.engine is Engine.NATIVE and not read[one.stem].probes] == []


# Files on which a reader that looks at everything behind each place would take minutes to days.
TEXTS_THAT_TAKE_LONG = {
    "blank lines": (Engine.SHELL, b"#!/bin/sh\n" + b"\n" * 200_000),
    "blanks": (Engine.SHELL, b"#!/bin/sh\n" + b" \t" * 100_000),
    "a wide comment": (Engine.BPFTRACE, b"// a" + b" " * 60_000 + b"b\nkprobe:f { exit(); }"),
    "a wide docstring": (Engine.BCC, b'"""a' + b" " * 60_000 + b'b"""'),
    "brackets": (
        Engine.BCC,
        b'from bcc import BPF\nb = BPF(text="")\nb.attach_kprobe(event_re="' + b"[" * 70_000 + b'")',
    ),
}


@pytest.mark.parametrize("name", TEXTS_THAT_TAKE_LONG)
def test_time_is_in_proportion_to_the_file(name: str) -> None:
    engine, data = TEXTS_THAT_TAKE_LONG[name]
    assert "could not be read" not in analyze(engine, data).problem


def test_of_a_tool_that_attaches_without_end_not_all_pairs_are_compared() -> None:
    tries = (f'try:\n  b.attach_kprobe(event="f{n}")\nexcept: b.attach_kprobe(event="g{n}")\n' for n in range(700))
    read = bcc.analyze(('from bcc import BPF\nb = BPF(text="int f;")\n' + "".join(tries)).encode())
    assert "f99" in {need.name for need in read.probes}
