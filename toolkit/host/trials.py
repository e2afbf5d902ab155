"""What the kernel really accepts, found by trying where a trial is harmless: presence alone promises too much.

Nothing stays: programs are let go of at once, and kprobes and uprobes are tried on targets that do not exist.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from toolkit.host import bpf
from toolkit.host.btf import Btf
from toolkit.host.places import FTRACE_SWITCH, KPROBES_SWITCH, PMUS
from toolkit.host.tree import Tree, name_error
from toolkit.model import Fact

NOT_LIVE = "not tried: these facts are not of the running host"

# The kernel's own place to test fentry (net/bpf/test_run.c, since v5.5): nothing calls it in production, so
# attaching to it for a moment touches no path that matters. The others are only loaded for, never attached to.
ATTACHABLE = "bpf_fentry_test1"
LOADABLE = ("vfs_fsync_range", "do_unlinkat", "wake_up_new_task", "vfs_read")

# Either lets a user open kernel probes; CAP_PERFMON exists since Linux 5.8 (commit 980737282232).
TRACING = frozenset(("sys_admin", "perfmon"))

# What a kernel answers that does not have it or forbids it, as against a passing shortage.
REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL, errno.E2BIG, errno.EOPNOTSUPP, 524)


def try_bpf(tree: Tree) -> Fact[bool]:
    """Whether bpf(2) loads a tracepoint program for this user."""
    if not tree.live:
        return Fact(unknown=NOT_LIVE)
    return try_call(lambda: bpf.load_trial(bpf.TRACEPOINT), "loading a tracepoint program")


def try_fentry(tree: Tree, may_load: Fact[bool], btf: Fact[Btf]) -> Fact[bool]:
    """Whether a program for a function's entry is accepted.

    Config, BTF and bpf_trampoline_* symbols promise it on kernels that refuse the load with EPERM. Others take the
    load and cannot attach, as arm64 before direct calls (commit 2aa6ac03516d, v6.4), so that is tried too.
    """
    if not may_load.value:
        return Fact(unknown=may_load.unknown or f"not tried: {may_load.origin}")
    if btf.value is None:
        return Fact(unknown=f"not tried: {btf.unknown}")
    if switched := _find_off(tree, FTRACE_SWITCH):
        return Fact(False, origin=switched)
    functions = btf.value.functions
    name = next((name for name in (ATTACHABLE, *LOADABLE) if name in functions), "")
    if not name:
        return Fact(unknown=f"not tried: BTF has none of {', '.join((ATTACHABLE, *LOADABLE))}")
    loaded = try_call(lambda: bpf.load_fentry_trial(functions[name]), f"loading an fentry program for {name}")
    if not loaded.value or name != ATTACHABLE:
        return loaded
    return try_call(lambda: bpf.attach_fentry_trial(functions[name]), f"attaching an fentry program to {name}")


def try_kprobes(
    tree: Tree,
    tracefs: Fact[str],
    config: Fact[dict[str, str]],
    lockdown: Fact[str],
    capabilities: frozenset[str],
) -> Fact[bool]:
    """Whether kprobes can be attached at all; not tried for a user without the capabilities that it needs."""
    # Newer kernels look the function up before they ask lockdown (LOCKDOWN_KPROBES, v5.4): a trial cannot see it.
    if lockdown.value == "confidentiality":
        return Fact(False, origin=f"{lockdown.origin} is confidentiality")
    if switched := _find_off(tree, FTRACE_SWITCH, KPROBES_SWITCH):
        return Fact(False, origin=switched)
    return _try_probe(tree, "kprobe", tracefs, config, capabilities)


def try_uprobes(
    tree: Tree, tracefs: Fact[str], config: Fact[dict[str, str]], capabilities: frozenset[str]
) -> Fact[bool]:
    """Whether uprobes can be attached at all; not tried for a user without the capabilities that it needs."""
    return _try_probe(tree, "uprobe", tracefs, config, capabilities)


def _try_probe(
    tree: Tree, kind: str, tracefs: Fact[str], config: Fact[dict[str, str]], capabilities: frozenset[str]
) -> Fact[bool]:
    """The PMU is the evidence, and is asked where we may; before Linux 4.17 there was none, only tracefs' file."""
    folder = f"{PMUS}/{kind}"
    if tree.exists(folder):
        pmu = tree.number(f"{folder}/type")
        if pmu.value is None or not tree.live or TRACING.isdisjoint(capabilities):
            return Fact(True, origin=folder)
        return _ask_pmu(kind, pmu.value, capabilities)
    if tracefs.value is not None:
        file = f"{tracefs.value}/{kind}_events"
        return Fact(tree.exists(file), origin=f"{file} {'exists' if tree.exists(file) else 'does not exist'}")
    option = f"CONFIG_{kind.upper()}_EVENTS"
    if config.value is not None:
        value = config.value.get(option, "n")
        return Fact(value == "y", origin=f"{config.origin} has {option}={value}")
    return Fact(unknown=f"there is no {folder}, {tracefs.unknown}, and {config.unknown}")


def _ask_pmu(kind: str, pmu: int, capabilities: frozenset[str]) -> Fact[bool]:
    """Ask for a probe on what does not exist: "no such thing" means that all else about it was accepted."""
    target = "toolkit_no_such_function" if kind == "kprobe" else "/toolkit/no/such/file"

    def ask() -> None:
        try:
            os.close(bpf.open_probe(pmu, target))
        except FileNotFoundError:
            return

    # Debian's perf_event_paranoid=3 wants CAP_SYS_ADMIN even of a user with CAP_PERFMON.
    lesser = "" if "sys_admin" in capabilities else " without CAP_SYS_ADMIN"
    return try_call(ask, f"asking the {kind} PMU for a probe{lesser}")


def try_call(trial: Callable[[], None], what: str) -> Fact[bool]:
    """Whether the kernel takes a call: a refusal is an answer, a passing shortage is unknown."""
    try:
        trial()
    except OSError as error:
        answer = f"{what} gives {name_error(error)}"
        return Fact(False, origin=answer) if error.errno in REFUSALS else Fact(unknown=answer)
    return Fact(True, origin=f"{what} works")


def _find_off(tree: Tree, *switches: str) -> str:
    """Which switch is off, in words, or nothing. Probes still attach then, and are never called (seen on 6.1)."""
    off = (f"{switch} is 0: probes on functions would attach and never fire" for switch in switches)
    return next((words for switch, words in zip(switches, off, strict=True) if tree.number(switch).value == 0), "")
