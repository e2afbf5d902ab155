"""`toolkit check`: files and tools against facts of other hosts, as a table, JSON and CSV, with a status for CI."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.support.terminal import open_terminal

SCRIPT = "#!/usr/bin/env bpftrace\ntracepoint:{} {{ @ = count(); }}\n"
KERNELS = {"prod-a": "sched:sched_switch\nblock:block_rq_issue\n", "prod-b": "sched:sched_switch\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with three tools, and captures of two kernels beside it."""
    tools = tmp_path / "tools"
    (tools / "disk").mkdir(parents=True)
    (tools / "switches.bt").write_text(SCRIPT.format("sched:sched_switch"))
    (tools / "disk" / "issues.bt").write_text(SCRIPT.format("block:block_rq_issue"))
    (tools / "README.md").write_text("no tool")
    for name, tracepoints in KERNELS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "uname-r").write_text(f"6.1.0-{name}\n")
        (folder / "tracepoints.txt").write_text(tracepoints)
        (folder / "caps.txt").write_text("CapEff:\t000001ffffffffff\n")
        (folder / "bpftool-feature.json").write_text('{"have_bpf_syscall": true}')
        (folder / "bpftrace-version.txt").write_text("bpftrace v0.17.0\n")
    return tmp_path


def facts(repository: Path) -> list[str]:
    return [text for name in KERNELS for text in ("--facts", str(repository / name))]


def test_a_repository_is_checked_against_each_kernel(toolkit: Toolkit, repository: Path) -> None:
    done = toolkit("check", str(repository / "tools"), *facts(repository))
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[:2] == [["prod-a", "prod-b"], ["6.1.0-prod-a", "6.1.0-prod-b"]]
    cells = {Path(line[0]).name: line[1:] for line in lines[2:4]}
    assert cells == {"switches.bt": ["runs", "runs"], "issues.bt": ["runs", "blocked"]}
    assert "1 of 2 run on all of the 2 kernels; 1 blocked on one or more. --why says why." in done.stdout
    assert done.returncode == 1


def test_the_status_is_for_use_in_ci(toolkit: Toolkit, repository: Path) -> None:
    good = str(repository / "tools" / "switches.bt")
    assert toolkit("check", good, *facts(repository)).returncode == 0
    only = str(repository / "tools")
    assert toolkit("check", only, "--facts", str(repository / "prod-a"), "--fail-on", "unknown").returncode == 0
    assert toolkit("check", only, "--facts", str(repository / "prod-b")).returncode == 1


def test_why_says_what_is_missing_where(toolkit: Toolkit, repository: Path) -> None:
    done = toolkit("check", str(repository / "tools"), *facts(repository), "--why")
    assert "  prod-b: blocked\n    this kernel has no tracepoint block:block_rq_issue\n" in done.stdout
    assert "--why" not in done.stdout


def test_json_has_a_cell_for_each_kernel_and_engine(toolkit: Toolkit, repository: Path) -> None:
    newer = repository / "newer.bt"
    newer.write_text(SCRIPT.format("sched:sched_switch") + "interval:s:1 { print(nsecs(boot)); }\n")
    engines = ("--engine", "bpftrace=0.17.0", "--engine", "bpftrace=0.23.2")
    done = toolkit("check", str(newer), "--facts", str(repository / "prod-a"), *engines, "--json")
    document = json.loads(done.stdout)
    assert [one["engines"]["bpftrace"] for one in document["kernels"]] == ["0.17.0", "0.23.2"]
    (row,) = document["rows"]
    assert [cell["verdict"]["status"] for cell in row["cells"]] == ["blocked", "runs"]
    assert (row["path"], row["engine"], document["failed"]) == (str(newer), "bpftrace", [str(newer)])


def test_csv_has_a_line_for_each_row_and_kernel(toolkit: Toolkit, repository: Path) -> None:
    done = toolkit("check", str(repository / "tools"), *facts(repository), "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    found = {(Path(row["path"]).name, row["kernel"]): row["status"] for row in rows}
    assert found["issues.bt", "prod-b"] == "blocked"
    assert len(rows) == 4
    assert "no tracepoint block:block_rq_issue" in next(row["why"] for row in rows if row["status"] == "blocked")


def test_a_tool_of_the_catalog_counts_by_its_best_variant(toolkit: Toolkit, repository: Path) -> None:
    done = toolkit("check", "inhouse/runqlat", "--facts", str(repository / "prod-a"), "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["name"], row["variant"]) == ("inhouse/runqlat", "inhouse/runqlat")
    everything = toolkit("check", "--all", "--facts", str(repository / "prod-a"), "--json")
    names = [row["name"] for row in json.loads(everything.stdout)["rows"]]
    assert {"runqlat", "tcplife"} <= set(names)
    assert names == sorted(set(names))


def test_a_host_is_called_as_its_file_also_when_that_is_packed(toolkit: Toolkit, repository: Path) -> None:
    packed = str(repository / "web1.json.gz")
    assert toolkit("facts", "--from", str(repository / "prod-a"), "--export", packed).returncode == 0
    document = json.loads(toolkit("check", "inhouse/runqlat", "--facts", packed, "--json").stdout)
    assert [one["name"] for one in document["kernels"]] == ["web1"]


def test_nothing_wider_than_the_terminal_is_printed(repository: Path) -> None:
    engines = [text for number in range(10, 25) for text in ("-e", f"bpftrace=0.{number}.0")]
    arguments = ("check", str(repository / "tools"), "inhouse/runqlat", *facts(repository), *engines)
    environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    with open_terminal([sys.executable, "-m", "toolkit", *arguments], environ, lines=200) as terminal:
        assert terminal.finish() == 1
    lines = terminal.raw.decode().replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert "30  prod-b  6.1.0-prod-b, bpftrace 0.24.0" in lines
    assert sum(line.endswith("✗") for line in lines) >= 2
    assert any(line.startswith("✓ runs; ") for line in lines)
    assert any("/disk/issues.bt " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what should be checked?"),
        (("nosuchtool",), "there is neither a tool nor a file named 'nosuchtool'"),
        (("",), "there is neither a tool nor a file named ''"),
        (("./nowhere.bt",), "cannot read nowhere.bt: No such file"),
        (("runqlat", "--facts", "pyproject.toml"), "pyproject.toml"),
        (("runqlat", "--facts", "tests"), "holds no captures"),
        (("runqlat", "--engine", "native=6.1"), "'native=6.1' is not like"),
        (("runqlat", "--engine", "bpftrace"), "'bpftrace' is not like"),
        (("runqlat", "--json", "--csv"), "exclude each other"),
        (("README.md",), "README.md is no BPF tool"),
    ],
)
def test_a_wrong_call_is_125_and_says_what_is_wrong(toolkit: Toolkit, arguments: tuple[str, ...], said: str) -> None:
    done = toolkit("check", *arguments)
    assert (done.returncode, done.stdout) == (125, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_cannot_command_the_terminal(toolkit: Toolkit, repository: Path) -> None:
    (repository / "tools" / "\x1b[2Jevil.bt").write_text(SCRIPT.format("sched:sched_switch"))
    done = toolkit("check", str(repository / "tools"), *facts(repository))
    assert "\x1b" not in done.stdout
    assert "?[2Jevil.bt" in done.stdout
