"""Files that a person names: which are BPF tools, and that a folder of anything is gone through without harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.errors import UsageError
from toolkit.model import Engine
from toolkit.snapshot import given
from toolkit.snapshot.given import guess_engine, read_given

SCRIPT = "tracepoint:sched:sched_switch { @ = count(); }\n"


@pytest.mark.parametrize(
    ("name", "data", "engine"),
    [
        ("x.bt", b"BEGIN {}", Engine.BPFTRACE),
        ("x", b"#!/usr/bin/env bpftrace\nBEGIN {}", Engine.BPFTRACE),
        ("x", b"#!/usr/bin/python3\nfrom bcc import BPF\n", Engine.BCC),
        ("x.py", b"import os\nimport bcc\n", Engine.BCC),
        ("x.py", b"import os, bcc\n", Engine.BCC),
        ("x.py", b"import bccx\n# import bcc\n", None),
        ("x", b"#!/usr/bin/python3\nprint()\n", None),
        ("x", b"\x7fELF\x02", Engine.NATIVE),
        ("x", b"#!/bin/bash\n", Engine.SHELL),
        ("x", b"#!/usr/bin/perl\n", None),
        ("x.txt", b"from bcc import BPF", None),
        ("x", b"", None),
    ],
)
def test_the_engine_is_guessed_as_sources_have_it(name: str, data: bytes, engine: Engine | None) -> None:
    assert guess_engine(Path(name), data) is engine


def test_a_folder_gives_its_tools_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.bt").write_text(SCRIPT)
    (tmp_path / "a.py").write_text("from bcc import BPF\n")
    (tmp_path / "setup.py").write_text("print('no tool')\n")
    (tmp_path / "install.sh").write_text("#!/bin/sh\necho no tool\n")
    (tmp_path / "ls").write_bytes(Path("/bin/ls").read_bytes())
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.bt").write_text(SCRIPT)
    os.mkfifo(tmp_path / "pipe.bt")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.bt").symlink_to(tmp_path / "nowhere")
    assert [Path(one.found.path).name for one in read_given(tmp_path)] == ["a.py", "one.bt"]


def test_a_folder_is_gone_through_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.bt").write_text(SCRIPT)
    with pytest.raises(UsageError, match="more than 3 files"):
        read_given(tmp_path)


def test_what_is_named_and_no_tool_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UsageError, match="no BPF tool"):
        read_given(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match="there is no BPF tool in"):
        read_given(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        read_given(tmp_path / "gone.bt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        read_given(tmp_path / "pipe")


def test_nobody_needs_to_trust_a_file_that_is_only_read(tmp_path: Path) -> None:
    file = tmp_path / "one.bt"
    file.write_text(SCRIPT)
    file.chmod(0o666)
    (one,) = read_given(file)
    assert one.distrust == ""
    assert [str(probe) for probe in one.analysis.probes] == ["tracepoint:sched:sched_switch"]
