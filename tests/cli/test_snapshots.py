"""`toolkit snapshots` and `toolkit tree` as a user types them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.conftest import ROOT, Toolkit, WarmUp
from tests.snapshot.test_sync import Upstream, own_source, run_sync, script
from tests.support.disks import mount, mount_tmpfs
from toolkit.paths import Paths


@pytest.fixture
def paths(warm_home: Path) -> Paths:
    """The state that the command uses, too."""
    return Paths(settings=warm_home / "toolkit" / "config.yaml", state=warm_home / "toolkit" / "state")


@pytest.fixture
def acme(tmp_path: Path, paths: Paths) -> Upstream:
    upstream = Upstream(tmp_path / "acme")
    upstream.commit({"disk/slowio.bt": script(1), "net/who.sh": '#!/bin/sh\nprintf "<%s>\\n" "$@"\n'})
    (upstream.path / "net/who.sh").chmod(0o755)
    upstream.commit({})
    paths.settings.write_text(f"sources:\n  acme: {{url: 'file://{upstream.path}'}}\n")
    return upstream


def make_three(paths: Paths, acme: Upstream) -> list[str]:
    """Three snapshots, oldest first."""
    names = [run_sync(paths, own_source(acme)).snapshot]
    for number in (2, 3):
        acme.commit({"disk/slowio.bt": script(number)})
        names.append(run_sync(paths, own_source(acme)).snapshot)
    return names


def on_terminal(*arguments: str, width: int = 80) -> list[str]:
    """The lines that a command prints on a terminal of this width."""
    master, slave = pty.openpty()
    environ = {**os.environ, "NO_COLOR": "1"}
    size = f"import fcntl,struct,termios;fcntl.ioctl(1,termios.TIOCSWINSZ,struct.pack('HHHH',50,{width},0,0));"
    code = f"{size}import sys;sys.argv[0]='toolkit';from toolkit.cli.app import main;main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, env=environ, stdout=slave)
    os.close(slave)
    data = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the last of its writers is gone
            break
        if not piece:
            break
        data += piece
    os.close(master)
    assert process.wait(timeout=60) == 0
    return data.decode().replace("\r\n", "\n").splitlines()


def test_a_rollback_holds_until_the_person_says_otherwise(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    first, second, third = make_three(paths, acme)
    back = json.loads(toolkit("snapshots", "rollback", "--json").stdout)
    assert back == {"shape": 1, "snapshot": second, "before": third, "held": True}
    assert "sync leaves it there" in toolkit("snapshots", "rollback").stdout
    rows = json.loads(toolkit("snapshots", "list", "--json").stdout)["snapshots"]
    assert [(row["id"], row["serial"], row["held"]) for row in rows] == [
        (third, 3, False),
        (second, 2, False),
        (first, 1, True),
    ]
    assert json.loads(toolkit("snapshots", "show", "--json").stdout).items() >= {"shape": 1, "id": first}.items()
    assert json.loads(toolkit("snapshots", "diff", first, third, "--json").stdout)["shape"] == 1
    assert "`toolkit snapshots unhold` lets sync go on" in toolkit("snapshots", "list").stdout
    assert "no source was asked" in toolkit("sync", "acme").stdout
    assert toolkit("sync", "acme", "--quiet").stdout == ""
    assert json.loads(toolkit("sync", "acme", "--json").stdout)["report"]["held"] is True
    assert f"{first} is not held any more" in toolkit("snapshots", "unhold").stdout
    assert toolkit("snapshots", "unhold").stdout == "no snapshot was held\n"
    assert json.loads(toolkit("snapshots", "unhold", "--json").stdout)["snapshot"] == first


def test_going_to_the_newest_by_name_holds_nothing(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    *_, second, third = make_three(paths, acme)
    toolkit("snapshots", "rollback")
    forward = json.loads(toolkit("snapshots", "rollback", third[:8], "--json").stdout)
    assert forward == {"shape": 1, "snapshot": third, "before": second, "held": False}
    assert not paths.hold.exists()


def test_garbage_is_shown_before_it_goes(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    first, second, _ = make_three(paths, acme)
    would = json.loads(toolkit("snapshots", "gc", "--keep", "1", "--dry-run", "--json").stdout)
    assert (set(would["removed"]), would["dry_run"]) == ({first, second}, True)
    assert f"would remove {first}" in toolkit("snapshots", "gc", "--keep", "1", "-n").stdout
    assert json.loads(toolkit("snapshots", "gc", "--keep", "2", "--json").stdout)["removed"] == [first]
    assert toolkit("snapshots", "gc", "--keep", "2").stdout == "nothing to remove\n"
    assert (paths.snapshots / second).is_dir()


def test_a_pipe_gets_a_line_a_tool_and_a_terminal_its_width(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    first, second, third = make_three(paths, acme)
    names = {f"net/tool{number}.bt": script(number) for number in range(60)}
    commit = acme.commit(names)
    run_sync(paths, own_source(acme))
    assert f"    acme/tool7@{commit[:12]}  net/tool7.bt\n" in toolkit("snapshots", "show").stdout
    assert "  new      acme/tool7\n" in toolkit("snapshots", "diff").stdout
    assert "  changed  acme/slowio\n" in toolkit("snapshots", "diff", first, third).stdout
    assert toolkit("snapshots", "diff", third, third[:9]).stdout.endswith("  nothing changed\n")
    for command in (("list",), ("show",), ("diff",), ("diff", second, third)):
        for width in (80, 200):
            lines = on_terminal("snapshots", *command, width=width)
            assert max(map(len, lines)) <= width
            assert len(lines) < 20
    assert "  60 new:" in on_terminal("snapshots", "diff")


def test_the_tree_runs_its_tools(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    before = toolkit("tree", "disk")
    assert before.returncode == 0
    assert "biolatency" in before.stdout
    assert "`toolkit sync` makes its files" in before.stderr
    nothing = toolkit("tree", "--path")
    assert (nothing.returncode, nothing.stdout) == (125, "")
    assert toolkit("sync", "acme").returncode == 0
    assert toolkit("tree", "--path").stdout == f"{paths.tree}\n"
    assert toolkit("tree", "--path", "networking").stdout == f"{paths.tree}/net\n"
    environ = {**os.environ, "TOOLKIT_HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["./net/who", "a b", "it's"], cwd=paths.tree, env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout == "<a b>\n<it's>\n", done.stderr
    assert done.returncode == 0
    document = json.loads(toolkit("tree", "net", "--json").stdout)
    assert (document["path"], [one["name"] for one in document["categories"]]) == (str(paths.tree), ["net"])
    assert "who" in [row["name"] for row in document["categories"][0]["tools"]]


def test_what_the_tree_prints_is_what_lies_there(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    toolkit("sync", "acme")
    document = json.loads(toolkit("tree", "--json").stdout)
    shown = {f"{one['name']}/{row['name']}" for one in document["categories"] for row in one["tools"]}
    assert shown == {str(path.relative_to(paths.tree)) for path in paths.tree.glob("*/*")}
    assert {"hyper/virtiostat", "disk/virtiostat", "net/virtiostat"} <= shown


@pytest.mark.parametrize("width", [80, 200])
def test_the_tree_fits_its_terminal(warm_home: Path, width: int) -> None:
    lines = on_terminal("tree", width=width)
    assert max(map(len, lines)) <= width
    assert any(line.startswith("├── disk") for line in lines)


def test_a_terminal_that_is_not_utf_8_gets_a_tree_too(toolkit: Toolkit) -> None:
    done = toolkit("tree", "hyper", environ={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0
    assert "`-- hyper" in done.stdout
    assert "    |-- " in done.stdout


@pytest.mark.root
@pytest.mark.parametrize("how", ["read-only", "another user"])
def test_a_state_that_cannot_be_written_can_be_read(
    acme: Upstream, warm_up: WarmUp, open_folder: Path, how: str
) -> None:
    with mount_tmpfs(open_folder / "disk") as disk:
        home = disk / "home"
        home.mkdir(mode=0o755)
        (home / "config.yaml").write_text(f"sources:\n  acme: {{url: 'file://{acme.path}'}}\n")
        run_sync(Paths(settings=home / "config.yaml", state=warm_up(home / "state")), own_source(acme))
        acme.commit({"disk/slowio.bt": script(2)})
        for place in (disk, *home.rglob("*")):
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o755)
        who: list[str] = []
        if how == "read-only":
            mount("-o", "remount,ro", str(disk))
        else:
            who = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        cause = "Read-only file system" if how == "read-only" else "Permission denied"

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            environ = {**os.environ, "TOOLKIT_HOME": str(home)}
            command = [*who, sys.executable, "-m", "toolkit", *arguments]
            return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

        for words in ("sync acme", "snapshots rollback", "snapshots unhold", "snapshots gc"):
            done = run(*words.split())
            if "No module named" in done.stderr or "can't open file" in done.stderr:
                pytest.skip("this checkout cannot be read by another user")
            assert done.returncode in (1, 125)
            assert cause in done.stderr
            assert "TOOLKIT_HOME" in done.stderr
            assert "Traceback" not in done.stderr
        for words in ("tree disk", "snapshots list", "snapshots gc -n"):
            assert run(*words.split()).returncode == 0
        listed = run("list", "disk")
        assert listed.returncode == 0
        # What root synced is root's alone; others have what the distribution and this project bring.
        assert ("slowio" in listed.stdout) == (how == "read-only")


def test_a_tool_that_is_held_at_two_revisions_is_one_tool(paths: Paths, acme: Upstream, toolkit: Toolkit) -> None:
    acme.git("tag", "v1")
    acme.commit({"disk/slowio.bt": script(2)}, "v2")
    run_sync(paths, msgspec.structs.replace(own_source(acme), revisions=("v1", "v2")))
    (row,) = json.loads(toolkit("snapshots", "list", "--json").stdout)["snapshots"]
    assert row["tools"] == 2
    assert len(row["origins"]) == 2
