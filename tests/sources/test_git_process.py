"""One git command, bounded: environment, limits, deadline, and what dies with it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.git_repos import Repo, need_git, serve_silence
from toolkit.errors import SourceError
from toolkit.sources import git_process
from toolkit.sources.git_limits import DEFAULT_LIMITS, GitLimits
from toolkit.sources.git_process import run_git, stoppable_git

need_git()
ROOT = Path(__file__).parent.parent.parent


def run_here(
    script: str, *, seconds: float = 5, limits: GitLimits = DEFAULT_LIMITS, asks: bool = False
) -> git_process.Said:
    """Run a shell script as a child of git, by an alias."""
    return run_git(("-c", f"alias.here=!{script}", "here"), seconds=seconds, limits=limits, asks=asks)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end(pid: int) -> bool:
    for _ in range(200):
        if not is_alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_nothing_of_the_callers_environment_passes_but_the_way_to_the_network(
    monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_EXEC_PATH", "/nonexistent")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "nonsense")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'a.b'='c'")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext")
    monkeypatch.setenv("PATH", f"/tmp/own:{os.environ['PATH']}")
    monkeypatch.setenv("https_proxy", "http://user:hunter2@proxy:3128")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    monkeypatch.setenv("SECRET", "a\nGIT_X=b")
    lines = run_here("env", asks=asks).stdout.decode().splitlines()
    seen = dict(line.split("=", 1) for line in lines if "=" in line)
    own_of_git = {"GIT_EXEC_PATH", "GIT_PREFIX", "GIT_CONFIG_PARAMETERS", "GIT_LITERAL_PATHSPECS"}
    allowed = set(git_process.OWN) | git_process.PASSED | own_of_git | {"LANGUAGE", "PWD", "SHLVL", "_", "OLDPWD"}
    assert seen.keys() <= allowed
    assert seen["https_proxy"] == "http://user:hunter2@proxy:3128"
    assert seen["SSH_AUTH_SOCK"] == "/tmp/agent"
    assert seen["GIT_SSH_COMMAND"] == "ssh -o BatchMode=yes"
    assert seen["GIT_ALLOW_PROTOCOL"] == "file:git:http:https:ssh"
    assert "/tmp/own" not in seen["PATH"]
    assert "GIT_DIR" not in seen


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_a_proxys_password_is_not_in_the_process_list(monkeypatch: pytest.MonkeyPatch, *, asks: bool) -> None:
    monkeypatch.setenv("https_proxy", "http://user:hunter2@proxy:3128")
    assert b"hunter2" not in run_here("cat /proc/[0-9]*/cmdline", asks=asks).stdout


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_limits_hold_for_git_and_its_children(*, asks: bool) -> None:
    said = run_here(
        "ulimit -f; ulimit -d; ulimit -c", limits=GitLimits(file_bytes=1 << 20, memory_bytes=1 << 30), asks=asks
    )
    assert said.stdout.decode().split() == ["2048", str(1 << 20), "0"]


def test_limits_hold_from_the_first_moment_and_ours_stay_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (resource.RLIMIT_FSIZE, resource.RLIMIT_DATA, resource.RLIMIT_CORE)
    ours = [resource.getrlimit(one) for one in kinds]
    monkeypatch.setattr(resource, "prlimit", lambda *_: None)  # as when that comes late
    said = run_here("ulimit -f; ulimit -d; ulimit -c", limits=GitLimits(file_bytes=1 << 20), asks=True)
    assert said.stdout.decode().split() == ["2048", str(1 << 20), "0"]
    assert [resource.getrlimit(one) for one in kinds] == ours


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_a_limit_is_no_higher_than_the_one_that_we_have_ourselves(*, asks: bool) -> None:
    """Otherwise whoever may not raise limits would not get git started."""
    code = f"from tests.sources.test_git_process import run_here; print(run_here('ulimit -d', asks={asks}).stdout)"
    said = subprocess.run(
        ["sh", "-c", 'ulimit -d 524288; exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        check=True,
        cwd=ROOT,
        text=True,
    )
    assert said.stdout == "b'524288\\n'\n"


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_the_deadline_ends_git_and_every_child(*, asks: bool) -> None:
    def find() -> list[int]:
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if b"4242.25" in _command(folder)]

    start = time.monotonic()
    with pytest.raises(SourceError, match=r"did not end within 0\.5 s"):
        run_here("sleep 4242.25 & sleep 4242.25", seconds=0.5, asks=asks)
    assert time.monotonic() - start < 60
    assert all(wait_for_end(pid) for pid in find())


def test_output_is_bounded() -> None:
    with pytest.raises(SourceError, match="printed more than 1 MiB"):
        run_here("yes", limits=GitLimits(output_bytes=1 << 20))


def test_a_child_that_keeps_stderr_open_does_not_hold_us() -> None:
    assert run_here("setsid sleep 30 & echo done", seconds=20).stdout == b"done\n"


def test_what_git_says_just_before_it_ends_is_read() -> None:
    """It may say it after we looked for its words, and before we look whether it has ended."""
    (out, says), (err, held) = os.pipe(), os.pipe()

    def end_with_a_word() -> bool:
        if not said:
            said.append(os.write(says, b"the last word"))
        return True

    said: list[int] = []
    try:
        read = git_process._drain(out, err, time.monotonic() + 5, 1 << 20, end_with_a_word)
    finally:
        for descriptor in (out, says, err, held):
            os.close(descriptor)
    assert read == (b"the last word", b"", "")


def test_a_large_stderr_neither_blocks_nor_fills_memory() -> None:
    said = run_here("yes | head -c 3000000 >&2; echo end >&2; exit 3")
    assert said.status != 0
    assert len(said.stderr) <= git_process.ERROR_BYTES
    assert "end" in said.stderr[-200:]


def test_stdin_is_what_we_give() -> None:
    data = b"x" * 300_000
    assert run_here("cat").stdout == b""
    assert run_git(("-c", "alias.here=!cat", "here"), stdin=data, seconds=5).stdout == data


@pytest.mark.parametrize("asks", [False, True], ids=["with GitPython", "without"])
def test_git_dies_with_us(*, asks: bool) -> None:
    with serve_silence() as port:
        code = (
            "import toolkit.sources.git_process as p; "
            f"p.run_git(('ls-remote', '--', 'git://127.0.0.1:{port}/x'), seconds=60, asks={asks})"
        )
        us = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        children: list[int] = []
        for _ in range(300):
            children = [
                int(folder.name)
                for folder in Path("/proc").glob("[0-9]*")
                if f"git://127.0.0.1:{port}/x".encode() in _command(folder) and int(folder.name) != us.pid
            ]
            if children:
                break
            time.sleep(0.02)
        assert children
        us.send_signal(signal.SIGKILL)
        us.wait()
        assert all(wait_for_end(pid) for pid in children)


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_missing_git_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(git_process, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed") as error:
        run_git(("version",), seconds=5)
    assert "apt-get install git" in error.value.fix


def test_an_old_git_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("env", "prlimit", "setpriv"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.17.1\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setattr(git_process, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(SourceError, match="too old") as error:
        run_git(("ls-remote",), seconds=5)
    assert "2.31" in error.value.fix


def test_gitpython_is_imported_by_a_sync_alone() -> None:
    code = "import sys, toolkit.sources.git, toolkit.sources.git_refs; print('git' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_asking_a_server_takes_no_gitpython(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "up.git")
    repo.commit({"a": b"a"})
    code = (
        f"import sys, toolkit.sources.git_refs as r; r.list_refs({repo.url!r}, seconds=9); print('git' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_threads_may_run_git_at_once() -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(run_git(("version",), seconds=20).stdout)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_all_threads_gits_and_their_children_are_stopped_at_once_and_none_starts(tmp_path: Path) -> None:
    notes = [tmp_path / name for name in ("one", "two")]
    with stoppable_git() as stop, ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_here, f"echo $$ > {note}; sleep 100 & wait", seconds=60) for note in notes]
        pids = [int(wait_for_text(note)) for note in notes]
        stop()
        for job in jobs:
            with pytest.raises(KeyboardInterrupt):
                job.result()
        assert all(wait_for_end(pid) for pid in pids)
        with pytest.raises(KeyboardInterrupt):
            run_here("true")
    assert run_here("true").ok


def wait_for_text(path: Path) -> str:
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.02)
    return path.read_text()
