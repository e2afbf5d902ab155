"""The nightly sync from its installation to its mail: what cron would run, in cron's bare environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.snapshot.test_sync import Upstream, script
from toolkit.lock import hold_lock

BARE = {"HOME": "/root", "LOGNAME": "root", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}  # all that cron gives a job
LINE = re.compile(r"(\d+) (\d+) \* \* \* root (.+)")


class Night:
    """A host of a test's own: a root for the entry, an installed program, a repository, and settings."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.root = folder / "root"
        self.home = home
        self.prom = folder / "metrics" / "toolkit.prom"
        self.prom.parent.mkdir()
        for name in ("etc/cron.d", "usr/sbin"):
            (self.root / name).mkdir(parents=True)
        (self.root / "usr/sbin/cron").touch()
        self.acme = Upstream(folder / "acme")
        tools = ("disk/slowio.bt", "tools/one.bt", "tools/two.py", "updated/Ch09_Disks/three.bt")
        self.acme.commit(dict.fromkeys(tools, script(1)))  # something by the rules of each source
        self.set_sources("acme", "bcc", "book", "bpftrace")
        # As pip writes it, but for the root, and for what is not installed.
        self.program = folder / "toolkit"
        self.program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nimport pathlib, toolkit.cli.cron\n"
            f"toolkit.cli.cron.ROOT = pathlib.Path({str(self.root)!r})\n"
            "from toolkit.cli.app import main\nsys.exit(main())\n"
        )
        self.program.chmod(0o755)

    def set_sources(self, *names: str, more: str = "") -> None:
        lines = (f"  {name}: {{url: 'file://{self.acme.path}', revisions: latest}}" for name in names)
        text = "\n".join(("sources:", *lines, f"textfile: {self.prom.parent}", more, ""))
        (self.home / "config.yaml").write_text(text)

    def call(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *arguments], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
        )

    def run_as_cron(self) -> subprocess.CompletedProcess[str]:
        """Run the command of the installed line as cron does: % unescaped, by /bin/sh, in another folder."""
        found = LINE.fullmatch((self.root / "etc/cron.d/toolkit").read_text().splitlines()[-1])
        assert found
        # The one thing that cron would not do: the entry's variables are looked for below this test's root.
        command = found[3].replace("\\%", "%").replace(". /etc/", f". {self.root}/etc/")
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd="/",
            env=BARE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            umask=0o022,
        )

    def journal(self) -> dict[str, object]:
        document = json.loads((self.home / "state" / "sync.json").read_bytes())
        assert isinstance(document, dict)
        return document

    def metric(self, name: str) -> str:
        (line,) = (line for line in self.prom.read_text().splitlines() if line.startswith(f"{name} "))
        return line.split()[1]


@pytest.fixture
def night(tmp_path: Path, warm_home: Path) -> Night:
    return Night(tmp_path, warm_home / "toolkit")


@pytest.mark.root
def test_a_night_that_goes_well_says_nothing_and_one_that_does_not_says_what_to_do(night: Night) -> None:
    done = night.call("cron", "install", no_proxy="a,b", https_proxy="http://u:p%40ss$x@proxy.invalid/")
    assert (done.returncode, done.stdout.split()[0]) == (0, "installed")
    assert "p%40ss" not in done.stdout + done.stderr
    good = night.run_as_cron()
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert [night.metric("toolkit_sync_success"), night.metric("toolkit_sync_notes")] == ["1", "0"]
    assert "slowio" in night.call("snapshots", "show").stdout
    again = night.run_as_cron()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    success = night.metric("toolkit_sync_last_success_timestamp_seconds")
    night.acme.path.rename(night.acme.path.with_name("gone"))
    bad = night.run_as_cron()
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("toolkit: acme: cannot list the branches and tags of file://")
    assert "look at the url" in bad.stderr
    assert str(night.home / "state" / "sync.log") in bad.stderr
    assert night.metric("toolkit_sync_success") == "0"
    assert night.metric("toolkit_sync_last_success_timestamp_seconds") == success
    log = (night.home / "state" / "sync.log").read_text()
    assert [log.count(word) for word in ("sync started", "sync done", "sync FAILED")] == [3, 2, 1]
    shown = night.call("cron", "show").stdout
    assert "acme      FAILED, good until" in shown
    assert "carries   TOOLKIT_HOME, https_proxy, no_proxy" in shown
    assert "p%40ss" not in shown


