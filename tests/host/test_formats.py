"""The fields of tracepoints."""

from __future__ import annotations

from collections.abc import Callable, Set
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.host.formats import parse_format, read_formats
from toolkit.host.tree import Tree
from toolkit.model import Fact

Write = Callable[..., Path]
TRACEFS = "/sys/kernel/tracing"
FORMAT = """name: sched_process_exec
ID: 311
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;
\tfield:u8 mac[32+1];\toffset:28;\tsize:33;\tsigned:0;
\tfield:unsigned long args[6] ;\toffset:64;\tsize:48;\tsigned:0;

print fmt: "filename=%s", __get_str(filename)
"""


def test_the_last_word_before_the_length_is_the_name() -> None:
    assert parse_format(FORMAT) == ("common_type", "common_pid", "filename", "comm", "mac", "args")


def test_fields_stand_under_their_event(tmp_path: Path, write: Write) -> None:
    write(tmp_path, f"{TRACEFS}/events/sched/sched_process_exec/format", FORMAT)
    events: Fact[Set[str]] = Fact(frozenset({"sched:sched_process_exec", "sched:gone", "no_colon"}))
    fact = read_formats(Tree(tmp_path), Fact(TRACEFS), events)
    assert fact.value is not None
    assert "sched:sched_process_exec.filename" in fact.value
    assert fact.origin == f"{TRACEFS}/events"


def test_without_tracefs_or_events_they_are_unknown(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    events: Fact[Set[str]] = Fact(frozenset({"a:b"}))
    assert read_formats(tree, Fact(unknown="needs root"), events).unknown == "needs root"
    assert read_formats(tree, Fact(TRACEFS), Fact(unknown="it is empty")).unknown == "it is empty"
    assert read_formats(tree, Fact(TRACEFS), events).unknown.endswith("has a format")


@given(st.text(max_size=300) | st.lists(st.sampled_from(["\tfield:", "a", "[", "]", ";", "\n", " "])).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_text_has_names_or_none(text: str) -> None:
    assert all(name and ";" not in name for name in parse_format(text))


def test_megabytes_of_nothing_end() -> None:
    for text in (" " * (1 << 20), "\n\t" * (1 << 19), "\tfield:" + "a" * (1 << 20), "\tfield:" * (1 << 17)):
        assert parse_format(text) == ()
