"""The workload of trials: it does what tools look at, and is gone with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.support.waiting import wait_until
from toolkit.launch.workload import PREFIX, workload


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (OSError, IndexError):
        return False


def read_io(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def test_it_writes_and_is_niced_and_leaves_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / f"{PREFIX}left").mkdir(parents=True)
    (place / "other").mkdir()
    with workload(place) as pid:
        assert wait_until(lambda: read_io(pid, "wchar") > 20_000)  # two rounds
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert len(os.sched_getaffinity(pid)) == 1
        assert os.getsid(pid) == pid  # out of reach of ^C
        assert len(list(place.glob(f"{PREFIX}*"))) == 1
    assert not lives(pid)
    assert [path.name for path in place.iterdir()] == ["other"]


def test_it_holds_no_descriptor_of_ours(tmp_path: Path) -> None:
    ours = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        with workload(tmp_path) as pid:
            assert wait_until(lambda: read_io(pid, "wchar") > 0)
            held = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        assert str(tmp_path / "lock") not in held
    finally:
        os.close(ours)


def test_it_dies_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from toolkit.launch.workload import workload\n"
        "with workload(Path(sys.argv[1])) as pid: print(pid, flush=True); time.sleep(60)"
    )
    asker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None
    pid = int(asker.stdout.readline())
    assert lives(pid)
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    asker.stdout.close()
    assert wait_until(lambda: not lives(pid))
