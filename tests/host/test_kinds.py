"""Which kinds of BPF programs a kernel takes: tried here, concluded elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Set
from pathlib import Path

import pytest

from toolkit.host import bpf
from toolkit.host.btf import Btf, read_kernel_btf
from toolkit.host.kinds import CONCLUDED, COUNTERS, conclude_kinds, read_counters, read_kinds
from toolkit.host.tree import Tree
from toolkit.model import Fact

Write = Callable[..., Path]
NO_NAMES: Fact[Set[str]] = Fact(unknown="no BTF")
NO_CONFIG: Fact[dict[str, str]] = Fact(unknown="no config")
NO_BTF: Fact[Btf] = Fact(unknown="no BTF")
ROOT = frozenset({"sys_admin"})
NO_PMUS: Fact[frozenset[str]] = Fact(unknown="no sysfs")


def kinds_of(tree: Path, config: dict[str, str], *features: str) -> dict[str, Fact[bool]]:
    return read_kinds(
        Tree(tree),
        Fact(unknown="not tried"),
        NO_BTF,
        Fact(config, origin="the config"),
        NO_NAMES,
        Fact(frozenset(features), origin="BTF"),
    )


def refuse(code: int) -> Callable[..., int]:
    def refusing(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return refusing


@pytest.mark.bpf
@pytest.mark.root
def test_trials_here_leave_nothing_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))
    kinds = read_kinds(Tree(), Fact(True), read_kernel_btf(Tree()), NO_CONFIG, NO_NAMES, NO_NAMES)
    assert set(os.listdir("/proc/self/fd")) == before
    assert kinds["socket_filter"].value is True
    assert kinds["raw_tp"].value is True
    assert {*CONCLUDED, "struct_ops"} == kinds.keys()
    assert [name for name, fact in kinds.items() if fact.known != bool(fact.origin)] == []


@pytest.mark.bpf
@pytest.mark.root
def test_a_kind_of_program_that_no_kernel_has_is_refused() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        bpf.load_trial(9999)


def test_who_may_not_load_anything_learns_why_nothing_was_tried() -> None:
    kinds = read_kinds(Tree(), Fact(False, origin="loading gives EPERM"), NO_BTF, NO_CONFIG, NO_NAMES, NO_NAMES)
    assert kinds["xdp"].unknown == "not tried: loading gives EPERM"


@pytest.mark.parametrize(
    ("code", "value"), [(errno.EFAULT, True), (errno.EOPNOTSUPP, False), (errno.E2BIG, False), (errno.ENOMEM, None)]
)
def test_only_an_address_that_cannot_be_read_means_yes(
    code: int, value: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpf, "attach_many_trial", refuse(code))
    monkeypatch.setattr(bpf, "attach_raw_tracepoint_trial", refuse(code))
    monkeypatch.setattr(bpf, "load_trial", refuse(errno.EPERM))
    kinds = read_kinds(Tree(), Fact(True), NO_BTF, NO_CONFIG, NO_NAMES, NO_NAMES)
    assert kinds["kprobe.multi"].value is value
    assert kinds["raw_tp"].value is value


def test_a_configuration_and_an_enumeration_together_promise(tmp_path: Path) -> None:
    kinds = kinds_of(tmp_path, {"CONFIG_FPROBE": "y"}, "attach_type:trace_kprobe_multi")
    assert kinds["kprobe.multi"].origin == "the config has CONFIG_FPROBE=y, and BTF names it"
    assert kinds["uprobe.multi"].origin == "BTF has no attach_type trace_uprobe_multi"
    kinds = kinds_of(tmp_path, {}, "attach_type:trace_kprobe_multi")
    assert (kinds["kprobe.multi"].value, kinds["kprobe.multi"].origin) == (False, "the config has CONFIG_FPROBE=n")


def test_neither_config_nor_btf_means_unknown() -> None:
    assert conclude_kinds(NO_CONFIG, NO_NAMES)["xdp"].value is None
    assert conclude_kinds(Fact({"CONFIG_INET": "y"}), NO_NAMES)["xdp"].unknown.endswith("no BTF")


@pytest.mark.parametrize(
    ("active", "value", "words"),
    [
        ("lockdown,capability,bpf\n", True, "/sys/kernel/security/lsm lists bpf"),
        ("lockdown,capability\n", False, "/sys/kernel/security/lsm does not list bpf"),
    ],
)
def test_a_security_module_that_is_not_active_is_never_called(
    active: str, value: bool, words: str, tmp_path: Path, write: Write
) -> None:
    write(tmp_path, "/sys/kernel/security/lsm", active)
    lsm = kinds_of(tmp_path, {"CONFIG_BPF_LSM": "y", "CONFIG_LSM": "bpf"}, "attach_type:lsm_mac")["lsm"]
    assert lsm.value is value
    assert words in lsm.origin


def test_without_the_list_of_security_modules_the_config_decides(tmp_path: Path) -> None:
    options = {"CONFIG_BPF_LSM": "y", "CONFIG_LSM": "yama,apparmor"}
    lsm = kinds_of(tmp_path, options, "attach_type:lsm_mac")["lsm"]
    assert lsm.origin.startswith("CONFIG_LSM in the config does not list bpf")
    assert kinds_of(tmp_path, {"CONFIG_BPF_LSM": "y"}, "attach_type:lsm_mac")["lsm"].value is None


def test_struct_ops_are_known_by_their_types() -> None:
    def kind(*names: str) -> Fact[bool]:
        fields: Fact[Set[str]] = Fact(frozenset(names), origin="BTF")
        return read_kinds(Tree(Path("/none")), Fact(True), NO_BTF, NO_CONFIG, fields, NO_NAMES)["struct_ops"]

    assert kind("bpf_struct_ops_tcp_congestion_ops", "bpf_struct_ops").value is True
    assert kind("bpf_struct_ops", "bpf_struct_ops_link").value is False


# --- Hardware counters --------------------------------------------------------------------------------------------


@pytest.mark.root
def test_counters_are_those_that_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_some(pmu: int, event: int) -> int:
        if COUNTERS[event] != "cpu-cycles":
            raise OSError(errno.ENOENT, "no")
        return os.open("/dev/null", os.O_RDONLY)

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(bpf, "open_counter", open_some)
    assert read_counters(Tree(), NO_PMUS, ROOT).value == frozenset({"cpu-cycles"})
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.root
def test_counters_here_are_found_out() -> None:
    before = len(os.listdir("/proc/self/fd"))
    fact = read_counters(Tree(), NO_PMUS, ROOT)
    assert len(os.listdir("/proc/self/fd")) == before
    assert fact.known
    os.close(bpf.open_counter(1, 0))  # the kernel's own clock takes the same call


def test_counters_that_may_not_be_asked_for_are_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (
        read_counters(Tree(), NO_PMUS, frozenset()).unknown == "not tried: opening hardware counters needs CAP_PERFMON"
    )
    assert read_counters(Tree(tmp_path), NO_PMUS, ROOT).value is None
    assert read_counters(Tree(tmp_path), Fact(frozenset({"cpu", "software"})), ROOT).value is None
    assert read_counters(Tree(tmp_path), Fact(frozenset({"software"}), origin="sysfs"), ROOT).value == frozenset()
    monkeypatch.setattr(bpf, "open_counter", refuse(errno.EMFILE))
    assert read_counters(Tree(), NO_PMUS, ROOT).unknown == "opening the hardware counter cpu-cycles gives EMFILE"
