"""Captured commands: what they print, or why not, and nothing of them afterwards."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from tests.launch.test_workload import lives
from tests.support.waiting import wait_until
from toolkit.command import capture_command


def test_what_it_prints_and_how_it_ended() -> None:
    done = capture_command(("sh", "-c", "echo out; echo err >&2; exit 3"))
    assert (done.status, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_one_that_is_not_there_is_a_problem_and_no_error() -> None:
    assert "No such file" in capture_command(("/nonexistent/program",)).problem


def test_one_that_is_late_is_a_problem() -> None:
    assert "did not answer" in capture_command(("sleep", "300"), seconds=0.1).problem


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"sleep 300 & echo $! > {file}.new; mv {file}.new {file}; wait"
    here = threading.get_ident()

    def interrupt() -> None:
        assert wait_until(file.exists)
        signal.pthread_kill(here, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        capture_command(("sh", "-c", script), seconds=60, starts_others=True)
    interrupting.join()
    assert wait_until(lambda: not lives(int(file.read_text())))
