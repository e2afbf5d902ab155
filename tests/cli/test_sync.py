"""`toolkit sync` as a person meets it: on a terminal, in a pipe, interrupted; real repositories, real servers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toolkit
from tests.snapshot.test_sync import Upstream, script
from tests.support.git_repos import need_git, serve_silence
from tests.support.terminal import Terminal, open_terminal

need_git()

COLOUR = re.compile(rb"\x1b\[[0-9;]*[1-9][0-9;]*m")
DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
UPSTREAMS = ("bcc", "bpftrace", "book")


@pytest.fixture
def acme(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1), "net/who.bt": script(2)})
    return upstream


@pytest.fixture
def home(warm_home: Path) -> Path:
    return warm_home / "toolkit"


def write_sources(home: Path, **urls: str) -> None:
    lines = (f"  {name}: {{url: {json.dumps(url)}}}\n" for name, url in urls.items())
    (home / "config.yaml").write_text("sources:\n" + "".join(lines))


@contextlib.contextmanager
def sync_on_terminal(*arguments: str, columns: int = 80, **environ: str) -> Iterator[Terminal]:
    argv = [sys.executable, "-m", "toolkit", "sync", *arguments]
    whole = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **environ}
    with open_terminal(argv, whole, columns=columns) as terminal:
        yield terminal


def shows(first: str, second: str, terminal: Terminal) -> bool:
    """Whether two lines, and no other, begin with these words."""
    lines = terminal.lines
    return len(lines) == 2 and lines[0].startswith(first) and lines[1].startswith(second)


def find_processes(word: str) -> list[str]:
    """Living processes that were started with a word in their environment, which is where git gets its url."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@contextlib.contextmanager
def serve_words(words: bytes) -> Iterator[int]:
    """A git server that refuses with these words."""
    line = b"ERR " + words
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    client.recv(1000)
                    client.sendall(b"%04x%s" % (len(line) + 4, line))
                    client.close()

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_person_sees_what_each_source_does_and_then_the_summary(home: Path, acme: Upstream, columns: int) -> None:
    with serve_silence() as port:
        write_sources(home, acme=f"file://{acme.path}", mute=f"git://127.0.0.1:{port}/x.git")
        with sync_on_terminal("acme", "mute", "--timeout", "2", columns=columns) as terminal:
            terminal.wait_until(lambda: shows("acme  fetched", "mute  asking", terminal))
            assert terminal.finish() == 1
    assert terminal.shows_cursor
    assert " asking " not in terminal.text  # the display has gone
    assert terminal.text.index("toolkit: mute: cannot list") < terminal.text.index("mute      FAILED")
    assert "Snapshot" in terminal.text
    assert terminal.lines[-1].startswith("Received ")


def test_lines_stay_within_the_terminal_when_it_changes(home: Path) -> None:
    with serve_silence() as port:
        write_sources(home, mute=f"git://127.0.0.1:{port}/{'long/' * 20}x.git")
        with sync_on_terminal("mute", columns=200) as terminal:
            terminal.wait_for("x.git")
            terminal.resize(60, 24)
            terminal.wait_until(lambda: [len(line) for line in terminal.lines] == [59])
            assert terminal.lines[0].endswith("…")
            terminal.resize(90, 24)
            terminal.wait_until(lambda: [len(line) for line in terminal.lines] == [89])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupted_it_ends_at_once_and_leaves_nothing(
    home: Path, acme: Upstream, toolkit: Toolkit, number: int, status: int
) -> None:
    with serve_silence() as port:
        write_sources(home, acme=f"file://{acme.path}", mute=f"git://127.0.0.1:{port}/x.git")
        with sync_on_terminal("acme", "mute") as terminal:
            terminal.wait_for("mute  asking")
            terminal.wait_until(lambda: bool(find_processes(f":{port}/")))  # git is loaded while the catalog is built
            if number == signal.SIGINT:
                terminal.send(b"\x03")
            else:
                terminal.process.send_signal(number)
            assert terminal.finish() == status
        assert terminal.shows_cursor
        assert terminal.lines[-2].startswith("mute  asking")  # what was waited for is still to be read
        assert terminal.lines[-1] == "toolkit: interrupted; there is no snapshot yet"
        assert find_processes(f":{port}/") == []
    assert not (home / "state" / "current").exists()
    done = toolkit("sync", "acme")
    assert done.returncode == 0, done.stderr
    assert "is the first. It has 2 tools: 2 of acme." in done.stdout


def test_colour_is_for_those_who_want_it(home: Path) -> None:
    with serve_silence() as port:
        write_sources(home, mute=f"git://127.0.0.1:{port}/x.git", none="file:///nonexistent/x.git")
        raw: dict[str, bytes] = {}
        for wish in ("", "1"):
            with sync_on_terminal("mute", "none", "--timeout", "1", NO_COLOR=wish) as terminal:
                terminal.wait_for("none  FAILED")
                terminal.finish()
                raw[wish] = terminal.raw
    assert COLOUR.search(raw[""])
    assert not COLOUR.search(raw["1"])
    assert b"\x1b[" in raw["1"]  # the lines still change in place


