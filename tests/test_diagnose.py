"""Findings about a host: what is missing, why it matters, and this distribution's command for it."""

from __future__ import annotations

import pytest

from tests.support.samples import make_facts, make_index, make_variant, requirement
from toolkit.diagnose import Finding, Level, find_problems
from toolkit.distributions import install_command
from toolkit.model import Fact, Facts


def findings(facts: Facts) -> dict[str, Finding]:
    return {finding.subject: finding for finding in find_problems(facts, make_index(make_variant()))}


def test_a_good_host_has_nothing_to_mend() -> None:
    assert {finding.level for finding in findings(make_facts()).values()} == {Level.OK}


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("debian", "apt-get install -y bpfcc-tools"),
        ("ubuntu", "apt-get install -y bpfcc-tools"),
        ("fedora", "dnf install -y bcc-tools"),
        ("rhel", "dnf install -y bcc-tools"),
        ("opensuse-leap", "zypper install -y bcc-tools"),
        ("arch", "pacman -S --noconfirm bcc-tools"),
        ("plan9", ""),
    ],
)
def test_a_missing_engine_has_this_distributions_command(distribution: str, command: str) -> None:
    found = findings(make_facts(engines=(), distribution=distribution))
    assert found["bcc"].fix == command
    assert install_command(distribution, "bcc") == command


def test_tracefs_that_is_not_mounted_is_a_problem_with_one_command() -> None:
    unknown = Fact[str](unknown="tracefs is not mounted at /sys/kernel/tracing")
    found = findings(make_facts(tracefs=unknown, tracepoints=unknown))["tracefs"]
    assert (found.level, found.fix) == (Level.PROBLEM, "mount -t tracefs nodev /sys/kernel/tracing")


def test_an_ordinary_user_is_told_which_capabilities_are_missing() -> None:
    found = findings(make_facts(capabilities=frozenset()))["rights"]
    assert found.level is Level.PROBLEM
    assert "CAP_BPF and CAP_PERFMON missing" in found.text


def test_what_only_some_tools_lack_is_a_note() -> None:
    facts = make_facts(
        kprobes=Fact(value=False, origin="no kprobe PMU"),
        fentry=Fact(value=False, origin="EPERM"),
        headers=Fact(unknown="no kernel headers"),
        pmus=Fact(value=frozenset({"software"})),
    )
    found = findings(facts)
    assert {found[name].level for name in ("kprobes", "fentry", "headers", "PMU")} == {Level.NOTE}
    assert found["headers"].fix == "apt-get install -y linux-headers-6.1.0-18-amd64"


def test_lockdown_and_distrusted_files_are_named() -> None:
    index = make_index(make_variant("bcc/x", distrust="/usr/sbin/x can be written by others"))
    found = {one.subject: one for one in find_problems(make_facts(lockdown=Fact(value="integrity")), index)}
    assert found["lockdown"].level is Level.NOTE
    assert found["bcc/x"].level is Level.PROBLEM


def test_modules_that_tools_trace_and_that_could_be_loaded_are_named() -> None:
    facts = make_facts(
        modules=Fact(value=frozenset({"xfs", "kvm", "nfs", "unused"})), loaded=Fact(value=frozenset({"nfs"}))
    )
    needs = ("kprobe:xfs_file_read_iter", "kprobe:vfs_read", "tracepoint:kvm:kvm_exit", "kprobe:nfs_gone")
    index = make_index(make_variant("bcc/x", *map(requirement, needs)))
    found = {one.subject: one for one in find_problems(facts, index)}["modules"]
    assert found.text.startswith("not loaded: kvm, xfs;")
    assert found.fix == "modprobe -a kvm xfs"
    assert "modules" not in findings(facts)


def test_counters_are_those_that_open_not_those_that_a_pmu_promises() -> None:
    listed = Fact(value=frozenset({"cpu"}))
    some = findings(make_facts(pmus=listed, counters=Fact(value=frozenset({"cpu-cycles"}))))["PMU"]
    assert (some.level, some.text) == (Level.OK, "hardware counters that open: cpu-cycles")
    assert findings(make_facts(pmus=listed, counters=Fact(value=frozenset[str]())))["PMU"].level is Level.NOTE
