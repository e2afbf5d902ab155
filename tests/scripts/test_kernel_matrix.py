"""The table of kernels, what a guest is asked to start, and the verdicts on what it saw."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.kernel_matrix.__main__ import main
from scripts.kernel_matrix.classify import classify, write_line
from scripts.kernel_matrix.machine import write_cpio
from scripts.kernel_matrix.roots import PARTS, read_versions
from scripts.kernel_matrix.table import read_table
from scripts.kernel_matrix.tasks import list_tasks, read_calls
from tests.conftest import ROOT
from toolkit.model import Engine

KPROBE = 2


def make_seen(**changes: Any) -> dict[str, Any]:
    """What a guest saw of a tool that attached one program and was still running."""
    program = {"id": 7, "type": KPROBE, "name": "vfs_read", "ran": 3}
    whole: dict[str, Any] = {
        "source": "packages:x",
        "file": "/usr/sbin/x",
        "args": [],
        "engine": "native",
        "exit": None,
        "stdout": "",
        "stderr": "",
    }
    return {**whole, "programs": [program], "attached": [["kprobe:vfs_read", 7]], **changes}


def test_the_table_is_whole() -> None:
    table = read_table()
    assert {kernel.suite for kernel in table.kernels.values()} <= set(table.suites)
    assert len({suite.engines for suite in table.suites.values()}) == len(table.suites)
    for suite in table.suites.values():
        assert {"bpftrace", "bpfcc-tools", "bpftool"} <= set(suite.packages)


def test_arguments_name_engines_that_there_are() -> None:
    calls = read_calls().calls
    assert {key.split("/")[0] for key in calls if "/" in key} <= set(Engine)
    assert all(isinstance(word, str) for several in calls.values() for words in several for word in words)


def test_what_runs_in_a_guest_stands_alone() -> None:
    for name in ("guest.py", "load.py"):
        tree = ast.parse((ROOT / "scripts/kernel_matrix" / name).read_text(), feature_version=(3, 9))
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert imported <= sys.stdlib_module_names | {"__future__"}


@pytest.mark.parametrize(
    ("changes", "verdict", "silent"),
    [
        ({}, "runs", False),
        ({"exit": 0}, "runs", False),  # it ended by itself, having traced
        ({"attached": []}, "partial", True),
        ({"attached": [], "stderr": "WARNING: vfs_read is not traceable"}, "partial", False),
        ({"stderr": "WARNING: could not attach probe kprobe:vfs_x, skipping"}, "partial", False),
        ({"exit": 1, "attached": []}, "blocked", False),
        ({"exit": 255}, "blocked", False),
        ({"exit": 0, "programs": [], "attached": [], "stderr": "failed to init perf sampling"}, "blocked", False),
        ({"exit": 1, "programs": [], "attached": [], "stdout": "USAGE: x PID"}, "untested", False),
        ({"failed": "No such file or directory"}, "untested", False),
    ],
)
def test_verdicts(changes: dict[str, Any], verdict: str, silent: bool) -> None:
    found = classify(make_seen(**changes))
    assert (found.verdict, found.silent) == (verdict, silent)


def test_what_begins_and_ends_a_script_is_no_event() -> None:
    begin = {"id": 8, "type": KPROBE, "name": "BEGIN_1", "ran": 1}
    found = classify(make_seen(programs=[begin], attached=[["uprobe:/usr/bin/bpftrace", 8]]))
    assert (found.verdict, found.silent, found.attached) == ("partial", True, 0)


def test_what_is_loaded_and_not_attached_is_missing_where_the_engine_chose_not_to() -> None:
    programs = [{"id": number, "type": KPROBE, "name": f"kprobe_x{number}", "ran": 0} for number in (7, 8)]
    assert classify(make_seen(programs=programs)).verdict == "runs"
    found = classify(make_seen(programs=programs, engine="bpftrace"))
    assert (found.verdict, found.object, found.silent) == ("partial", "kprobe_x8", False)


def test_a_perf_event_of_which_the_kernel_does_not_tell_counts() -> None:
    assert classify(make_seen(attached=[["perf_event", 0]])).verdict == "runs"


def test_the_reason_is_what_the_tool_said() -> None:
    said = "libbpf: prog 'x': failed to create kprobe 'md_flush_request+0x0' perf event: No such file or directory"
    line = write_line(make_seen(exit=1, attached=[], stderr=said))
    assert (line["reason"], line["object"]) == ("missing kprobe symbol", "md_flush_request")
    assert set(line) == {
        "source", "file", "args", "verdict", "reason", "object", "silent", "programs", "attached", "saw_events",
    }  # fmt: skip


def test_a_kernels_parts_are_its_own_packages() -> None:
    named = ("linux-image-6.1.0-9-amd64", "linux-headers-6.1.0-9-common", "linux-kbuild-6.1", "linux-base", "gcc-12")
    assert [name for name in named if PARTS.fullmatch(name)] == list(named[:3])


def test_versions_are_read_from_a_roots_list(tmp_path: Path) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: bpftrace\nStatus: install ok installed\nDescription: x\n more\nVersion: 0.23.2-1\n\n"
        "Package: bash\nVersion: 5.2\n"
    )
    assert read_versions(tmp_path, ("bpftrace", "bcc")) == {"bpftrace": "0.23.2-1"}


def test_tasks_are_a_roots_tools_with_their_arguments(tmp_path: Path) -> None:
    listed = tmp_path / "var/lib/dpkg/info/bpftrace.list"
    listed.parent.mkdir(parents=True)
    listed.write_text("/usr/sbin/threaded.bt\n/usr/sbin/vfscount.bt\n")
    (tmp_path / "usr/sbin").mkdir(parents=True)
    for name in ("threaded", "vfscount"):
        (tmp_path / f"usr/sbin/{name}.bt").write_text("BEGIN {}")
    tasks = list_tasks(tmp_path, {}, {Engine.BPFTRACE}, "")
    assert [task.argv for task in tasks] == [
        ("/usr/bin/bpftrace", "/usr/sbin/threaded.bt", "{pid}"),
        ("/usr/bin/bpftrace", "/usr/sbin/vfscount.bt"),
    ]
    assert tasks[0].id == "packages:bpftrace /usr/sbin/threaded.bt {pid}"
    assert list_tasks(tmp_path, {}, {Engine.NATIVE}, "") == []


def test_an_initramfs_is_one_that_cpio_reads(tmp_path: Path) -> None:
    write_cpio({"init": (0o100755, b"#!/bin/sh\n"), "bin": (0o040755, b"")}, tmp_path / "archive")
    data = (tmp_path / "archive").read_bytes()
    assert data.startswith(b"070701")
    assert len(data) % 4 == 0
    assert data.count(b"070701") == 3


def test_what_is_asked_wrongly_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for words, said in ((["no-such"], "no kernel no-such"), (["--engines", "perl"], "no engine perl")):
        monkeypatch.setattr(sys, "argv", ["kernel-matrix", *words])
        with pytest.raises(SystemExit):
            main()
        assert said in capsys.readouterr().err


def test_bpftraces_own_programs_are_no_probes_in_small_letters_either() -> None:
    program = {"id": 8, "type": KPROBE, "name": "begin_1", "ran": 1}
    seen = make_seen(engine="bpftrace", programs=[*make_seen()["programs"], program])
    assert classify(seen).verdict == "runs"
    assert classify({**seen, "programs": [program], "attached": []}).verdict == "partial"  # it traces nothing


def test_a_script_that_was_still_compiled_when_its_time_was_over_shows_nothing() -> None:
    found = classify(make_seen(engine="bpftrace", programs=[], attached=[], stderr="x.h:1:1: error: no such type"))
    assert (found.verdict, found.reason) == ("untested", "not started")
