"""`toolkit facts`, as its users meet it."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.conftest import Toolkit
from tests.support.captures import make_captures
from toolkit.cli.facts import GROUPS
from toolkit.host.exported import read_facts
from toolkit.model import Engine, Facts

ROOT = Path(__file__).parent.parent.parent


def test_every_family_of_facts_is_shown_once() -> None:
    families = [name for name, kind in Facts.__annotations__.items() if kind.startswith("Fact[")]
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(families)


def test_each_fact_is_a_line_with_its_value_or_reason(toolkit: Toolkit) -> None:
    done = toolkit("facts")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{os.uname().release} {os.uname().machine}")
    assert [title for title in GROUPS if title not in lines] == []
    memlock = next(line for line in lines if line.startswith("  memlock"))
    assert memlock.endswith("/proc/self/limits")
    assert all(line.rstrip() == line for line in lines)


def test_json_has_big_sets_as_counts(toolkit: Toolkit) -> None:
    document = json.loads(toolkit("facts", "--json").stdout)
    assert document["shape"] == 1
    assert document["source"] == ""
    symbols = document["facts"]["symbols"]
    assert symbols["value"] is None
    assert symbols["count"] or symbols["unknown"]
    assert {"value", "count", "unknown", "origin"} == document["program_kinds"]["xdp"].keys()


def test_an_export_is_what_another_machine_reads(toolkit: Toolkit, tmp_path: Path) -> None:
    file = tmp_path / "here.json.gz"
    done = toolkit("facts", "--export", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert str(file) in done.stderr
    facts = read_facts(file)
    assert facts.release == os.uname().release
    shown = toolkit("facts", "--from", str(file))
    assert shown.stdout.splitlines() == toolkit("facts").stdout.splitlines()
    assert json.loads(toolkit("facts", "--from", str(file), "--json").stdout)["source"] == str(file)


def test_an_export_to_stdout_is_nothing_else(toolkit: Toolkit) -> None:
    document = json.loads(toolkit("facts", "--export", "-", "--json").stdout)
    assert document["format"] == "toolkit facts"


def test_captures_become_facts_with_other_engines(toolkit: Toolkit, tmp_path: Path) -> None:
    folder = make_captures(tmp_path / "captures")
    file = tmp_path / "prod.json"
    done = toolkit("facts", "--from", str(folder), "--engine", "bpftrace=v0.23.2", "--export", str(file))
    assert done.returncode == 0
    assert {one.name: one.version for one in read_facts(file).engines}[Engine.BPFTRACE] == "0.23.2"
    shown = toolkit("facts", "--from", str(folder)).stdout
    assert shown.startswith("6.1.0-test aarch64 fedora\n")
    assert "not known" in shown


def test_facts_of_a_user_without_rights_are_said_to_be_so(toolkit: Toolkit, tmp_path: Path) -> None:
    folder = make_captures(tmp_path / "captures")
    export = ("facts", "--from", str(folder), "--export", str(tmp_path / "prod.json"))
    assert "may not load BPF programs" not in toolkit(*export).stderr
    (folder / "caps.txt").write_text("CapEff:\t0000000000000000\n")
    assert "those of a user who may not load BPF programs" in toolkit(*export).stderr


def test_a_root_is_where_programs_are_looked_for(toolkit: Toolkit, tmp_path: Path) -> None:
    document = json.loads(toolkit("facts", "--root", str(tmp_path), "--json").stdout)
    assert not any(answer for need, answer in document["looked"].items() if need.startswith("program:"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "/no/such"), "cannot read /no/such"),
        (("--from", "/etc/passwd"), "/etc/passwd is no file of facts"),
        (("--from", "/usr"), "/usr holds no captures"),
        (("--root", "/no/such"), "/no/such is no folder"),
        (("--from", ""), "--from: an empty text names no file"),
        (("--root", ""), "--root: an empty text names no file"),
        (("--export", ""), "--export: an empty text names no file"),
        (("--engine", "bpftrace"), "'bpftrace' is not like bpftrace=0.23.2"),
        (("--engine", "native=1.0"), "'native=1.0' is not like"),
        (("--engine", "bcc=new"), "'bcc=new' is not like"),
        (("--engine", "bcc=0.31.0foo"), "'bcc=0.31.0foo' is not like"),
        (("--export", "/no/such/file"), "cannot write /no/such/file"),
        (("--export", "/dev/full"), "cannot write /dev/full: No space left on device"),
        (("--bad",), "there is no option"),
    ],
)
def test_a_mistake_is_said_in_words(arguments: tuple[str, ...], words: str, toolkit: Toolkit) -> None:
    done = toolkit("facts", *arguments)
    assert done.returncode == 125
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_damaged_export_is_refused(toolkit: Toolkit, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b'{"format": "toolkit facts", "version": 9}'))
    done = toolkit("facts", "--from", str(tmp_path / "x.gz"))
    assert (done.returncode, "has version 9" in done.stderr) == (125, True)


def test_the_script_that_takes_captures_is_at_hand(toolkit: Toolkit) -> None:
    done = toolkit("facts", "--capture-script")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "scripts" / "capture-facts").read_text()