@pytest.mark.root
def test_the_entry_is_installed_shown_and_removed_as_json(night: Night) -> None:
    first, second = (json.loads(night.call("cron", "install", "--json").stdout) for _ in range(2))
    entry = str(night.root / "etc/cron.d/toolkit")
    assert (entry in first["changed"], second["changed"]) == (True, [])
    assert (first["shape"], first["entry"]["kind"]) == (1, "cron")
    shown = json.loads(night.call("cron", "show", "--json").stdout)
    assert set(shown) == {"shape", "entries", "journal", "log", "problem"}
    assert shown["entries"] == [first["entry"]]
    assert shown["entries"][0]["argv"] == [str(night.program), "sync", "--quiet"]
    removed = json.loads(night.call("cron", "remove", "--json").stdout)
    assert entry in removed["removed"]
    assert json.loads(night.call("cron", "show", "--json").stdout)["entries"] == []
    assert list((night.root / "etc").rglob("toolkit*")) == []


@pytest.mark.root
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--window", "01:00"), "01:00-04:59"),
        (("--kind", "anacron"), "is not one of 'cron', 'systemd'"),
        (("--kind", "systemd"), "systemd does not run here"),
    ],
)
def test_a_wrong_installation_is_refused(night: Night, arguments: tuple[str, ...], said: str) -> None:
    done = night.call("cron", "install", *arguments)
    assert (done.returncode, done.stdout) == (125, "")
    assert said in done.stderr
    assert list((night.root / "etc").rglob("toolkit*")) == []


@pytest.mark.root
def test_a_program_that_needs_this_shell_or_that_others_can_write_is_not_installed(night: Night) -> None:
    text = night.program.read_text()
    night.program.write_text(text.replace("import sys\n", "import sys, os\nos.environ['NEEDED']\n", 1))
    done = night.call("cron", "install", NEEDED="1")
    assert (done.returncode, "does not start outside of this shell: KeyError: 'NEEDED'" in done.stderr) == (125, True)
    night.program.chmod(0o777)
    done = night.call("cron", "install", NEEDED="1")
    assert (done.returncode, "can be written by others" in done.stderr) == (125, True)


def test_only_root_installs_or_removes() -> None:
    code = (
        "import os, sys, toolkit.cli.app as a\nos.geteuid = lambda: 1000\n"
        "sys.argv = ['toolkit', 'cron', sys.argv[1]]\na.main()"
    )
    for word in ("install", "remove"):
        done = subprocess.run([sys.executable, "-c", code, word], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, f"only root can {word} the nightly sync" in done.stderr) == (125, True)
        assert f"sudo toolkit cron {word}" in done.stderr


def test_every_failure_of_a_sync_is_1_and_written_down_and_every_wrong_call_125(night: Night) -> None:
    night.set_sources("acme")
    assert night.call("sync", "acme", "--quiet").returncode == 0
    with hold_lock(night.home / "state" / "sync.lock", 1.0):
        busy = night.call("sync", "--quiet", "--wait", "0")
    assert (busy.returncode, busy.stdout) == (1, "")
    assert "another toolkit" in busy.stderr
    last = night.journal()["last"]
    assert isinstance(last, dict)
    assert (last["success"], "another toolkit" in last["problem"]) == (False, True)
    assert night.metric("toolkit_sync_success") == "0"
    assert night.journal()["last_success"] is not None
    assert night.call("sync", "acme", "--quiet").returncode == 0
    assert night.metric("toolkit_sync_success") == "1"

    assert night.call("sync", "nothing-like-it").returncode == 125
    assert night.call("sync", "--wait", "soon").returncode == 125
    night.set_sources("acme", more="keep: many")
    assert night.call("sync", "acme").returncode == 125
    assert night.journal()["last"] == night.journal()["last_success"]


def test_what_could_not_be_written_down_is_a_failure_too(night: Night) -> None:
    night.prom.parent.rmdir()
    done = night.call("sync", "acme", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot write metrics" in done.stderr
    assert "textfile" in done.stderr
    assert "slowio" in night.call("snapshots", "show").stdout


def test_what_is_refused_again_every_night_is_in_the_log_and_not_in_the_mail(night: Night) -> None:
    night.acme.commit({"disk/big.bt": "x" * (2 << 20)})
    (night.acme.path / "disk" / "out.bt").symlink_to("/etc/passwd")
    night.acme.commit({})
    done = night.call("sync", "acme", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert int(night.metric("toolkit_sync_notes")) > 0
    assert "disk/out.bt" in (night.home / "state" / "sync.log").read_text()
    assert "note      acme: disk/out.bt" in night.call("cron", "show").stdout
