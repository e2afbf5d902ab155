"""The in-house tools on this kernel, each with a small workload of our own: they see it, in the form they promise."""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE, wait_for_events, wait_until_attached
from toolkit.paths import data_folder

pytestmark = [pytest.mark.root, pytest.mark.bpf, pytest.mark.bpftrace]

SCRIPTS = sorted((data_folder() / "inhouse").glob("*/*.bt"))
CLOCK = re.compile(r"^\d\d:\d\d:\d\d$", re.MULTILINE)


def script(name: str) -> str:
    return str(next(path for path in SCRIPTS if path.stem == name))


# What each attaches last.
LAST = {
    "runqlat": "tracepoint sched_switch",
    "biolatency": "tracepoint block_rq_complete",
    "execsnoop": "tracepoint sched_process_exit",
    "opensnoop": "tracepoint sys_exit_openat",
    "tcplife": "tracepoint inet_sock_set_state",
}


@contextmanager
def tracing(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a tool and wait until it is tracing."""
    tool = subprocess.Popen(
        ["bpftrace", "-B", "line", script(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", bufsize=0
    )
    try:
        assert tool.stdout is not None
        while b"Attaching" not in tool.stdout.readline():
            assert tool.poll() is None
        tool.stdout.readline()  # what BEGIN prints
        wait_until_attached(tool.pid, LAST[name])
        yield tool
    finally:
        tool.kill()
        tool.communicate()


def stop(tool: subprocess.Popen[bytes]) -> str:
    tool.send_signal(signal.SIGINT)
    try:
        return tool.communicate(timeout=15)[0].decode()
    except subprocess.TimeoutExpired:
        # Once in many runs on a busy machine bpftrace 0.17 went on after the first; a person would try again, too.
        tool.send_signal(signal.SIGINT)
        return tool.communicate(timeout=30)[0].decode()


def show(tool: subprocess.Popen[bytes], act: Callable[[], str]) -> list[str]:
    """Do something until a line holds the text that tells it; gives the words of that line.

    Once may be too few: on a busy machine bpftrace loses events.
    """
    assert tool.stdout is not None
    printed, told = "", set()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told.add(act())
        until = time.monotonic() + 0.5
        while select.select([tool.stdout], [], [], max(until - time.monotonic(), 0))[0]:
            *lines, printed = (printed + os.read(tool.stdout.fileno(), 1 << 16).decode(errors="replace")).split("\n")
            found = [line for line in lines if any(text in line for text in told)]
            if found:
                return found[0].split()
            if time.monotonic() > until:
                break
    return []


@contextmanager
def busy(work: str) -> Iterator[None]:
    child = subprocess.Popen(["/bin/sh", "-c", f"while :; do {work}; done"], cwd="/var/tmp")
    try:
        yield
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_says_what_it_is_and_how_to_call_it(path: Path) -> None:
    head = path.read_text().split("*/")[0]
    assert path.read_text().startswith("#!/usr/bin/env bpftrace\n/*\n * ")
    assert f"\n * {path.stem} - " in head
    assert f"\n * Usage: {path.stem} [interval [count]]\n" in head
    for word in ("How:", "Overhead:", "Limits:", "SPDX-License-Identifier: Apache-2.0"):
        assert f"\n * {word}" in head


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_uses_tracepoints_only_and_needs_no_headers(path: Path) -> None:
    code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"#\s*include|\b(k|kret|u|uret)probe:|\bfentry:|\bkfunc:|curtask|\bstruct ", code)


@pytest.mark.parametrize(("name", "work"), [("runqlat", "sleep 0.01"), ("syscount", ":")])
def test_a_summary_is_printed_count_times_and_not_once_more(name: str, work: str) -> None:
    with busy(work):
        done = subprocess.run(["bpftrace", script(name), "1", "2"], capture_output=True, text=True, check=True)
    assert len(CLOCK.findall(done.stdout)) == 2
    maps = re.findall(r"^@(\w+)", done.stdout, re.MULTILINE)
    assert set(maps) <= {"usecs", "syscalls", "processes"}
    assert "WARNING" not in done.stderr


def test_without_a_count_it_prints_when_it_is_interrupted() -> None:
    with busy("sleep 0.01"), tracing("runqlat") as tool:
        wait_for_events(tool.pid, LAST["runqlat"], 200)
        text = stop(tool)
    assert len(CLOCK.findall(text)) == 1
    assert text.count("@usecs:") == 1
    assert re.search(r"^\[\d+, \d+\) +\d+ \|@+", text, re.MULTILINE)


def test_biolatency_times_what_we_write() -> None:
    with (
        busy("dd if=/dev/zero of=toolkit-test-io bs=4k count=16 oflag=dsync 2>/dev/null"),
        tracing("biolatency") as tool,
    ):
        wait_for_events(tool.pid, LAST["biolatency"], 20)
        text = stop(tool)
    Path("/var/tmp/toolkit-test-io").unlink(missing_ok=True)
    assert "@usecs:" in text
    assert "|@" in text


def test_execsnoop_shows_a_program_with_its_arguments() -> None:
    mark = secrets.token_hex(6)
    started: list[str] = []

    def act() -> str:
        child = subprocess.Popen(["/bin/true", "one", mark])
        child.wait()
        started.append(str(child.pid))
        return mark

    with tracing("execsnoop") as tool:
        clock, pid, parent, *words = show(tool, act)
    assert CLOCK.match(clock)
    assert pid in started
    assert parent == str(os.getpid())
    assert words[-3:] == ["/bin/true", "one", mark]


def test_execsnoop_shows_one_that_failed_with_its_errno() -> None:
    mark = f"/nonexistent/{secrets.token_hex(6)}"

    def act() -> str:
        subprocess.run(["/bin/sh", "-c", mark], check=False, stderr=subprocess.DEVNULL)
        return f"  2 {mark}"

    with tracing("execsnoop") as tool:
        assert show(tool, act)[3:] == ["2", mark]


def test_opensnoop_shows_what_is_opened_and_what_is_not_there(tmp_path: Path) -> None:
    there, gone = f"/tmp/{secrets.token_hex(6)}", f"/tmp/{secrets.token_hex(6)}"
    Path(there).touch()

    def open_there() -> str:
        Path(there).read_text()
        return there

    def open_gone() -> str:
        assert not Path(gone).exists()
        with pytest.raises(FileNotFoundError):
            Path(gone).read_text()
        return gone

    with tracing("opensnoop") as tool:
        found, missing = show(tool, open_there), show(tool, open_gone)
    Path(there).unlink()
    assert found[1] == str(os.getpid())
    assert int(found[3]) >= 0
    assert found[4] == "0"
    assert missing[3:5] == ["-1", "2"]


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_tcplife_shows_a_connection_with_its_ports_and_duration(family: int, address: str) -> None:
    ports: set[str] = set()

    def act() -> str:
        with socket.create_server((address, 0), family=family) as server:
            port = server.getsockname()[1]
            client = socket.create_connection((address, port))
            accepted, _ = server.accept()
            time.sleep(0.2)
            client.close()
            accepted.close()
        ports.add(str(port))
        return f" {port}"

    with tracing("tcplife") as tool:
        line = show(tool, act)
    assert address in line
    assert ports & set(line)
    assert 150 <= float(line[3]) < 5000  # milliseconds
