"""The whole picture of a host: captured ones, this one as root, and this one as somebody without rights."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from toolkit.host import probe_facts
from toolkit.model import Engine, Fact, Facts

FACT_FIELDS = tuple(name for name in Facts.__struct_fields__ if Facts.__annotations__[name].startswith("Fact["))


def facts_of(facts: Facts) -> dict[str, Fact[Any]]:
    return {name: getattr(facts, name) for name in FACT_FIELDS} | facts.program_kinds


def test_a_distribution_kernel(host_of: Callable[[str], Path]) -> None:
    facts = probe_facts(host_of("debian-6.1"))
    assert (facts.release, facts.machine, facts.distribution) == ("6.1.0-56-amd64", "x86_64", "debian")
    assert {"bpf", "perfmon", "sys_admin", "sys_resource"} <= facts.capabilities
    assert facts.kprobes.value is True
    assert facts.uprobes.value is True
    assert facts.headers.value == "/lib/modules/6.1.0-56-amd64/build"
    assert facts.lockdown.value == "none"
    assert facts.perf_event_paranoid.value == 3
    assert facts.unprivileged_bpf_disabled.value == 2
    assert facts.kptr_restrict.value == 0
    assert facts.memlock.value == 8192 << 10
    assert facts.btf.value == "/sys/kernel/btf/vmlinux"
    assert set(facts.pmus.value or ()) == {"breakpoint", "kprobe", "msr", "software", "tracepoint", "uprobe"}


def test_a_minimal_kernel(host_of: Callable[[str], Path]) -> None:
    facts = probe_facts(host_of("minimal-6.18"))
    assert facts.kprobes.value is False
    assert facts.uprobes.value is True
    assert facts.functions.value is None
    assert facts.headers.value is None
    assert facts.lockdown.value is None
    assert facts.tracepoints.value is not None
    assert len(facts.tracepoints.value) == 2323


def test_a_captured_host_is_not_tried(host_of: Callable[[str], Path]) -> None:
    facts = probe_facts(host_of("debian-6.1"))
    assert facts.bpf.unknown == facts.fentry.unknown == "not tried: these facts are not of the running host"
    assert facts.engines == ()
    assert set(facts.missing_engines) == set(Engine)


def test_an_empty_host_is_all_unknown_with_reasons(tmp_path: Path) -> None:
    facts = facts_of(probe_facts(tmp_path))
    assert [name for name, fact in facts.items() if fact.known] == []
    assert [name for name, fact in facts.items() if not fact.unknown] == []


def test_every_fact_here_has_an_origin_or_a_reason() -> None:
    for name, fact in facts_of(probe_facts()).items():
        assert bool(fact.origin) == fact.known, name
        assert bool(fact.unknown) != fact.known, name


def test_this_host_is_the_one_we_run_on() -> None:
    facts = probe_facts()
    assert facts.release == os.uname().release
    assert facts.machine == os.uname().machine
    assert {engine.name for engine in facts.engines} | set(facts.missing_engines) == set(Engine)


@pytest.mark.bpf
@pytest.mark.root
def test_probing_leaves_nothing_behind() -> None:
    def traces() -> tuple[int, int, str]:
        uprobes = Path("/sys/kernel/tracing/uprobe_events")
        events = uprobes.read_text() if uprobes.exists() else ""
        return len(os.listdir("/proc/self/fd")), threading.active_count(), events

    probe_facts()
    before = traces()
    probe_facts()
    assert traces() == before


AS_NOBODY = """
import json, msgspec
from toolkit.host import probe_facts
facts = probe_facts()
names = [n for n in facts.__struct_fields__ if hasattr(getattr(facts, n), "unknown")]
told = {n: [getattr(facts, n).known, getattr(facts, n).unknown, getattr(facts, n).origin] for n in names}
print(json.dumps({"facts": told, "capabilities": sorted(facts.capabilities), "missing": facts.missing_engines,
                  "engines": [e.name for e in facts.engines], "bpf": facts.bpf.value}))
"""


@pytest.mark.root
def test_an_ordinary_user_learns_what_needs_root(as_nobody: Callable[[str], Any]) -> None:
    told = as_nobody(AS_NOBODY)
    facts = told["facts"]
    assert told["capabilities"] == []
    needs_root = "reading /sys/kernel/tracing needs root"
    for name in ("tracefs", "tracepoints", "functions"):
        assert facts[name] == [False, needs_root, ""]
    assert told["bpf"] is False
    assert facts["bpf"][2] == "loading a tracepoint program gives EPERM"
    assert facts["fentry"][1] == "not tried: loading a tracepoint program gives EPERM"
    assert told["missing"]["native"] == "loading a tracepoint program gives EPERM"
    assert all(unknown or origin for _, unknown, origin in facts.values())


@pytest.mark.root
def test_an_ordinary_user_still_learns_what_is_public(as_nobody: Callable[[str], Any]) -> None:
    told = as_nobody(AS_NOBODY)
    mine = probe_facts()
    for name in ("config", "btf", "btf_functions", "symbols", "pmus", "kprobes", "uprobes", "memlock"):
        assert told["facts"][name][0] == getattr(mine, name).known, name
    assert set(told["engines"]) == {engine.name for engine in mine.engines} - {Engine.NATIVE}


def test_facts_can_be_written_as_json_without_the_big_sets() -> None:
    from toolkit.host.cache import strip_names

    assert msgspec.json.decode(msgspec.json.encode(strip_names(probe_facts())[0]))["release"] == os.uname().release
