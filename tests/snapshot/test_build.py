"""Joining found files with the curated catalog: aliases, hashes, guessed categories, and files that cannot be taken."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.support.samples import need
from toolkit.catalog.curated import Curated
from toolkit.model import Analysis, Category, Engine, Found, Risk, Signature, Tool
from toolkit.snapshot.build import Reader, analysis_key, build_index, hide_interpreter
from toolkit.trust import find_distrust

CURATED = Curated(
    categories=(Category(name="disk", summary="Disks"), Category(name="multi", summary="All")),
    sources=(),
    tools=(Tool(name="biolatency", category="disk", aliases=("biolatency-tp",)),),
)


def found(path: Path, stem: str, source: str = "inhouse", category: str = "") -> Found:
    return Found(
        upstream="bpftrace", source=source, stem=stem, engine=Engine.BPFTRACE, path=str(path), category=category
    )


def analyse(engine: Engine, data: bytes, name: str, parts: Mapping[str, bytes]) -> Analysis:
    return Analysis(probes=(need("tracepoint:block:block_rq_issue"),), summary=f"{len(data)} bytes")


def test_a_file_becomes_a_variant_of_the_tool_whose_alias_it_is(tmp_path: Path) -> None:
    file = tmp_path / "biolatency-tp.bt"
    file.write_text("BEGIN {}")
    index = build_index(CURATED, (found(file, "biolatency-tp"),), Reader(analyse))
    (variant,) = index.variants
    assert (variant.tool, variant.id) == ("biolatency", "bpftrace/biolatency-tp")
    assert variant.sha256 == hashlib.sha256(b"BEGIN {}").hexdigest()
    assert [tool.name for tool in index.tools] == ["biolatency"]


def test_a_tool_that_nobody_curated_appears_under_a_guessed_category(tmp_path: Path) -> None:
    file = tmp_path / "diskthing.bt"
    file.write_text("BEGIN {}")
    index = build_index(CURATED, (found(file, "diskthing"),), Reader(analyse))
    tool = next(tool for tool in index.tools if tool.name == "diskthing")
    assert (tool.category, tool.curated, tool.summary) == ("disk", False, "8 bytes")


def test_a_tool_that_nobody_curated_must_be_allowed_when_it_sends_signals(tmp_path: Path) -> None:
    file = tmp_path / "killer.bt"
    file.write_text("kprobe:f { signal(9); }")

    def analyse_unsafe(engine: Engine, data: bytes, name: str, parts: Mapping[str, bytes]) -> Analysis:
        return Analysis(signature=Signature(unsafe=b"signal(" in data))

    index = build_index(CURATED, (found(file, "killer"),), Reader(analyse_unsafe))
    assert next(tool for tool in index.tools if tool.name == "killer").risk == (Risk.DESTRUCTIVE,)
    index = build_index(CURATED, (found(file, "killer"),), Reader(analyse))
    assert next(tool for tool in index.tools if tool.name == "killer").risk == ()


def test_the_folder_that_it_lies_in_is_a_better_guess(tmp_path: Path) -> None:
    file = tmp_path / "x.bt"
    file.write_text("")
    index = build_index(CURATED, (found(file, "x", category="multi"),), Reader(analyse))
    assert next(tool for tool in index.tools if tool.name == "x").category == "multi"


def test_what_was_analysed_before_is_not_analysed_again(tmp_path: Path) -> None:
    file = tmp_path / "x.bt"
    file.write_text("same")
    key = analysis_key(Engine.BPFTRACE, "x", hashlib.sha256(b"same").hexdigest())

    def fail(engine: Engine, data: bytes, name: str, parts: Mapping[str, bytes]) -> Analysis:
        raise AssertionError("analysed again")

    reader = Reader(fail)
    reader.learn({key: Analysis(summary="known")})
    (variant,) = build_index(CURATED, (found(file, "x"),), reader).variants
    assert variant.analysis.summary == "known"
    with pytest.raises(AssertionError, match="analysed again"):  # one program under another name is another tool
        build_index(CURATED, (found(file, "y"),), reader)


def test_a_tool_with_other_parts_is_analysed_again(tmp_path: Path) -> None:
    file, part = tmp_path / "x.py", tmp_path / "x.c"
    file.write_text("from bcc import BPF\nBPF(src_file='x.c')\n")
    one = msgspec.structs.replace(found(file, "x"), engine=Engine.BCC)
    reader = Reader()
    reader.learn(
        {analysis_key(Engine.BCC, "x", hashlib.sha256(file.read_bytes()).hexdigest()): Analysis(summary="old")}
    )
    read: list[str] = []
    for event in ("sched_switch", "sched_wakeup"):
        part.write_text(f"TRACEPOINT_PROBE(sched, {event}) {{ }}")
        (variant,) = build_index(CURATED, (one,), reader).variants
        read += map(str, variant.analysis.probes)
        assert variant.analysis.parts == {"x.c": hashlib.sha256(part.read_bytes()).hexdigest()}
    assert read == ["tracepoint:sched:sched_switch", "tracepoint:sched:sched_wakeup"]


def test_the_same_text_is_analysed_once_whatever_its_interpreter_is_called(tmp_path: Path) -> None:
    lines = ("#!/usr/bin/python\n", "#! /usr/bin/env -S python3 -u\n", "#!/usr/bin/python # coding: latin-1\n")
    for number, line in enumerate((*lines, *lines)):
        (tmp_path / str(number)).write_text(f"{line}print(1)\n")
    read: list[bytes] = []

    def note(engine: Engine, data: bytes, name: str, parts: Mapping[str, bytes]) -> Analysis:
        read.append(data)
        return Analysis(summary=f"number {len(read)}")

    offered = tuple(found(tmp_path / str(number), "x") for number in range(6))
    index = build_index(CURATED, (*offered, found(tmp_path / "0", "y")), Reader(note))
    numbers = [variant.analysis.summary.removeprefix("number ") for variant in index.variants]
    assert numbers == ["1", "1", "2", "1", "1", "2", "3"]
    assert read == [b"#!/\nprint(1)\n", f"{lines[2]}print(1)\n".encode(), b"#!/\nprint(1)\n"]
    assert len({variant.sha256 for variant in index.variants}) == 3  # a launch checks the file as it is


def test_what_is_known_of_one_copy_is_known_of_another(tmp_path: Path) -> None:
    for name in ("python", "python3"):
        (tmp_path / name).write_text(f"#!/usr/bin/{name}\n")
    packaged, synced = found(tmp_path / "python3", "x"), found(tmp_path / "python", "x")
    key = analysis_key(Engine.BPFTRACE, "x", hashlib.sha256(b"#!/usr/bin/python3\n").hexdigest())
    reader = Reader(analyse)
    reader.learn({key: Analysis(summary="known")})
    index = build_index(CURATED, (packaged, synced), reader)
    assert [variant.analysis.summary for variant in index.variants] == ["known", "known"]


@pytest.mark.parametrize("data", [b"", b"#", b"#!", b"#!/bin/sh", b"\x7fELF\n", b"BEGIN {}\n#!/bin/sh\n", b"#!/\xff\n"])
def test_what_has_no_plain_first_line_stays_as_it_is(data: bytes) -> None:
    assert hide_interpreter(data) == data


def test_files_that_cannot_be_taken_are_named_and_the_others_stay(tmp_path: Path) -> None:
    good = tmp_path / "good.bt"
    good.write_text("")
    os.mkfifo(tmp_path / "fifo.bt")
    with (tmp_path / "huge.bt").open("wb") as huge:
        huge.truncate(2 << 30)
    offered = tuple(found(tmp_path / f"{stem}.bt", stem) for stem in ("gone", "fifo", "huge", "good"))
    index = build_index(CURATED, offered, Reader(analyse))
    assert [variant.found.stem for variant in index.variants] == ["good"]
    assert [text.partition(": ")[2] for text in index.skipped] == [
        "No such file or directory",
        "not a regular file",
        "larger than 64 MiB",
    ]


@pytest.mark.root
def test_a_packaged_file_that_others_can_write_is_distrusted() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/var/lib") as folder:
        file = Path(folder) / "tool"
        file.write_text("")
        Path(folder).chmod(0o755)
        file.chmod(0o755)
        assert find_distrust(file) == ""
        file.chmod(0o775)
        assert "can be written by others" in find_distrust(file)
        file.chmod(0o755)
        os.chown(file, 65534, 0)
        assert "belongs to uid 65534" in find_distrust(file)
        os.chown(file, 0, 0)
        Path(folder).chmod(0o777)
        assert folder in find_distrust(file)
