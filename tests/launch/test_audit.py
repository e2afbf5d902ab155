"""The audit log: one whole line a decision, never rewritten, private, and who really asked."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolkit.errors import CannotRun
from toolkit.launch.audit import Line, Person, find_person, list_groups, name_user, read_login_uid, write_line
from toolkit.launch.policy import Audited


def line(**changed: object) -> Line:
    given: dict[str, object] = {
        "shape": 1,
        "time": 1.0,
        "decision": "allowed",
        "why": "a test",
        "rule": "",
        "person": Person(user="ada", uid=1000, login_uid=1000, sudo_uid=None, process_uid=0),
        "tool": "runqlat",
        "variant": "bcc/runqlat",
        "arguments": ("10", "a\nb"),
        "argv": (),
        "limits": {},
        "force": False,
        "accepted": (),
        "recording": "",
        "pid": 1,
    }
    return Line(**(given | changed))  # type: ignore[arg-type]


def test_lines_are_appended_whole_and_private(tmp_path: Path) -> None:
    log = tmp_path / "log" / "audit.log"
    for _ in range(3):
        assert write_line(log, line(), Audited.WANTED) == ""
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    assert len(lines) == 3
    assert lines[0]["person"]["user"] == "ada"
    assert lines[0]["arguments"] == ["10", "a\nb"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_lines_of_many_at_once_do_not_mix(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.launch.test_audit import line\n"
        "from toolkit.launch.audit import write_line\nfrom toolkit.launch.policy import Audited\n"
        "for _ in range(200): write_line(Path(sys.argv[1]), line(why='x' * 9000), Audited.WANTED)"
    )
    log = tmp_path / "audit.log"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(log)], cwd=ROOT) for _ in range(3)]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    assert [json.loads(text)["why"] for text in log.read_text().splitlines()] == ["x" * 9000] * 600


@pytest.mark.root
def test_a_log_that_may_only_be_appended_to_is_written(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    write_line(log, line(), Audited.WANTED)
    if subprocess.run(["chattr", "+a", str(log)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no append-only files")
    try:
        assert write_line(log, line(), Audited.REQUIRED) == ""
        assert len(log.read_text().splitlines()) == 2
    finally:
        subprocess.run(["chattr", "-a", str(log)], check=True)


def test_a_log_that_cannot_be_written_stops_a_run_only_where_the_policy_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "audit.log"
    assert "cannot be written" in write_line(log, line(), Audited.WANTED)
    with pytest.raises(CannotRun, match="the policy requires it"):
        write_line(log, line(), Audited.REQUIRED)
    assert "cannot be written" in write_line(log, line(decision="refused"), Audited.REQUIRED)


def test_a_log_that_is_a_link_or_a_pipe_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "link").symlink_to(target)
    assert write_line(tmp_path / "link", line(), Audited.WANTED)
    assert target.read_text() == ""
    os.mkfifo(tmp_path / "fifo")
    assert write_line(tmp_path / "fifo", line(), Audited.WANTED)


def test_a_full_disk_is_told() -> None:
    assert "No space left" in write_line(Path("/dev/full"), line(), Audited.WANTED)


@pytest.mark.root
def test_the_person_behind_sudo_is_named_unless_the_login_is_known() -> None:
    person = find_person({"SUDO_UID": "65534"})
    login = read_login_uid()
    assert (person.uid, person.user) == ((login, name_user(login)) if login is not None else (65534, "nobody"))
    assert (person.sudo_uid, person.process_uid) == (65534, 0)
    for junk in ("", "-1", "x", "9" * 40, "²"):
        assert find_person({"SUDO_UID": junk}).sudo_uid is None


@pytest.mark.root
def test_the_login_counts_more_than_what_sudo_says() -> None:
    code = (
        "from toolkit.launch.audit import find_person\n"
        "import pathlib\n"
        "try:\n    pathlib.Path('/proc/self/loginuid').write_text('65534')\nexcept OSError:\n    print('none')\n"
        "else:\n    print(find_person({'SUDO_UID': '0'}).user)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    if done.stdout == "none\n":
        pytest.skip("this kernel does not let a process set its login uid")
    assert done.stdout == "nobody\n"


def test_sudos_word_counts_only_where_we_are_root() -> None:
    code = "from toolkit.launch.audit import find_person\nprint(find_person({'SUDO_UID': '0'}).sudo_uid)"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*command, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "None\n", done.stderr


def test_groups_and_names() -> None:
    assert "root" in list_groups(0)
    assert list_groups(4_000_000_000) == frozenset()
    assert name_user(4_000_000_000) == "4000000000"
