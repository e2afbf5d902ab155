"""Facts from a folder of raw captures: files that `scripts/capture-facts` took where nothing can be installed.

Each stands for a place of the host, so the same probes read it. What can only be tried (bpf(2), fentry, kinds of
programs) is taken from what bpftool and bpftrace said there, else concluded from the configuration, and said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from toolkit.errors import UsageError
from toolkit.host.cache import BIG
from toolkit.host.capture_files import read_text
from toolkit.host.capture_tree import EVENTS, open_captures
from toolkit.host.engines import parse_version
from toolkit.host.kinds import LOADED
from toolkit.host.listing import answer_by_custom, open_listing
from toolkit.host.looked import look_up
from toolkit.host.names import Names
from toolkit.host.probe import probe_kernel
from toolkit.host.tree import explain
from toolkit.model import LOOKED_KINDS, Engine, EngineFact, Fact, Facts, Need

RELEASE = re.compile(r"[\w.+~:-]{1,200}", re.ASCII)
BPFTRACE = "bpftrace --info, captured there"
BPFTOOL = "bpftool feature probe, captured there"
# In columns since bpftrace 0.21: "kprobe_multi: no       uprobe_multi: yes".
FEATURE = re.compile(r"([\w:]{1,60}): (yes|no)\b", re.ASCII)
ANSWER = re.compile(r'"have_(\w{1,60}?)(_prog_type)?": ?(true|false)', re.ASCII)


def read_capture(folder: Path) -> Facts:
    """The facts that a folder of captures tells of a kernel and its engines. Raises UsageError when it is none."""
    release = read_text(folder, "uname-r").strip()
    if not RELEASE.fullmatch(release):
        why = "its uname-r names no kernel" if release else "there is no uname-r in it"
        raise UsageError(
            f"{folder} holds no captures: {why}", fix="take them with the script of `toolkit facts --capture-script`"
        )
    tree = open_captures(folder, release)
    facts = probe_kernel(tree)
    tool = _read_bpftool(folder)
    told = dict(FEATURE.findall(read_text(folder, "bpftrace-info.txt")))
    engines, missing = _read_engines(folder, facts.release)
    facts = msgspec.structs.replace(
        facts,
        machine=facts.machine if RELEASE.fullmatch(facts.machine) else "",
        distribution=facts.distribution if RELEASE.fullmatch(facts.distribution) else "",
        bpf=_read_bpf(tool, facts),
        fentry=_read_fentry(tool, told, facts),
        program_kinds=facts.program_kinds | _read_kinds(tool, told, facts),
        engines=engines,
        missing_engines=missing,
    )
    if EVENTS in tree.failures:
        facts = msgspec.structs.replace(facts, formats=Fact(unknown=explain(EVENTS, tree.failures[EVENTS])))
    return _drop_unprintable(facts)


def look_up_captured(needs: Iterable[Need], folder: Path) -> dict[str, bool]:
    """Whether the captured host meets needs of LOOKED_KINDS: what its paths.txt tells, else what every host has."""
    wanted = tuple(need for need in needs if need.kind in LOOKED_KINDS and need.name)
    found = look_up(wanted, open_listing(folder))
    for need in wanted:
        answer = answer_by_custom(need)
        if answer is not None:
            found.setdefault(str(need), answer)
    return found


def _read_bpftool(folder: Path) -> dict[str, bool]:
    """What `bpftool feature probe -j` says: bpf_syscall, and program types by name."""
    text = read_text(folder, "bpftool-feature.json")
    found = ((name, kind, answer == "true") for name, kind, answer in ANSWER.findall(text))
    return {name: answer for name, kind, answer in found if kind or name == "bpf_syscall"}


def _read_bpf(tool: dict[str, bool], facts: Facts) -> Fact[bool]:
    if "bpf_syscall" in tool:
        return Fact(tool["bpf_syscall"], origin=BPFTOOL)
    if facts.config.value is not None and facts.config.value.get("CONFIG_BPF_SYSCALL", "n") == "n":
        return Fact(False, origin=f"{facts.config.origin} has CONFIG_BPF_SYSCALL=n")
    return Fact(unknown="no captured bpftool feature probe tells")


def _read_fentry(tool: dict[str, bool], told: dict[str, str], facts: Facts) -> Fact[bool]:
    """bpftrace attaches one to find out; bpftool only loads one. Configurations lie, so theirs is not the only word."""
    said = told.get("kfunc") or told.get("fentry")
    if said:
        return Fact(said == "yes", origin=BPFTRACE)
    if tool.get("tracing") is False:
        return Fact(False, origin=BPFTOOL)
    if not facts.btf.known:
        return Fact(unknown=facts.btf.unknown)
    if facts.config.value is None:
        return Fact(unknown=f"no captured bpftrace --info tells, and {facts.config.unknown}")
    for option in ("CONFIG_BPF_EVENTS", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"):
        value = facts.config.value.get(option, "n")
        if value == "n":
            return Fact(False, origin=f"{facts.config.origin} has {option}=n")
    if not facts.functions.known:
        return Fact(unknown=f"no captured bpftrace --info tells, and {facts.functions.unknown}")
    return Fact(True, origin=f"{facts.config.origin} has CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y; it was not tried")


def _read_kinds(tool: dict[str, bool], told: dict[str, str], facts: Facts) -> dict[str, Fact[bool]]:
    """Kinds of programs that were tried there. A yes to iter counts, a no does not: bpftrace 0.23 is wrong about it."""
    found = {name: Fact(tool[name], origin=BPFTOOL) for name in LOADED if name in tool}
    for kind, name in (("kprobe.multi", "kprobe_multi"), ("uprobe.multi", "uprobe_multi")):
        # Those that were built without libbpf's part for it say no whatever the kernel does.
        if told.get(name) == "yes":
            found[kind] = Fact(True, origin=BPFTRACE)
    if "yes" in (told.get("iter"), told.get("iter:task")):
        found["iter"] = Fact(True, origin=BPFTRACE)
    if tool.get("lsm") is False and facts.program_kinds["lsm"].value is not False:
        found["lsm"] = Fact(False, origin=BPFTOOL)
    return found


def _read_engines(folder: Path, release: str) -> tuple[tuple[EngineFact, ...], dict[str, str]]:
    """The engines that packages or their own words tell of, and why the others are not there."""
    packages = dict(
        line.split(None, 1) for line in read_text(folder, "packages.txt").splitlines() if len(line.split()) == 2
    )
    named = ("python3-bpfcc", "python3-bcc", "bcc-tools", "bcc")
    bcc = _first_version(read_text(folder, "bcc-version.txt"), *(packages.get(name, "") for name in named))
    bpftrace = _first_version(read_text(folder, "bpftrace-version.txt"), packages.get("bpftrace", ""))
    found = {Engine.BPFTRACE: (bpftrace, ("/usr/bin/bpftrace",)), Engine.BCC: (bcc, ("/usr/bin/python3",))}
    engines = tuple(EngineFact(name=name, version=one, argv=argv) for name, (one, argv) in found.items() if one)
    always = (
        EngineFact(name=Engine.NATIVE, version=release, argv=()),
        EngineFact(name=Engine.SHELL, version="", argv=("/bin/bash",)),
    )
    missing = {str(name): "no captured file names its version" for name, (one, _) in found.items() if not one}
    return (*engines, *always), missing


def _first_version(*texts: str) -> str:
    """The first version in texts that say nothing else: a traceback names the version of Python."""
    short = (text.strip() for text in texts)
    return next((parse_version(text) for text in short if "\n" not in text and parse_version(text)), "")


def _drop_unprintable(facts: Facts) -> Facts:
    """Names that no kernel has, and that an export would not take."""
    changed: dict[str, Fact[Names]] = {}
    for field in BIG:
        fact = getattr(facts, field)
        text = fact.value.text if isinstance(fact.value, Names) else ""
        if not text.replace("\n", "").isprintable():
            kept = "\n".join(one for one in text.split("\n") if one.isprintable())
            changed[field] = Fact(Names(kept), origin=fact.origin)
    return msgspec.structs.replace(facts, **changed)
