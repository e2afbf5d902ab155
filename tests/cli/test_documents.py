"""Documents without a network: examples, manual pages and program texts, safe for a terminal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.conftest import Toolkit
from toolkit.cli.documents import plain_roff, read_document
from toolkit.errors import StateError


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"one\x1b]0;evil\x07 two\r\nthree\tfour\xff\n")
    assert read_document(file) == "one]0;evil two\nthree\tfour\ufffd\n"


def test_gzipped_documents_are_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(b"a" * (64 << 20)))
    assert len(read_document(file)) == 4 << 20
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(StateError):
        read_document(file)


def test_a_manual_page_is_readable_without_man() -> None:
    roff = '.TH x 8\n.SH NAME\nx \\- does \\fBthings\\fP\n.\\" a comment\n.TP\n\\-p PID\nonly this\n'
    assert plain_roff(roff) == "x 8\n\nNAME\nx - does things\n\n-p PID\nonly this\n"


def test_the_text_of_a_script_is_shown(toolkit: Toolkit) -> None:
    done = toolkit("source", "inhouse/runqlat")
    assert done.returncode == 0
    assert done.stdout.startswith("#!/usr/bin/env bpftrace\n")
    assert json.loads(toolkit("source", "inhouse/runqlat", "--json").stdout)["variant"] == "inhouse/runqlat"


def test_a_document_that_is_not_here_is_said(toolkit: Toolkit) -> None:
    done = toolkit("examples", "inhouse/runqlat")
    assert done.returncode == 125
    assert "no examples of runqlat are on this host" in done.stderr


@pytest.mark.packages
def test_the_packages_documents_are_found(toolkit: Toolkit) -> None:
    assert "biosnoop" in toolkit("man", "bcc/biosnoop").stdout
    examples = toolkit("examples", "bcc/biosnoop")
    assert examples.returncode in (0, 125)  # a container image may leave documents out
    if examples.returncode == 0:
        assert "biosnoop" in examples.stdout


def test_searching_finds_tools_by_symptom(toolkit: Toolkit) -> None:
    assert toolkit("search", "slow", "disk").stdout.startswith("bio")
    assert toolkit("search", "xyzzy").returncode == 1
    found = json.loads(toolkit("search", "--json", "cpu", "saturation").stdout)
    assert "runqlat" in [one["name"] for one in found["tools"]]
