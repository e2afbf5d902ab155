"""scripts/capture-facts: what a plain shell takes of this host makes the facts that asking the host makes."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolkit.cli.facts import GROUPS
from toolkit.host import places, probe_facts
from toolkit.host.capture import look_up_captured, read_capture
from toolkit.host.looked import look_up
from toolkit.model import Facts, Need, NeedKind

SCRIPT = ROOT / "scripts" / "capture-facts"
ADDRESS = re.compile(rb"\bf{4}[0-9a-f]{12}\b|0xf{4}[0-9a-f]{12}")
NEEDS = (
    *(
        Need(kind=NeedKind.PROGRAM, name=name)
        for name in ("bash", "/bin/bash", "java", "ruby", "libc", "libssl", "/no/x")
    ),
    *(Need(kind=NeedKind.UPROBE, name=f"libc:{name}") for name in ("getaddrinfo", "pthread_create", "nothing")),
    Need(kind=NeedKind.UPROBE, name="/bin/bash:readline"),
    *(Need(kind=NeedKind.USER_HEADER, name=name) for name in ("sys/socket.h", "linux/types.h", "none.h")),
    Need(kind=NeedKind.PYTHON_MODULE, name="bcc"),
    Need(kind=NeedKind.FILE, name="/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"),
    Need(kind=NeedKind.PLATFORM, name="GenuineIntel"),
)


def capture(folder: Path, *shell: str) -> None:
    done = subprocess.run([*shell, str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert "another host: toolkit facts --from FOLDER" in done.stderr


def read_texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What was taken as text, unpacked: all but the BTF, and copies of programs and libraries."""
    for file in folder.iterdir():
        data = file.read_bytes()
        if file.name not in ("btf-vmlinux.gz", "btf-modules.tgz", "elf.tgz"):
            yield file.name, gzip.decompress(data) if file.suffix == ".gz" else data


def list_lasting(events: Iterable[str]) -> set[str]:
    return {one for one in events if not one.startswith(("uprobes:", "kprobes:"))}


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = tmp_path_factory.mktemp("captures")
    capture(folder, "sh")
    return folder


@pytest.fixture(scope="module")
def both(captures: Path) -> tuple[Facts, Facts]:
    return read_capture(captures), probe_facts()


@pytest.mark.root
@pytest.mark.parametrize("family", [name for names in GROUPS.values() for name in names])
def test_a_family_is_what_the_host_says(family: str, both: tuple[Facts, Facts]) -> None:
    captured, live = (getattr(facts, family) for facts in both)
    if family == "bpf" and not captured.known:
        pytest.skip("there is no bpftool here")
    if family == "counters" and not captured.known:
        pytest.skip("there is a processor's PMU here: only opening a counter tells")
    if family in ("tracepoints", "formats") and live.known:
        # Other tests' tools make events of their own meanwhile.
        ours = [
            {one for one in fact.value if not one.startswith(("uprobes:", "kprobes:"))} for fact in (captured, live)
        ]
        assert ours[0] == ours[1]
    elif family == "headers":
        assert captured.known == live.known
    else:
        assert captured.value == live.value, (captured.unknown, live.unknown)


@pytest.mark.root
def test_kinds_of_programs_and_engines_are_what_the_host_says(both: tuple[Facts, Facts]) -> None:
    captured, live = both
    told = {name: fact.value for name, fact in captured.program_kinds.items()}
    assert told == {name: fact.value for name, fact in live.program_kinds.items()}
    assert {one.name: one.version for one in captured.engines} == {one.name: one.version for one in live.engines}
    assert (captured.release, captured.machine, captured.distribution) == (
        live.release,
        live.machine,
        live.distribution,
    )
    assert captured.capabilities == live.capabilities


@pytest.mark.root
def test_what_lies_outside_of_the_kernel_is_what_is_found_here(captures: Path) -> None:
    assert look_up_captured(NEEDS, captures) == look_up(NEEDS)


@pytest.mark.root
def test_every_switch_that_decides_is_taken(captures: Path) -> None:
    taken = {line.partition("=")[0] for line in (captures / "sysctl.txt").read_text().splitlines()}
    switches = (places.FTRACE_SWITCH, *(f"{places.SYSCTLS}/{one}" for one in places.RESTRICTIONS))
    assert taken == {switch.removeprefix("/proc/sys/").replace("/", ".") for switch in switches}


@pytest.mark.root
def test_nothing_secret_is_taken(captures: Path) -> None:
    for file in captures.iterdir():
        if file.suffix == ".txt" or file.name.startswith("uname"):
            assert f" {os.uname().nodename} " not in file.read_text(errors="replace"), file.name
    assert gzip.decompress((captures / "kallsyms.gz").read_bytes()).startswith((b"A ", b"D ", b"T ", b"t "))
    assert [name for name, text in read_texts(captures) if ADDRESS.search(text)] == []


@pytest.mark.root
def test_functions_that_kprobes_refuse_are_taken_without_their_addresses(tmp_path: Path) -> None:
    debugfs = tmp_path / "debug"
    (debugfs / "kprobes").mkdir(parents=True)
    (debugfs / "kprobes/blacklist").write_text("0xffffffff91c081a0-0xffffffff91c081d0\twarn_thunk_thunk\n")
    mounted = f'mount --bind {debugfs} /sys/kernel/debug && exec sh "$0" "$1"'
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces cannot be made here")
    capture(tmp_path / "captures", "unshare", "-m", "sh", "-c", mounted)
    assert (tmp_path / "captures/kprobes-blacklist.txt").read_text() == "warn_thunk_thunk\n"


@pytest.mark.root
def test_busybox_takes_the_same(captures: Path, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    capture(tmp_path / "captures", busybox, "sh")
    mine, other = read_capture(tmp_path / "captures"), read_capture(captures)
    for family in ("config", "btf_functions", "symbols", "functions", "pmus", "memlock", "filesystems"):
        assert getattr(mine, family).value == getattr(other, family).value, family
    assert list_lasting(mine.formats.value or ()) == list_lasting(other.formats.value or ())
    assert look_up_captured(NEEDS, tmp_path / "captures") == look_up_captured(NEEDS, captures)


@pytest.mark.root
def test_a_user_without_rights_takes_what_is_public(tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    folder = Path("/tmp") / f"toolkit-test-{os.getpid()}"
    try:
        capture(folder, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh")
        facts = read_capture(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert facts.capabilities == frozenset()
    assert facts.tracepoints.value is None
    assert facts.tracefs.value is None
    assert facts.config.known == probe_facts().config.known


def test_without_a_folder_it_says_how_it_is_called() -> None:
    done = subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: sh capture-facts FOLDER")
