"""No bytes make a reader raise: catalogs are built from files that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.elf import Field, bpf_object, native_tool
from toolkit.analysis import MAX_BYTES, analyze, bcc, bpftrace, elf, shell
from toolkit.model import Engine

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