def test_a_dumb_terminal_gets_plain_lines(home: Path, acme: Upstream) -> None:
    write_sources(home, acme=f"file://{acme.path}")
    with sync_on_terminal("acme", TERM="dumb") as terminal:
        assert terminal.finish() == 0
    assert b"\x1b" not in terminal.raw
    assert DATED.match(terminal.lines[0])


def test_a_log_gets_a_few_dated_lines_and_the_summary_after_them(home: Path, acme: Upstream, toolkit: Toolkit) -> None:
    write_sources(home, acme=f"file://{acme.path}")
    commit = acme.git("rev-parse", "HEAD")[:12]
    both = toolkit("sync", "acme")
    assert "\r" not in both.stderr + both.stdout
    assert "\x1b" not in both.stderr + both.stdout
    said = [DATED.sub("", line) for line in both.stderr.splitlines() if DATED.match(line)]
    assert len(said) == len(both.stderr.splitlines())
    assert said[0] == f"acme: asking file://{acme.path}"
    assert said[1] == f"acme: fetching {commit} (the newest commit)"
    assert re.fullmatch(rf"acme: fetched {commit}, [\d.]+ [KM]?i?B", said[2])
    assert [line.split()[0] for line in said[3:]] == ["building", "swapped", "judging", "judged"]
    again = toolkit("sync", "acme")
    assert [DATED.sub("", line) for line in again.stderr.splitlines()][1:] == [f"acme: no news {commit}"]
    assert f"acme      no news              {commit}  the newest commit" in again.stdout
    assert "Nothing is new: snapshot" in again.stdout


def test_where_the_summary_goes_elsewhere_the_last_state_stays(home: Path, acme: Upstream, tmp_path: Path) -> None:
    with serve_silence() as port:
        write_sources(home, acme=f"file://{acme.path}", mute=f"git://127.0.0.1:{port}/x.git")
        command = f"exec {sys.executable} -m toolkit sync acme mute --timeout 1 > {tmp_path}/summary"
        environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        with open_terminal(["sh", "-c", command], environ) as terminal:
            assert terminal.finish() == 1
    assert terminal.lines[0].startswith("acme  fetched")
    assert terminal.lines[1].startswith("mute  FAILED")
    assert terminal.lines[2].split()[0] == "judged"
    assert "\x1b" not in (tmp_path / "summary").read_text()


def test_quiet_and_json_show_no_progress(home: Path, acme: Upstream, toolkit: Toolkit) -> None:
    write_sources(home, acme=f"file://{acme.path}")
    done = toolkit("sync", "acme", "--json")
    document = json.loads(done.stdout)
    assert done.stderr == ""
    assert document["report"]["difference"]["new"] == ["acme/slowio", "acme/who"]
    assert document["runs_no_more"] == []
    mine = next(one for one in document["report"]["sources"] if one["source"] == "acme")
    assert list(mine["why"].values()) == ["the newest commit"]
    assert [one["asked"] for one in document["report"]["sources"] if one["source"] in UPSTREAMS] == [False] * 3
    quiet = toolkit("sync", "acme", "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_words_of_a_server_are_shown_as_they_are_and_move_nothing(home: Path) -> None:
    with serve_silence() as port, serve_words(b"[red]no[/red] [link=x]:boom: \x1b]0;owned\x07\x1b[2J\rgone") as rude:
        write_sources(home, mute=f"git://127.0.0.1:{port}/x.git", rude=f"git://127.0.0.1:{rude}/x.git")
        with sync_on_terminal("mute", "rude", columns=200) as terminal:
            terminal.wait_for("[red]no[/red] [link=x]:boom:")
            terminal.send(b"\x03")
            terminal.finish()
    assert b"\x1b]" not in terminal.raw
    assert b"\x07" not in terminal.raw
    assert b"\x1b[2J" not in terminal.raw


@pytest.mark.root
@pytest.mark.bpftrace
def test_tools_that_run_no_more_are_told(home: Path, acme: Upstream, toolkit: Toolkit) -> None:
    write_sources(home, acme=f"file://{acme.path}")
    first = toolkit("sync", "acme")
    assert re.search(r"\b2 run here now +slowio, who$", first.stdout, re.MULTILINE)
    acme.commit({"net/who.bt": script(2).replace("sched:sched_switch", "sched:no_such_event")})
    second = toolkit("sync", "acme")
    assert re.search(r"\b1 changed +acme/who$", second.stdout, re.MULTILINE)
    assert re.search(r"\b1 run here no more +who$", second.stdout, re.MULTILINE)
