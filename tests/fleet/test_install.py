"""The nightly entry, put in place and taken away: all of it or none, and nothing that is not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from toolkit.errors import StateError
from toolkit.fleet.cron import (
    CRON_FILE,
    ENVIRONMENT_FILE,
    SERVICE_FILE,
    TIMER,
    TIMER_FILE,
    WANTED_BY,
    Entry,
    Kind,
    plan_files,
)
from toolkit.fleet.install import (
    check_kind,
    choose_kind,
    find_installed,
    find_program_distrust,
    find_sleeper,
    install_entry,
    remove_entry,
)

ARGV = ("/usr/bin/toolkit", "sync", "--quiet")
SECRET = {"https_proxy": "http://user:secret@proxy/"}


class Systemctl:
    """A systemctl that notes how it is called, and fails where a test wants it to; `enable` makes the usual link."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.path = folder / "systemctl"
        self.path.write_text(
            f'#!/bin/sh\necho "$*" >> {folder}/calls\n'
            f'[ -e {folder}/fail-$1 ] && {{ echo "no $1 today" >&2; exit 1; }}\n'
            f"[ $1 = enable ] && ln -sf /{TIMER_FILE} {root}/{WANTED_BY}\nexit 0\n"
        )
        self.path.chmod(0o755)

    def fail(self, word: str) -> None:
        (self.folder / f"fail-{word}").touch()

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("etc/cron.d", "etc/systemd/system/timers.target.wants", "usr/sbin", "run"):
        (root / name).mkdir(parents=True)
    return root


@pytest.fixture
def systemctl(tmp_path: Path, root: Path) -> Systemctl:
    return Systemctl(tmp_path, root)


def entry(kind: Kind = Kind.CRON, environment: dict[str, str] | None = None, minute: int = 137) -> Entry:
    return Entry(kind=kind, minute=minute, argv=ARGV, environment=environment or {})


