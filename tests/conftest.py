"""What every test can count on: its own state folder, and a skip with a reason where the machine lacks something.

Nothing may touch the real home or state: TOOLKIT_HOME and HOME point into the test's own folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HANGING = 120  # seconds; the longest test takes 20


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
    from toolkit.host import probe_facts

    global _facts_allow_bpf  # noqa: PLW0603
    if _facts_allow_bpf is None:
        _facts_allow_bpf = probe_facts().bpf.value is True
    return _facts_allow_bpf


_facts_allow_bpf: bool | None = None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers():
        why = missing_for(marker.name)
        if why:
            pytest.skip(why)


Toolkit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a second command finds in the state's cache: this host's facts, and its packages' tools analysed."""
    from toolkit.host import load_facts
    from toolkit.paths import Paths
    from toolkit.snapshot.index import load_index

    paths = Paths(settings=Path("/nonexistent"), state=tmp_path_factory.mktemp("warm") / "state")
    load_index(paths)
    load_facts(paths.facts)
    return paths.index.parent


@pytest.fixture
def toolkit(own_home: Path, warm_cache: Path) -> Toolkit:
    """Run the command `toolkit` as a user would, in a process of its own, and capture what it prints.

    It is not the user's first one, which takes a second longer: there are hundreds of these tests.
    """
    cache = own_home / "toolkit" / "state" / "cache"

    def run(
        *arguments: str, environ: dict[str, str] | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        if not cache.exists():
            shutil.copytree(warm_cache, cache)
        calm = own_home / "toolkit" / "policy.yaml"
        if not calm.exists():  # other tests keep this machine busy
            calm.write_text("pressure: 100\n")
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
