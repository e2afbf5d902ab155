"""Which functions and USDT probes a program or library defines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.elf import library
from toolkit.host.elf_symbols import Exports, read_exports
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.model import Need, NeedKind

LIBRARY = library(("SSL_read", "SSL_write"), ("openssl:handshake", "openssl:record"), ("malloc",))
NOTHING = Exports(frozenset(), frozenset())


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_defined_is_told_from_what_is_imported(wide: bool, order: str) -> None:
    data = library(
        ("SSL_read", "SSL_write"), ("openssl:handshake", "python:gc__start"), ("malloc",), wide=wide, order=order
    )
    assert read_exports(data).functions == {"SSL_read", "SSL_write"}
    assert read_exports(data).probes == {"openssl:handshake", "python:gc__start"}


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n" * 20, b"\x7fELF", b"\x7fELF" + b"\xff" * 100, LIBRARY[:200]])
def test_what_is_no_elf_or_cut_off_defines_nothing(data: bytes) -> None:
    assert read_exports(data) == NOTHING


@given(
    place=st.integers(0, len(LIBRARY) - 1), change=st.binary(min_size=1, max_size=8), cut=st.integers(0, len(LIBRARY))
)
@settings(max_examples=400, deadline=None)
def test_damage_anywhere_is_no_error(place: int, change: bytes, cut: int) -> None:
    damaged = LIBRARY[:place] + change + LIBRARY[place + len(change) :]
    read_exports(damaged)
    read_exports(damaged[:cut])


def test_a_name_without_an_end_is_none() -> None:
    long = library(("a" * 100_000, "b"))
    assert read_exports(long) == NOTHING


def test_this_machines_libraries_define_what_they_are_for() -> None:
    answers = {"getaddrinfo": True, "get*info": True, "no_such_function": False}
    found = look_up(Need(kind=NeedKind.UPROBE, name=f"libc:{name}") for name in answers)
    assert found == {f"uprobe:libc:{name}": answer for name, answer in answers.items()}


def test_a_whole_file_is_read_without_reading_it(tmp_path: Path, write: Callable[..., Path]) -> None:
    write(tmp_path, "/opt/tool").write_bytes(LIBRARY)
    with Tree(tmp_path).view("/opt/tool") as data:
        assert read_exports(data).functions == {"SSL_read", "SSL_write"}
