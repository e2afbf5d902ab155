"""Hosts to look at: captured ones as trees of /proc and /sys, and this one through the eyes of an ordinary user."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

CHECKOUT = Path(__file__).parent.parent.parent
KERNELS = Path(os.environ.get("TOOLKIT_KERNELS") or CHECKOUT.parent / "shared" / "kernels") / "facts"
NOBODY = 65534

CaptureOf = Callable[[str], Path]
AskAsNobody = Callable[[str], Any]


@pytest.fixture(scope="session")
def capture_of() -> CaptureOf:
    """The folder of raw captures of one kernel."""

    def find(kernel: str) -> Path:
        folder = KERNELS / kernel
        if not folder.is_dir():
            pytest.skip(f"no captured facts at {folder}: set TOOLKIT_KERNELS")
        return folder

    return find


@pytest.fixture(scope="session")
def host_of(capture_of: CaptureOf, tmp_path_factory: pytest.TempPathFactory) -> CaptureOf:
    """One captured kernel as a file tree that looks like its host, built once."""
    built: dict[str, Path] = {}

    def find(kernel: str) -> Path:
        if kernel not in built:
            built[kernel] = _build_host(capture_of(kernel), tmp_path_factory.mktemp(kernel))
        return built[kernel]

    return find


def _build_host(capture: Path, root: Path) -> Path:
    release = (capture / "uname-r").read_text().strip()
    put(root, "/proc/sys/kernel/osrelease", release)
    put(root, "/proc/sys/kernel/arch", (capture / "uname-a").read_text().split()[-2])
    put(root, "/etc/os-release", (capture / "os-release").read_text())
    put(root, "/proc/self/status", (capture / "caps.txt").read_text())
    kilobytes = (capture / "memlock.txt").read_text().strip()
    put(
        root,
        "/proc/self/limits",
        f"Max locked memory         {int(kilobytes) << 10}  {int(kilobytes) << 10}  bytes\n",
    )
    shutil.copy(capture / "config.gz", put(root, "/proc/config.gz"))
    put(root, "/sys/kernel/btf/vmlinux").write_bytes(unzip(capture / "btf-vmlinux.gz"))
    symbols = unzip(capture / "kallsyms-names.gz").decode()
    put(
        root,
        "/proc/kallsyms",
        "".join(f"0000000000000000 t {line}\n" for line in symbols.splitlines() if line.strip()),
    )
    for line in (capture / "pmu-types.txt").read_text().splitlines():
        name, number = line.split()
        put(root, f"/sys/bus/event_source/devices/{name}/type", number)
    _build_tracefs(capture, root)
    _build_restrictions(capture, root)
    for line in (capture / "headers.txt").read_text().splitlines():
        if line.endswith(("/build", "/source")) and line.startswith("/lib/modules"):
            put(root, f"{line}/Makefile")
    return root


def _build_tracefs(capture: Path, root: Path) -> None:
    put(root, "/sys/kernel/tracing/events/enable")
    put(root, "/sys/kernel/tracing/available_events", (capture / "tracepoints.txt").read_text())
    if not (capture / "aff.err").read_text():
        functions = unzip(capture / "available_filter_functions.gz").decode()
        put(root, "/sys/kernel/tracing/available_filter_functions", functions)
    blacklist = (capture / "kprobes-blacklist.txt").read_text()
    if blacklist:
        put(root, "/sys/kernel/debug/kprobes/blacklist", blacklist)


def _build_restrictions(capture: Path, root: Path) -> None:
    for line in (capture / "sysctl.txt").read_text().splitlines():
        name, _, value = line.partition("=")
        if value.isdigit():
            put(root, f"/proc/sys/{name.replace('.', '/')}", value)
    lockdown = (capture / "lockdown.txt").read_text()
    if lockdown.startswith("["):
        put(root, "/sys/kernel/security/lockdown", lockdown.splitlines()[0])
    else:
        (root / "sys/kernel/security").mkdir()


def put(root: Path, path: str, text: str = "") -> Path:
    """Write one file of a host."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def unzip(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


@pytest.fixture
def write() -> Callable[..., Path]:
    """Write one file of a host: write(root, "/proc/modules", "ext4 1 0")."""
    return put


@pytest.fixture(scope="session")
def as_nobody() -> AskAsNobody:
    """Run Python code as a user without any rights and give back the JSON that it prints."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become an ordinary user")
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    python = _find_open_python()

    def ask(code: str) -> Any:
        done = subprocess.run(_unprivileged(python, code), capture_output=True, text=True, check=True, timeout=30)
        return json.loads(done.stdout)

    return ask


def _find_open_python() -> str:
    """A Python that everybody may run and that has our packages: the running one may lie in root's home."""
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run(_unprivileged(python, "import toolkit.host"), capture_output=True)
        if done.returncode == 0:
            return python
    pytest.skip("no Python that an ordinary user may run can import toolkit")


def _unprivileged(python: str, code: str) -> list[str]:
    packages = Path(msgspec.__file__).parent.parent
    user = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--inh-caps=-all")
    path = f"PYTHONPATH={CHECKOUT}:{packages}"
    return ["setpriv", *user, "env", "-C", "/", path, "PYTHONDONTWRITEBYTECODE=1", python, "-c", code]