def files(root: Path) -> dict[str, str]:
    """All files below root with their mode and content."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(root))] = f"{path.stat().st_mode:o} {path.read_text()}"
    return found


def install(root: Path, one: Entry, systemctl: Systemctl) -> tuple[str, ...]:
    return install_entry(root, one, str(systemctl.path))


def test_an_entry_of_cron_is_written_once(root: Path, systemctl: Systemctl) -> None:
    assert install(root, entry(), systemctl) == (str(root / CRON_FILE),)
    file = root / CRON_FILE
    assert file.stat().st_mode & 0o777 == 0o644  # cron ignores one that others may write
    assert file.read_bytes().endswith(b"toolkit sync --quiet\n")
    assert install(root, entry(), systemctl) == ()
    file.chmod(0o664)
    assert install(root, entry(), systemctl) == (str(file),)
    assert file.stat().st_mode & 0o777 == 0o644
    assert systemctl.calls() == []


@pytest.mark.parametrize("kind", Kind)
def test_remove_takes_away_exactly_what_install_made(root: Path, systemctl: Systemctl, kind: Kind) -> None:
    (root / "etc/cron.d/other").write_text("# a person's\n")
    before = files(root)
    made = install(root, entry(kind, SECRET), systemctl)
    assert set(files(root)) > set(before)
    assert (root / ENVIRONMENT_FILE).stat().st_mode & 0o777 == 0o600
    assert set(remove_entry(root, str(systemctl.path))) == set(made)
    assert files(root) == before
    assert remove_entry(root, str(systemctl.path)) == ()


def test_a_timer_is_enabled_and_started_and_left_alone_when_it_runs(root: Path, systemctl: Systemctl) -> None:
    install(root, entry(Kind.SYSTEMD), systemctl)
    assert systemctl.calls() == ["daemon-reload", f"enable --now {TIMER}", f"restart {TIMER}"]
    assert install(root, entry(Kind.SYSTEMD), systemctl) == ()
    assert systemctl.calls() == [f"is-enabled {TIMER}", f"is-active {TIMER}"]
    systemctl.fail("is-active")
    assert install(root, entry(Kind.SYSTEMD), systemctl) != ()
    assert f"enable --now {TIMER}" in systemctl.calls()


def test_the_other_kind_goes_so_that_nothing_syncs_twice(root: Path, systemctl: Systemctl) -> None:
    install(root, entry(Kind.SYSTEMD, SECRET), systemctl)
    systemctl.calls()
    install(root, entry(Kind.CRON), systemctl)
    assert list(files(root)) == [CRON_FILE]
    assert systemctl.calls() == [f"disable --now {TIMER}", "daemon-reload"]
    install(root, entry(Kind.SYSTEMD), systemctl)
    assert set(files(root)) == {SERVICE_FILE, TIMER_FILE, WANTED_BY}


@pytest.mark.parametrize("word", ["daemon-reload", "enable", "restart"])
def test_when_systemd_refuses_nothing_half_installed_remains(root: Path, systemctl: Systemctl, word: str) -> None:
    before = files(root)
    systemctl.fail(word)
    with pytest.raises(StateError, match=f"{word}.*no {word} today") as caught:
        install(root, entry(Kind.SYSTEMD, SECRET), systemctl)
    assert "--kind cron" in caught.value.fix
    assert files(root) == before


@pytest.mark.parametrize("kind", Kind)
def test_when_a_change_fails_what_was_there_stands(root: Path, systemctl: Systemctl, kind: Kind) -> None:
    install(root, entry(kind, {"no_proxy": "old"}), systemctl)
    before = files(root)
    systemctl.fail("restart")
    with pytest.raises(StateError, match="restart"):
        install(root, entry(Kind.SYSTEMD, SECRET, 99), systemctl)
    assert files(root) == before


def test_a_folder_in_the_way_fails_whole(root: Path, systemctl: Systemctl) -> None:
    shutil.rmtree(root / "etc/cron.d")
    (root / "etc/cron.d").write_text("not a folder")
    before = files(root)
    with pytest.raises(StateError, match=r"cannot (write|read)"):
        install(root, entry(environment=SECRET), systemctl)
    assert files(root) == before


@pytest.mark.parametrize("name", [CRON_FILE, ENVIRONMENT_FILE])
def test_a_file_that_is_not_ours_is_neither_replaced_nor_removed(root: Path, systemctl: Systemctl, name: str) -> None:
    (root / name).write_text("# a person's\n0 3 * * * root true\n")
    before = files(root)
    with pytest.raises(StateError, match=r"was not made by `toolkit cron install`") as caught:
        install(root, entry(environment=SECRET), systemctl)
    assert "move it away" in caught.value.fix
    assert remove_entry(root, str(systemctl.path)) == ()
    assert files(root) == before


def test_a_folder_of_that_name_is_not_ours_either(root: Path, systemctl: Systemctl) -> None:
    (root / CRON_FILE).mkdir()
    with pytest.raises(StateError, match="was not made by"):
        install(root, entry(), systemctl)
    assert remove_entry(root, str(systemctl.path)) == ()
    assert [bool(one.problem) for one in find_installed(root)] == [True]


def test_a_link_is_not_followed(root: Path, systemctl: Systemctl, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install(root, entry(), systemctl)
    (root / CRON_FILE).rename(target)
    (root / CRON_FILE).symlink_to(target)
    with pytest.raises(StateError, match="it is a link"):
        install(root, entry(minute=1), systemctl)
    assert remove_entry(root, str(systemctl.path)) == ()
    assert (root / CRON_FILE).is_symlink()


def test_what_is_installed_is_found_also_what_only_looks_so(root: Path, systemctl: Systemctl) -> None:
    assert find_installed(root) == ()
    install(root, entry(environment=SECRET), systemctl)
    (found,) = find_installed(root)
    assert found.entry == entry(environment=SECRET)
    assert found.files == (str(root / ENVIRONMENT_FILE), str(root / CRON_FILE))
    (root / TIMER_FILE).write_text("[Timer]\n")
    assert [(one.kind, bool(one.entry), bool(one.problem)) for one in find_installed(root)] == [
        (Kind.CRON, True, False),
        (Kind.SYSTEMD, False, True),
    ]


def test_the_kind_is_that_which_runs_here(root: Path) -> None:
    with pytest.raises(StateError, match="no cron daemon is installed, and systemd does not run") as caught:
        choose_kind(root)
    assert "apt-get install cron" in caught.value.fix
    with pytest.raises(StateError, match="systemd does not run here"):
        check_kind(root, Kind.SYSTEMD)
    (root / "usr/sbin/cron").touch()
    (root / "etc/cron.d").rmdir()
    with pytest.raises(StateError, match="does not read it"):
        choose_kind(root)
    (root / "etc/cron.d").mkdir()
    assert choose_kind(root) is Kind.CRON
    (root / "run/systemd/system").mkdir(parents=True)
    assert choose_kind(root) is Kind.SYSTEMD


def test_a_daemon_that_sleeps_is_told(root: Path, systemctl: Systemctl) -> None:
    assert "no cron daemon runs" in find_sleeper(root, Kind.CRON)
    (root / "run/crond.pid").write_text(f"{os.getpid()}\n")  # a process, and no cron
    assert "no cron daemon runs" in find_sleeper(root, Kind.CRON)
    sleeping = shutil.copy("/bin/sleep", root / "usr/sbin/cron")
    daemon = subprocess.Popen([sleeping, "60"])
    try:
        (root / "run/crond.pid").write_text(f"{daemon.pid}\n")
        while "cron" not in Path(f"/proc/{daemon.pid}/comm").read_text():
            time.sleep(0.001)  # the kernel names a process a moment after Popen sees that it was started
        assert find_sleeper(root, Kind.CRON) == ""
    finally:
        daemon.kill()
        daemon.wait()
    assert find_sleeper(root, Kind.SYSTEMD, str(systemctl.path)) == ""
    systemctl.fail("is-enabled")
    assert "is not active" in find_sleeper(root, Kind.SYSTEMD, str(systemctl.path))


@pytest.mark.root
def test_root_does_not_run_every_night_what_others_can_write(tmp_path: Path) -> None:
    program = tmp_path / "toolkit"
    program.touch(mode=0o755)
    assert find_program_distrust((program,)) == ""
    program.chmod(0o775)
    assert "can be written by others" in find_program_distrust((program,))
    assert "No such file" in find_program_distrust((tmp_path / "none",))


def test_systemd_itself_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "to ol%n" / "toolkit"
    program.parent.mkdir()
    program.touch(mode=0o755)
    one = Entry(kind=Kind.SYSTEMD, minute=137, argv=(str(program), "sync"), environment=SECRET)
    units = [planned for planned in plan_files(one) if planned.path != ENVIRONMENT_FILE]
    for planned in units:
        (tmp_path / Path(planned.path).name).write_text(planned.text)
    names = [str(tmp_path / Path(planned.path).name) for planned in units]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "toolkit" in line]) == (0, [])
