"""The register of runs: locked by living launchers, swept of dead ones, and counted for slots."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.conftest import ROOT
from toolkit.errors import CannotRun, NoSuchRun, StateError
from toolkit.launch.register import Entry, find_full, is_on, list_runs, list_strange, register
from toolkit.launch.stop import Launcher, find_run
from toolkit.runs import Limits

ENTRY = Entry(
    shape=1,
    id="20260101T000000Z-runqlat-0001",
    pid=os.getpid(),
    tool="runqlat",
    variant="inhouse/runqlat",
    arguments="10 1",
    user="ada",
    started=1.0,
    ends=61.0,
    grace=0.5,
    recording="",
    detached=False,
)
HOLDER = """
import os, sys, time
from pathlib import Path
from msgspec.structs import replace
from tests.launch.test_register import ENTRY
from toolkit.launch.register import register
from toolkit.runs import Limits

def stop(*_):
    sys.exit(0)

import signal
signal.signal(signal.SIGTERM, stop)
with register(Path(sys.argv[1]), replace(ENTRY, id=sys.argv[2], pid=os.getpid()), Limits()):
    print("on", flush=True)
    time.sleep(60)
"""


def other(number: int, tool: str = "runqlat") -> Entry:
    return replace(ENTRY, id=f"20260101T000000Z-{tool}-{number:04}", tool=tool, started=float(number))


def hold(folder: Path, name: str = ENTRY.id) -> subprocess.Popen[str]:
    """A launcher of its own that has this run in the register."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "on\n"
    return holder


def test_a_run_is_listed_while_it_is_on(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert list_runs(folder) == ()
    with register(folder, ENTRY, Limits()):
        assert list_runs(folder) == (ENTRY,)
        assert is_on(folder, ENTRY)
        assert stat.S_IMODE((folder / f"{ENTRY.id}.json").stat().st_mode) == 0o600
    assert list_runs(folder) == ()
    assert not is_on(folder, ENTRY)


def test_what_a_killed_launcher_left_is_swept(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    assert [one.id for one in list_runs(tmp_path)] == [ENTRY.id]
    holder.kill()
    holder.communicate()
    assert list(tmp_path.glob("*.json")) != []
    assert list_runs(tmp_path) == ()
    assert list(tmp_path.glob("*.json")) == []


def test_a_run_without_a_slot_is_told_who_holds_them(tmp_path: Path) -> None:
    with (
        register(tmp_path, other(1), Limits()),
        register(tmp_path, other(2), Limits()),
        register(tmp_path, other(3, "execsnoop"), Limits()),
    ):
        with pytest.raises(CannotRun) as caught, register(tmp_path, other(4), Limits()):
            pass
        assert "2 runs of runqlat at the same time are the limit" in caught.value.what
        assert other(1).id in caught.value.what
        assert "execsnoop" not in caught.value.what
        assert f"toolkit stop {other(1).id}" in caught.value.fix
        with register(tmp_path, other(4, "opensnoop"), Limits()):
            assert len(list_runs(tmp_path)) == 4
            with pytest.raises(CannotRun, match="4 runs at the same time"), register(tmp_path, other(5, "x"), Limits()):
                pass
            with register(tmp_path, other(5, "x"), Limits(runs=0)):
                pass


def test_no_bound_is_no_bound() -> None:
    runs = tuple(other(number) for number in range(9))
    assert find_full(Limits(runs=0, runs_of_tool=0), "runqlat", runs) is None
    assert find_full(Limits(runs=10, runs_of_tool=10), "runqlat", runs) is None


def test_two_that_start_at_once_do_not_share_the_last_slot(tmp_path: Path) -> None:
    code = HOLDER.replace("Limits())", "Limits(runs=1))").replace("time.sleep(60)", "sys.stdin.read()")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), other(number).id],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    told = [one.stdout.readline() for one in both if one.stdout]
    for one in both:
        one.communicate("")
    assert sorted(told) == ["", "", "on\n"]


@pytest.mark.root
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(StateError, match="written by uid 65534"), register(folder, ENTRY, Limits()):
        pass


@pytest.mark.root
def test_another_user_sees_the_names_of_roots_runs_and_can_lock_none(open_folder: Path) -> None:
    folder = open_folder / "runs"
    with register(folder, ENTRY, Limits()):
        os.seteuid(65534)
        try:
            assert list_strange(folder) == (ENTRY.id,)
            assert list_runs(folder) == ()
            with pytest.raises(PermissionError):
                (folder / f"{ENTRY.id}.json").open("rb")
            with pytest.raises(NoSuchRun, match="not your run"):
                find_run(open_folder / "mine", "runqlat", folder)
        finally:
            os.seteuid(0)
        assert list_runs(folder) == (ENTRY,)


def test_a_run_is_found_by_name_beginning_end_or_tool(tmp_path: Path) -> None:
    with register(tmp_path, other(1), Limits()), register(tmp_path, other(2, "execsnoop"), Limits()):
        for name in (other(1).id, "runqlat", "0001", "20260101T000000Z-runq"):
            assert find_run(tmp_path, name, tmp_path) == other(1)
        with pytest.raises(NoSuchRun, match="any of 2 runs"):
            find_run(tmp_path, "2026", tmp_path)
        for name in ("none", ""):
            with pytest.raises(NoSuchRun, match="is on"):
                find_run(tmp_path, name, tmp_path)


def test_a_launcher_is_asked_to_end_and_waited_for(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    (entry,) = list_runs(tmp_path)
    launcher = Launcher(tmp_path, entry)
    assert not launcher.wait(0)
    launcher.ask(now=False)
    assert launcher.wait_for_end()
    launcher.close()
    assert holder.wait(10) == 0
    with pytest.raises(NoSuchRun, match="ended a moment ago"):
        Launcher(tmp_path, entry)


def test_a_stopped_launcher_is_not_said_to_have_ended(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    holder.send_signal(signal.SIGSTOP)
    (entry,) = list_runs(tmp_path)
    launcher = Launcher(tmp_path, entry)
    launcher.ask(now=False)
    assert not launcher.wait(0.2)
    launcher.close()
    holder.kill()
    holder.communicate()


@pytest.mark.parametrize("junk", [b"", b"{}", b"\xff" * 100])
def test_junk_in_the_register_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "x.json").write_bytes(junk)
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo.json")
    with register(tmp_path, ENTRY, Limits()):
        assert list_runs(tmp_path) == (ENTRY,)
    assert Path("/etc/passwd").exists()


def test_a_run_goes_on_where_the_register_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "bad" / ".lock").mkdir(parents=True, mode=0o700)
    with register(tmp_path / "bad", ENTRY, Limits()) as problem:
        assert "`toolkit ps` does not show this run" in problem
    with register(tmp_path / "runs", ENTRY, Limits()) as problem:
        assert problem == ""
