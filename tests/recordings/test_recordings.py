"""Recordings: raw bytes with their times, frames and costs beside them, the receipt last, and reading them back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.disks import leave_pages, mount_tmpfs
from toolkit.errors import NoSuchRecording, StateError
from toolkit.model import Status, Verdict
from toolkit.output.frames import Text
from toolkit.recordings.index import find_ids
from toolkit.recordings.layout import SHAPE, Query, RunRecord, State
from toolkit.recordings.read import find_recording, list_recordings
from toolkit.recordings.write import Recorder, new_id
from toolkit.runs import Cost, Outcome, Result


def make_run(identifier: str = "20261123T100000Z-runqlat-0001") -> RunRecord:
    return RunRecord(
        shape=SHAPE,
        id=identifier,
        started=1795428000.0,
        host="web1",
        user="ada",
        kernel="6.1.0",
        tool="runqlat",
        category="cpu",
        variant="inhouse/runqlat",
        engine="bpftrace",
        revision="0.1.0",
        path="/x/runqlat.bt",
        sha256="00",
        argv=("/usr/bin/bpftrace", "/x/runqlat.bt"),
        arguments=("10", "1"),
        why="a test",
        verdict=Verdict(status=Status.RUNS),
        deadline=60.0,
        asked=False,
        output_bytes=1 << 20,
        grace=10.0,
        nice=5,
    )


RESULT = Result(
    outcome=Outcome.ENDED,
    status=0,
    tool_status=0,
    seconds=1.5,
    stdout_bytes=4,
    stderr_bytes=0,
    dropped_bytes=0,
    cost=Cost(programs=1, attached=("tp_btf sched_switch",), run_ns=10, run_count=1),
    peak_memory=None,
)


def test_every_byte_is_kept_as_it_came(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, make_run())
    pieces = (b"\x00\xff binary\n", b"half a ", b"line\n")
    for piece in pieces:
        recorder.take_output("O", piece)
    recorder.take_output("E", b"oops\n")
    recorder.take_frames((Text(offset=0, size=22, lines=2),))
    recorder.take_cost(Cost(time=1.0, run_ns=5))
    recorder.finish(RESULT)
    assert (recorder.path / "stdout").read_bytes() == b"".join(pieces)
    assert (recorder.path / "stderr").read_bytes() == b"oops\n"
    timing = [line.split() for line in (recorder.path / "timing").read_text().splitlines()]
    assert [(stream, int(size)) for stream, _, size in timing] == [("O", 10), ("O", 7), ("O", 5), ("E", 5)]
    assert all(float(delay) >= 0 for _, delay, _ in timing)
    assert b'"run_ns":5' in (recorder.path / "cost.jsonl").read_bytes()
    assert b'"kind":"text"' in (recorder.path / "frames.jsonl").read_bytes()


def test_the_decision_is_written_before_and_the_receipt_last(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, make_run())
    assert (recorder.path / "run.json").exists()
    assert not (recorder.path / "result.json").exists()
    (unfinished,) = list_recordings(tmp_path)
    assert unfinished.result is None
    recorder.finish(RESULT)
    (finished,) = list_recordings(tmp_path)
    assert finished.run == make_run()
    assert finished.result == RESULT


def test_only_their_owner_can_read_them(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", make_run())
    recorder.finish(RESULT)
    assert recorder.path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in recorder.path.iterdir()} == {0o600}


def test_a_full_disk_ends_the_recording_not_the_run(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, make_run())
    recorder._files["stdout"] = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    recorder.take_output("O", b"lost\n")
    recorder.take_output("O", b"lost too\n")
    assert "No space left on device" in recorder.problem
    recorder.finish(RESULT)


def test_a_folder_that_cannot_be_made_is_said_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        Recorder(tmp_path / "file", make_run())


def test_names_sort_by_time_and_differ() -> None:
    early, late = new_id("runqlat", 1000.0), new_id("runqlat", 2000.0)
    assert early < late
    assert len({new_id("runqlat", 1000.0) for _ in range(50)}) > 40


def test_they_are_found_by_name_by_beginning_and_as_the_last(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        Recorder(tmp_path, make_run(f"2026112{number}T100000Z-runqlat-000{number}")).finish(RESULT)
    assert [one.run.id[:8] for one in list_recordings(tmp_path)] == ["20261123", "20261122", "20261121"]
    assert find_recording(tmp_path, "last").run.id.startswith("20261123")
    assert find_recording(tmp_path, "20261122").run.id.startswith("20261122")
    with pytest.raises(NoSuchRecording, match="could be any of 3"):
        find_recording(tmp_path, "2026")
    for name in ("", "nothing", "../../etc"):
        with pytest.raises(NoSuchRecording):
            find_recording(tmp_path, name)


def test_a_damaged_one_does_not_hide_the_others(tmp_path: Path) -> None:
    Recorder(tmp_path, make_run()).finish(RESULT)
    (tmp_path / "20261124T000000Z-x-broken").mkdir()
    (tmp_path / "20261124T000000Z-x-broken" / "run.json").write_text("{")
    assert [one.run.tool for one in list_recordings(tmp_path)] == ["runqlat"]
    assert find_recording(tmp_path, "last").run.tool == "runqlat"
    with pytest.raises(StateError, match=r"run\.json is damaged"):
        find_recording(tmp_path, "20261124")


def test_what_a_newer_toolkit_wrote_is_not_guessed_at(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, make_run())
    recorder.finish(RESULT)
    run, result = recorder.path / "run.json", recorder.path / "result.json"
    newer = result.read_text().replace('"shape": 1', '"shape": 2')
    for written in (newer, newer.replace('"ended"', '"over"'), newer[:40]):
        result.write_text(written)
        found = find_recording(tmp_path, "last")
        assert (found.state, found.result) == (State.UNKNOWN, None)
        assert "newer toolkit" in found.problem or written == newer[:40]
        assert list(find_ids(tmp_path, tmp_path / "index", Query(state=State.UNKNOWN), 9)) == [recorder.path.name]
    result.unlink()
    assert find_recording(tmp_path, "last").state is State.CRASHED
    run.write_text(run.read_text().replace('"shape": 1', '"shape": 2'))
    with pytest.raises(StateError, match=r"a newer toolkit wrote run\.json"):
        find_recording(tmp_path, recorder.path.name)


def test_no_folder_means_no_recordings(tmp_path: Path) -> None:
    assert list(list_recordings(tmp_path / "none")) == []


@pytest.mark.root
def test_a_recording_leaves_the_disk_its_space_and_the_receipt_says_so(tmp_path: Path) -> None:
    with mount_tmpfs(tmp_path / "disk", mib=16) as disk:
        recorder = Recorder(disk / "recordings", make_run(), free_bytes=8 << 20)
        for _ in range(16):
            recorder.take_output("O", b"x" * (1 << 20))
        assert "must stay" in recorder.problem
        assert os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize >= 4 << 20
        recorder.finish(RESULT)
        found = find_recording(disk / "recordings", "last")
        assert (found.result, found.problem) == (RESULT, recorder.problem)


@pytest.mark.root
def test_the_receipt_is_written_on_a_disk_that_others_filled(tmp_path: Path) -> None:
    with mount_tmpfs(tmp_path / "disk", mib=16) as disk:
        recorder = Recorder(disk / "recordings", make_run())
        leave_pages(disk, 0)
        recorder.take_output("O", b"lost\n")
        assert "No space left" in recorder.problem
        recorder.finish(RESULT)
        assert find_recording(disk / "recordings", "last").result == RESULT


def test_a_run_that_goes_on_is_told_from_one_whose_launcher_died(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.recordings.test_recordings import make_run;"
        "from toolkit.recordings.write import Recorder;"
        "r = Recorder(Path(sys.argv[1]), make_run()); print('ready', flush=True); sys.stdin.read()"
    )
    command = (sys.executable, "-c", code, str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        assert find_recording(tmp_path, "last").state is State.RUNNING
        writer.kill()
    assert find_recording(tmp_path, "last").state is State.CRASHED
