"""What the kernel really accepts: tried where that is harmless, concluded where it is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.btf import FUNC, Strings, kind, make_btf
from toolkit.host import bpf, trials
from toolkit.host.btf import Btf, read_kernel_btf
from toolkit.host.tree import Tree
from toolkit.model import Fact

Write = Callable[..., Path]
PMUS = "/sys/bus/event_source/devices"
UNKNOWN: Fact[str] = Fact(unknown="nobody knows")
NO_CONFIG: Fact[dict[str, str]] = Fact(unknown="no config")
NO_LOCKDOWN = Fact("none")
ROOT = frozenset({"sys_admin", "bpf", "perfmon"})
LOADS = Fact(True)


def btf_with(*names: str) -> Fact[Btf]:
    strings = Strings()
    return Fact(Btf(make_btf(tuple((strings(name), kind(FUNC), 0) for name in names), strings.data)), origin="test")


def refuse(code: int) -> Callable[..., None]:
    def refusing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refusing


# --- bpf(2) -------------------------------------------------------------------------------------------------------


@pytest.mark.bpf
def test_this_kernel_loads_programs() -> None:
    fact = trials.try_bpf(Tree())
    assert fact.value is True
    assert fact.origin == "loading a tracepoint program works"


@pytest.mark.parametrize(
    ("code", "value", "words"),
    [
        (errno.EPERM, False, "loading a tracepoint program gives EPERM"),
        (errno.ENOSYS, False, "loading a tracepoint program gives ENOSYS"),
        (errno.ENOMEM, None, "loading a tracepoint program gives ENOMEM"),
    ],
)
def test_a_refusal_is_known_and_a_shortage_is_not(
    code: int, value: bool | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpf, "load_trial", refuse(code))
    fact = trials.try_bpf(Tree())
    assert fact.value is value
    assert words in (fact.origin, fact.unknown)


def test_a_captured_host_is_never_tried(tmp_path: Path) -> None:
    assert trials.try_bpf(Tree(tmp_path)).unknown == trials.NOT_LIVE


# --- fentry -------------------------------------------------------------------------------------------------------


@pytest.mark.bpf
@pytest.mark.root
def test_fentry_here_is_what_loading_and_attaching_say() -> None:
    btf = read_kernel_btf(Tree())
    if btf.value is None:
        pytest.skip(btf.unknown)
    fact = trials.try_fentry(Tree(), LOADS, btf)
    assert fact.known
    try:
        bpf.attach_fentry_trial(btf.value.functions["bpf_fentry_test1"])
    except OSError:
        assert fact.value is False
        assert "gives E" in fact.origin
    else:
        assert fact.value is True


def test_a_load_that_is_refused_settles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "load_fentry_trial", refuse(errno.EPERM))
    fact = trials.try_fentry(Tree(), LOADS, btf_with("vfs_read", "bpf_fentry_test1"))
    assert fact.value is False
    assert fact.origin == "loading an fentry program for bpf_fentry_test1 gives EPERM"


def test_what_loads_but_cannot_attach_is_no_fentry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "load_fentry_trial", lambda _: None)
    monkeypatch.setattr(bpf, "attach_fentry_trial", refuse(524))
    fact = trials.try_fentry(Tree(), LOADS, btf_with("bpf_fentry_test1"))
    assert fact.value is False
    assert fact.origin == "attaching an fentry program to bpf_fentry_test1 gives ENOTSUPP"


def test_functions_that_production_calls_are_never_attached_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(bpf, "load_fentry_trial", asked.append)
    monkeypatch.setattr(bpf, "attach_fentry_trial", refuse(errno.EFAULT))
    assert trials.try_fentry(Tree(), LOADS, btf_with("vfs_read")).value is True
    assert asked == [1]


@pytest.mark.parametrize(
    ("may_load", "btf", "words"),
    [
        (Fact(False, origin="loading gives EPERM"), btf_with("vfs_read"), "not tried: loading gives EPERM"),
        (Fact(unknown="not tried"), btf_with("vfs_read"), "not tried"),
        (LOADS, Fact(unknown="no BTF"), "not tried: no BTF"),
        (LOADS, btf_with("other"), "not tried: BTF has none of bpf_fentry_test1"),
    ],
)
def test_fentry_is_unknown_when_it_cannot_be_tried(may_load: Fact[bool], btf: Fact[Btf], words: str) -> None:
    fact = trials.try_fentry(Tree(), may_load, btf)
    assert fact.value is None
    assert fact.unknown.startswith(words)


# --- kprobes and uprobes ------------------------------------------------------------------------------------------


def test_kprobes_are_there_when_their_pmu_is(host_of: Callable[[str], Path]) -> None:
    fact = trials.try_kprobes(Tree(host_of("debian-6.1")), UNKNOWN, NO_CONFIG, NO_LOCKDOWN, ROOT)
    assert fact.value is True
    assert fact.origin == f"{PMUS}/kprobe"


def test_no_pmu_and_no_file_in_tracefs_means_no_kprobes(host_of: Callable[[str], Path]) -> None:
    tracefs = Fact("/sys/kernel/tracing")
    fact = trials.try_kprobes(Tree(host_of("minimal-6.18")), tracefs, NO_CONFIG, NO_LOCKDOWN, ROOT)
    assert fact.value is False
    assert fact.origin == "/sys/kernel/tracing/kprobe_events does not exist"


def test_without_tracefs_the_config_decides(tmp_path: Path) -> None:
    config = Fact({"CONFIG_KPROBES": "n"}, origin="/proc/config.gz")
    fact = trials.try_kprobes(Tree(tmp_path), UNKNOWN, config, NO_LOCKDOWN, ROOT)
    assert fact.value is False
    assert fact.origin == "/proc/config.gz has CONFIG_KPROBE_EVENTS=n"


def test_nothing_to_go_by_is_unknown(tmp_path: Path) -> None:
    fact = trials.try_kprobes(Tree(tmp_path), UNKNOWN, NO_CONFIG, NO_LOCKDOWN, ROOT)
    assert fact.unknown == f"there is no {PMUS}/kprobe, nobody knows, and no config"


def test_old_kernels_have_the_file_without_the_pmu(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/sys/kernel/tracing/uprobe_events")
    fact = trials.try_uprobes(Tree(tmp_path), Fact("/sys/kernel/tracing"), NO_CONFIG, ROOT)
    assert fact.value is True


def test_lockdown_forbids_kprobes(host_of: Callable[[str], Path]) -> None:
    lockdown = Fact("confidentiality", origin="/sys/kernel/security/lockdown")
    fact = trials.try_kprobes(Tree(host_of("debian-6.1")), UNKNOWN, NO_CONFIG, lockdown, ROOT)
    assert fact.value is False
    assert fact.origin == "/sys/kernel/security/lockdown is confidentiality"


@pytest.mark.parametrize("switch", ["/proc/sys/kernel/ftrace_enabled", "/sys/kernel/debug/kprobes/enabled"])
def test_probes_that_would_never_fire_are_none(switch: str, tmp_path: Path, write: Write) -> None:
    write(tmp_path, switch, "0\n")
    write(tmp_path, f"{PMUS}/kprobe/type", "6\n")
    fact = trials.try_kprobes(Tree(tmp_path), UNKNOWN, NO_CONFIG, NO_LOCKDOWN, ROOT)
    assert fact.value is False
    assert fact.origin == f"{switch} is 0: probes on functions would attach and never fire"


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.parametrize("kind", ["kprobe", "uprobe"])
def test_the_pmu_here_is_asked_for_what_does_not_exist(kind: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    if kind == "kprobe":
        fact = trials.try_kprobes(Tree(), UNKNOWN, NO_CONFIG, NO_LOCKDOWN, ROOT)
    else:
        fact = trials.try_uprobes(Tree(), UNKNOWN, NO_CONFIG, ROOT)
    assert len(os.listdir("/proc/self/fd")) == before
    if os.path.exists(f"{PMUS}/{kind}"):
        assert (fact.value, fact.origin) == (True, f"asking the {kind} PMU for a probe works")
    else:
        assert fact.value is not True
        assert fact.origin or fact.unknown


def test_a_user_without_rights_is_judged_by_presence(monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.path.exists(f"{PMUS}/uprobe"):
        pytest.skip("this kernel has no uprobe PMU")
    monkeypatch.setattr(bpf, "open_probe", refuse(errno.EACCES))
    assert trials.try_uprobes(Tree(), UNKNOWN, NO_CONFIG, frozenset()).origin == f"{PMUS}/uprobe"
    lesser = trials.try_uprobes(Tree(), UNKNOWN, NO_CONFIG, frozenset({"perfmon"}))
    assert lesser.value is False
    assert lesser.origin == "asking the uprobe PMU for a probe without CAP_SYS_ADMIN gives EACCES"
