"""The last look before a start: whose the files are, what a script names as its interpreter, and which rights count."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.plans import plan_for
from tests.support.samples import make_facts
from toolkit.errors import CannotRun
from toolkit.launch import guard
from toolkit.launch.guard import check_file, check_pressure, check_programs, check_rights
from toolkit.model import Analysis, Engine, EngineFact, Found, Variant
from toolkit.trust import Trust, find_distrust


def script(folder: Path, first: str) -> Path:
    file = folder / "tool"
    file.write_text(f"{first}\necho\n")
    file.chmod(0o755)
    return file


@pytest.mark.root
def test_the_interpreter_of_a_script_must_be_roots(tmp_path: Path) -> None:
    interpreter = tmp_path / "sh"
    interpreter.write_text("")
    check_programs(plan_for(str(script(tmp_path, "#!/bin/sh"))))
    check_programs(plan_for(str(script(tmp_path, "#! /usr/bin/env -S LC_ALL=C sh -e"))))
    check_programs(plan_for(str(script(tmp_path, f"#!{interpreter}"))))
    os.chown(interpreter, 65534, 65534)
    with pytest.raises(CannotRun, match="belongs to uid 65534"):
        check_programs(plan_for(str(script(tmp_path, f"#! {interpreter} -e"))))
    with pytest.raises(CannotRun, match="cannot look at /nonexistent"):
        check_programs(plan_for(str(script(tmp_path, "#!/nonexistent"))))


def test_a_part_must_be_what_was_analysed_as_well(tmp_path: Path) -> None:
    tool, part = tmp_path / "tool.py", tmp_path / "tool.c"
    tool.write_text("tool")
    part.write_text("part")
    sums = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tool, part)}
    plain = plan_for(str(tool)).choice.variant
    variant = replace(plain, sha256=sums[tool], analysis=Analysis(parts={"tool.c": sums[part]}))
    check_file(variant)
    part.write_text("other")
    with pytest.raises(CannotRun, match=r"tool\.c changed since it was analysed"):
        check_file(variant)
    part.unlink()
    with pytest.raises(CannotRun, match=r"cannot read .*tool\.c"):
        check_file(variant)


@pytest.mark.root
def test_every_link_and_folder_on_the_way_to_a_file_must_be_roots(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "hop").symlink_to(target)
    first = tmp_path / "first"
    first.symlink_to(foreign / "hop")
    assert find_distrust(first) == ""
    os.chown(foreign, 65534, 65534)  # who may swap the link in the middle
    assert f"{foreign} belongs to uid 65534" in find_distrust(first)
    assert find_distrust(first, (0, 65534)) == ""
    assert find_distrust(target) == ""


@pytest.mark.root
def test_a_link_that_a_linked_folder_leads_through_must_be_in_roots_folder(tmp_path: Path) -> None:
    real, foreign = tmp_path / "real", tmp_path / "foreign"
    real.mkdir()
    foreign.mkdir()
    (real / "tool").write_text("")
    (foreign / "hop").symlink_to(real)
    (tmp_path / "folder").symlink_to("foreign/hop")
    tool = tmp_path / "folder" / "tool"
    assert find_distrust(tool) == ""
    os.chown(foreign, 65534, 65534)  # neither in the tool's name nor in that of the file that it is
    assert f"{foreign} belongs to uid 65534" in find_distrust(tool)


@pytest.mark.root
def test_a_place_is_not_believed_since_one_below_it_was_looked_at(tmp_path: Path) -> None:
    below = tmp_path / "foreign" / "below"
    below.mkdir(parents=True)
    for name in ("a", "b"):
        (below / name).write_text("")
    os.chown(below.parent, 65534, 65534)
    trust = Trust()
    assert [str(below.parent) in trust.find_distrust(str(below / name)) for name in ("a", "b")] == [True, True]
    os.chown(below.parent, 0, 0)
    assert trust.find_distrust(str(below / "b")) == ""


@pytest.mark.root
def test_a_link_is_its_owners_to_change_although_its_folder_is_roots(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)  # as /tmp: who made a link there can put another one in its place
    (tmp_path / "tool").write_text("")
    (tmp_path / "link").symlink_to("tool")
    assert find_distrust(tmp_path / "link") == ""
    os.lchown(tmp_path / "link", 65534, 65534)
    assert find_distrust(tmp_path / "link") == f"{tmp_path / 'link'} belongs to uid 65534, not to root"


def test_a_link_that_leads_back_is_an_error_and_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="symbolic links"):
        find_distrust(tmp_path / "a")
    assert find_distrust(tmp_path / "here" / "here" / "file", (0, os.geteuid())) == ""


@pytest.mark.parametrize(
    ("version", "extra", "lacking"),
    [
        ("0.17.0", ("dac_read_search", "dac_override"), "root alone"),
        ("0.25.0", ("dac_read_search",), "CAP_DAC_OVERRIDE"),
        ("0.26.1", ("dac_read_search", "dac_override"), ""),
    ],
)
def test_what_bpftrace_asks_of_a_user_who_is_not_root(
    monkeypatch: pytest.MonkeyPatch, version: str, extra: tuple[str, ...], lacking: str
) -> None:
    engine = EngineFact(name=Engine.BPFTRACE, version=version, argv=("/usr/bin/bpftrace",))
    facts = make_facts(engines=(engine,), capabilities=frozenset({"bpf", "perfmon", *extra}))
    plain = plan_for("/bin/true").choice.variant
    found = Found(upstream="inhouse", source="inhouse", stem="x", engine=Engine.BPFTRACE, path="/x.bt")
    variant: Variant = replace(plain, found=found)
    check_rights(variant, facts) if os.geteuid() == 0 else None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    check_rights(plain, facts)
    if not lacking:
        check_rights(variant, facts)
        return
    with pytest.raises(CannotRun, match=lacking):
        check_rights(variant, facts)


def test_a_busy_host_is_told_from_a_calm_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for stalled, busy in ((80.0, False), (80.1, True), (None, False)):  # None: no CONFIG_PSI
        monkeypatch.setattr(guard, "read_stall", lambda value=stalled: value)
        if busy:
            with pytest.raises(CannotRun, match="too busy"):
                check_pressure(80)
        else:
            check_pressure(80)
