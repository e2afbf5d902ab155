"""Ask this host everything once: files and trials in this thread, while the engines answer in others."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from toolkit.host import places, trials
from toolkit.host.btf import list_functions, read_kernel_btf, read_module_btfs
from toolkit.host.btf_types import list_types
from toolkit.host.engines import Asked, Missing, ask_engines, find_native, find_shell
from toolkit.host.formats import read_formats
from toolkit.host.headers import find_headers
from toolkit.host.kconfig import read_config
from toolkit.host.kinds import read_counters, read_kinds
from toolkit.host.kmodules import read_filesystems, read_modules
from toolkit.host.limits import read_capabilities, read_lockdown, read_memlock
from toolkit.host.symbols import data_symbols, read_symbols
from toolkit.host.tracefs import find_tracefs, read_functions, read_tracepoints
from toolkit.host.tree import Tree, explain
from toolkit.model import Engine, EngineFact, Fact, Facts


class Probed(NamedTuple):
    """Facts, and whether they would be the same a minute later: an engine that was too slow may answer then."""

    facts: Facts
    settled: bool


def probe(tree: Tree, engines: Asked | None = None, kernel: Callable[[], Facts] | None = None) -> Probed:
    """Read and try everything; only the running host is tried and has engines.

    `engines` are those that were asked before, `kernel` finds out the rest where that is done elsewhere.
    """
    if not tree.live:
        why = {str(engine): trials.NOT_LIVE for engine in Engine}
        return Probed(msgspec.structs.replace(probe_kernel(tree), missing_engines=why), settled=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        asked = engines or ask_engines(pool)
        facts = kernel() if kernel else probe_kernel(tree)
        found: dict[Engine, EngineFact | Missing] = {
            **{engine: answer.result() for engine, answer in asked.items()},
            Engine.NATIVE: find_native(facts.release, facts.bpf),
            Engine.SHELL: find_shell(tree),
        }
    missing = {str(engine): one.why for engine, one in found.items() if isinstance(one, Missing)}
    here = tuple(one for one in found.values() if isinstance(one, EngineFact))
    passing = any(one.passing for one in found.values() if isinstance(one, Missing))
    facts = msgspec.structs.replace(facts, engines=here, missing_engines=missing)
    return Probed(facts, settled=facts.bpf.known and not passing)


def probe_kernel(tree: Tree) -> Facts:
    """Everything but the engines, and what variants name outside of the kernel."""
    release = _read_release(tree)
    capabilities = read_capabilities(tree)
    config, lockdown, tracefs = read_config(tree, release), read_lockdown(tree), find_tracefs(tree)
    symbols, btf, may_load = read_symbols(tree), read_kernel_btf(tree), trials.try_bpf(tree)
    kprobes = trials.try_kprobes(tree, tracefs, config, lockdown, capabilities)
    tracepoints = read_tracepoints(tree, tracefs)
    btf_modules = read_module_btfs(tree, btf)
    fields, features = list_types(btf, btf_modules)
    sysctls = {name: tree.number(f"{places.SYSCTLS}/{name}") for name in places.RESTRICTIONS}
    facts = Facts(
        release=release,
        machine=_read_machine(tree),
        distribution=_read_distribution(tree),
        capabilities=capabilities,
        bpf=may_load,
        config=config,
        tracefs=tracefs,
        tracepoints=tracepoints,
        kprobes=kprobes,
        functions=read_functions(tree, tracefs, kprobes, symbols),
        fentry=trials.try_fentry(tree, may_load, btf),
        btf=Fact(btf.origin if btf.known else None, btf.unknown, btf.origin),
        btf_functions=list_functions(btf, btf_modules),
        uprobes=trials.try_uprobes(tree, tracefs, config, capabilities),
        headers=find_headers(tree, release),
        symbols=data_symbols(symbols),
        pmus=_read_pmus(tree),
        lockdown=lockdown,
        perf_event_paranoid=sysctls["perf_event_paranoid"],
        unprivileged_bpf_disabled=sysctls["unprivileged_bpf_disabled"],
        kptr_restrict=sysctls["kptr_restrict"],
        memlock=read_memlock(tree),
        fields=fields,
        formats=read_formats(tree, tracefs, tracepoints),
        features=features,
        program_kinds=read_kinds(tree, may_load, btf, config, fields, features),
    )
    return _add_hardware(tree, facts)


def _add_hardware(tree: Tree, facts: Facts) -> Facts:
    """Modules, file systems and counters: what depends on the machine as much as on the kernel."""
    modules = read_modules(tree, facts.release)
    return msgspec.structs.replace(
        facts,
        filesystems=read_filesystems(tree),
        modules=modules.known,
        loaded=modules.loaded,
        counters=read_counters(tree, facts.pmus, facts.capabilities),
    )


def _read_release(tree: Tree) -> str:
    """uname -r; "" in a tree that does not say it."""
    return os.uname().release if tree.live else _line(tree, f"{places.SYSCTLS}/osrelease")


def _read_machine(tree: Tree) -> str:
    """uname -m; a captured tree tells it since Linux 6.1, in the sysctl kernel.arch."""
    return os.uname().machine if tree.live else _line(tree, f"{places.SYSCTLS}/arch")


def _read_distribution(tree: Tree) -> str:
    """ID of os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            lines = tree.text(path).splitlines()
        except OSError:
            continue
        return next((line[3:].strip("\"' ") for line in lines if line.startswith("ID=")), "")
    return ""


def _read_pmus(tree: Tree) -> Fact[frozenset[str]]:
    try:
        return Fact(frozenset(tree.entries(places.PMUS)), origin=places.PMUS)
    except OSError as error:
        return Fact(unknown=explain(places.PMUS, error))


def _line(tree: Tree, path: str) -> str:
    try:
        return tree.text(path).strip()
    except OSError:
        return ""
