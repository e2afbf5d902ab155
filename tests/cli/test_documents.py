"""Documents without a network: examples, manual pages and program texts, safe for a terminal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.conftest import Toolkit
from tests.support.git_repos import Repo
from toolkit.cli.documents import make_safe, plain_roff, read_document
from toolkit.errors import StateError


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"one\x1b]0;evil\x07 two\r\nthree\tfour\xff\n")
    assert read_document(file) == "one]0;evil two\nthree\tfour\ufffd\n"


def test_bold_and_underlined_text_is_the_text_alone() -> None:
    assert make_safe("N\x08NA\x08A \x1b[1mbold\x1b[0m _\x08x\n\x08\x1b]0;evil\x07") == "NA bold x\n]0;evil"


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
    told = json.loads(toolkit("source", "inhouse/runqlat", "--json").stdout)
    assert (told["variant"], [one["text"] for one in told["files"]]) == ("inhouse/runqlat", [done.stdout])


@pytest.mark.packages
def test_a_compiled_program_shows_its_c_text_with_a_heading_each(
    toolkit: Toolkit, own_home: Path, tmp_path: Path
) -> None:
    before = toolkit("source", "libbpf-tools/runqlat")
    assert before.returncode == 125
    assert "`toolkit sync` fetches the text" in before.stderr
    repo = Repo(tmp_path / "bcc.git")
    files = {f"libbpf-tools/runqlat.{ending}": f"// {ending}\n".encode() for ending in ("bpf.c", "c", "h")}
    repo.git("tag", "v0.1.0", repo.commit({**files, "libbpf-tools/vmlinux.h": b"// types\n"}))
    home = own_home / "toolkit"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.yaml").write_text(f'sources: {{bcc: {{url: "{repo.url}", revisions: v0.1.0}}}}')
    assert toolkit("sync", "bcc").returncode == 0
    shown = toolkit("source", "libbpf-tools/runqlat").stdout
    assert shown.count("==> ") == 3
    assert shown.startswith("==> runqlat.bpf.c of libbpf-tools v0.1.0; the package is ")
    assert shown.endswith(" <==\n// h\n")
    told = json.loads(toolkit("source", "libbpf-tools/runqlat", "--json").stdout)
    assert told["revision"] == "v0.1.0"
    assert [(Path(one["path"]).name, one["text"]) for one in told["files"]] == [
        ("runqlat.bpf.c", "// bpf.c\n"),
        ("runqlat.c", "// c\n"),
        ("runqlat.h", "// h\n"),
    ]


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
