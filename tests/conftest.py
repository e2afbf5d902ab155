"""What every test can count on: its own state folder, and a skip with a reason where the machine lacks something.

Nothing may touch the real home or state: TOOLKIT_HOME and HOME point into the test's own folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

if TYPE_CHECKING:
    from xdist.remote import Producer

    from toolkit.model import Facts

ROOT = Path(__file__).parent.parent
HANGING = 120  # seconds; the longest test takes 10


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own; the real one is out of reach."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("TOOLKIT_HOME", str(home / "toolkit"))
    monkeypatch.setenv("HOME", str(home))
    # Without bytecode each of the hundreds of commands that tests start would compile all of its modules.
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "NO_COLOR", "SUDO_UID", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """End a test that hangs, such as a reader with a hostile text, as a failure; `make bench` measures speed."""

    def give_up(*_: object) -> None:
        raise TimeoutError("this test hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGING)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def missing_for(marker: str) -> str:
    """Why tests with this marker cannot run here; empty when they can."""
    match marker:
        case "root":
            return "" if os.geteuid() == 0 else "needs root"
        case "bpf":
            return "" if _can_load_bpf() else "this user may not load BPF programs into this kernel"
        case "bpftrace":
            return "" if shutil.which("bpftrace") else "bpftrace is not installed"
        case "packages":
            return "" if shutil.which("runqlat-bpfcc") else "the distribution's BPF tools are not installed"
    return ""


def _can_load_bpf() -> bool:
    return facts_here().bpf.value is True


@cache
def facts_here() -> Facts:
    """The facts of this host, found out once for all tests that only use them."""
    from toolkit.host import probe_facts

    return probe_facts()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> object:
    """Give each file to one worker, whose fixtures are then made once, and all that shares the host to the same one.

    Tests that load BPF programs, and those that end processes and look for what is left of them, would see those of
    each other. A group's mark does not do: --dist loadgroup of xdist 3.8 passes over it under pytest 9.2 without a
    word (pytest-xdist issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    assert hasattr(LoadScopeScheduling, "_split_scope"), "this xdist groups tests in another way"

    class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return "the host" if shares_host(config.rootpath / file) else file

    return FileScheduling(config, log)


@cache
def shares_host(file: Path) -> bool:
    """Whether the tests of a file load BPF programs or see what others do on this host."""
    text = file.read_text()
    return file.parent.name == "launch" or "pytest.mark.bpf" in text or "find_marked" in text


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers():
        why = missing_for(marker.name)
        if why:
            pytest.skip(why)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter: not in pytest's own, which it closes to them whenever it starts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


Toolkit = Callable[..., subprocess.CompletedProcess[str]]
WarmUp = Callable[[Path], Path]


@pytest.fixture(scope="session")
def warm_up(tmp_path_factory: pytest.TempPathFactory) -> WarmUp:
    """Give a state folder what a second command finds there: this host's facts, and its packages' tools analysed.

    Finding these out takes more than a second, which hundreds of tests would spend on what others test.
    """
    from toolkit.host import load_facts
    from toolkit.paths import Paths
    from toolkit.snapshot.index import Stored, load_index

    warm = Paths(settings=Path("/nonexistent"), state=tmp_path_factory.mktemp("warm") / "state")
    load_index(warm)
    load_facts(warm.facts)
    stored = msgspec.msgpack.decode(warm.index.read_bytes(), type=Stored)

    def copy(state: Path) -> Path:
        there = Paths(settings=warm.settings, state=state)
        if not there.index.parent.exists():
            shutil.copytree(warm.index.parent, there.index.parent)
            state.chmod(0o700)
            # An index speaks of the state that it was built in, and of that one's snapshot: none.
            stamps = tuple(replace(one, path=one.path.replace(str(warm.state), str(state))) for one in stored.stamps)
            there.index.write_bytes(msgspec.msgpack.encode(replace(stored, state=str(state), stamps=stamps)))
        return state

    return copy


@pytest.fixture
def warm_home(own_home: Path, warm_up: WarmUp) -> Path:
    """The test's own home, where a command has run before."""
    _prepare(own_home, warm_up)
    return own_home


def _prepare(home: Path, warm_up: WarmUp) -> None:
    warm_up(home / "toolkit" / "state")
    (home / "toolkit").chmod(0o700)
    calm = home / "toolkit" / "policy.yaml"
    if not calm.exists():  # other tests keep this machine busy
        calm.write_text("pressure: 100\n")


@pytest.fixture
def toolkit(own_home: Path, warm_up: WarmUp) -> Toolkit:
    """Run the command `toolkit` as a user would, in a process of its own, and capture what it prints."""

    def run(
        *arguments: str, environ: dict[str, str] | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        _prepare(own_home, warm_up)
        return subprocess.run(
            [sys.executable, "-m", "toolkit", *arguments],
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",  # what a tool tells of others' programs may be no UTF-8
            timeout=seconds,
            check=False,
        )

    return run
