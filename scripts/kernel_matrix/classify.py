"""PURE: what a guest saw of a tool, judged: a line of truth in the words of the captured ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# What a tool says when it gives up, in order: the first that fits names the reason, its group the object.
KPROBE = "missing kprobe symbol"
UPROBE = "missing uprobe symbol"
FIELD = "missing struct field"
TYPE = "missing BTF type"
TRACEPOINT = "missing tracepoint"
TARGET = "needs target program"
VERIFIER = "verifier rejection"
CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"system\(\) is an unsafe function", "needs argument"),
        (r"needs root|must be root|Operation not permitted", "permission (EPERM)"),
        (r"'?([\w./-]+\.h)'? file not found", "no headers"),
        (r"unable to find kernel headers|kernel headers? (?:is|are) not|modprobe kheaders", "no headers"),
        (r"No module named '?([\w.]+)", "missing python module"),
        (r"tracepoints? (?:not found|probe|event)[^:]*: ?([\w*]+:[\w*]+)", TRACEPOINT),
        (r"failed to determine tracepoint '([\w/:]+)'|tracing/events/([\w/]+)", TRACEPOINT),
        (r"type '?[\w ]+'? does not contain a field named '?(\w+)|no member named '?(\w+)'? in", FIELD),
        (r"invalid CO-RE relocation", FIELD),
        (r"failed to find valid kernel BTF|kernel BTF (?:is )?(?:missing|not found)", "missing BTF"),
        (r"failed to find kernel BTF type ID of '?(\w+)|failed to set attach target for (\w+)", TYPE),
        (r"(?:resolve unknown type|unknown struct/union|unknown type name)[: ]*\W?([\w ]+)", TYPE),
        (r"could not resolve symbol:? ?(?:\w+:)?(\w+)|could not determine address of symbol ([\w.]+)", UPROBE),
        (r"failed to resolve full path for '([^']+)'|uprobe target file '?([^' ]+)'? does not exist", TARGET),
        (r"No such file or directory: '?(/[\w./-]+)|failed to open '?(/[\w./-]+)", TARGET),
        (r"failed to create kprobe '(\w+)|failed to attach [^\n]* to k(?:ret)?probe b?'?(\w+)", KPROBE),
        (r"([\w.*]+) is not traceable|attach probe: k(?:ret)?probe:([\w.*]+)", KPROBE),
        (r"kprobe:([\w.*]+)[^\n]*(?:does not exist|not found|skipping)", KPROBE),
        (r"failed to (?:load|verify)[^\n]*verifier|BPF program is too large|failed to load program", VERIFIER),
        (r"Error loading (?:BPF )?program:? ?([\w:]*)|Failed to load BPF program b?'?(\w+)", VERIFIER),
        (r"syntax error|unexpected token|unknown (?:function|builtin|identifier|attribute|probe)", "runtime too old"),
        (r"error: ([^\n]+)", "compile error"),
    )
)
FAILED = re.compile(r"fail|error|cannot|could not|unable|exception|not (?:found|supported|available)", re.IGNORECASE)
USAGE = re.compile(r"^\s*(?:USAGE|usage)[: ]", re.MULTILINE)
# A tool that goes on without some of its probes says so; what it says before it takes another way is no sign.
WITHOUT = re.compile(
    r"not traceable|(?:could not|unable to) attach probe|no matches for|skipping probe|"
    r"no probes? (?:to attach|found)|will (?:likely )?fail|does not exist.*skipp",
    re.IGNORECASE,
)
# Programs that run once when a script starts or ends (in small letters since bpftrace 0.24), and those that an engine
# loads to learn what a kernel takes.
PROBING = r"test\w*|ksys_read|libbpf_\w*|"
ASIDE = re.compile(rf"(?:BEGIN|END|begin|end)(?:_\d+)?|{PROBING}")
UNATTACHED_TYPES = frozenset({1, 3, 4, 6, 8})  # socket filters, tc, XDP, cgroups: attached by other means than an fd


@dataclass(frozen=True)
class Judgement:
    """What a tool did."""

    verdict: str
    reason: str = ""
    object: str = ""
    silent: bool = False
    programs: int = 0
    attached: int = 0
    saw_events: bool = False


def classify(seen: dict[str, Any]) -> Judgement:
    """The verdict on what was seen of one tool."""
    if "failed" in seen:
        return Judgement("untested", "not started", seen["failed"])
    programs = {one["id"]: one for one in seen["programs"] if not ASIDE.fullmatch(one["name"])}
    loose = [key for key, one in programs.items() if one.get("held", True) and one["type"] in UNATTACHED_TYPES]
    attached = [number for _, number in seen["attached"] if number in programs or not number]
    count = len(attached) + len(loose)
    told = seen["stderr"] + "\n" + seen["stdout"]
    reason, about = explain(told)
    ran = any(one["ran"] for one in programs.values())

    def judge(verdict: str, reason: str = "", about: str = "", *, silent: bool = False) -> Judgement:
        return Judgement(verdict, reason, about, silent, len(programs), count, ran)

    if seen["exit"] not in (None, 0) or (seen["exit"] == 0 and not count):
        if not count and USAGE.search(told):
            return judge("untested", "needs argument", "usage")
        if seen["exit"] == 0 and not reason and not FAILED.search(told):
            return judge("untested", "ended by itself")
        return judge("blocked", reason or "unknown", about or find_last(told))
    if seen["engine"] == "bpftrace" and all(re.fullmatch(PROBING, one["name"]) for one in seen["programs"]):
        return judge("untested", "not started", "it was still compiling")
    # Programs that are loaded and not attached are a compiled tool's own choice where it does not complain; bpftrace
    # loads what it was told to attach.
    wanted = {key for key, one in programs.items() if one.get("held", True)} if seen["engine"] == "bpftrace" else set()
    missing = set() if 0 in attached else wanted - set(attached)
    warned = bool(WITHOUT.search(told))
    if count and not warned and not missing:
        return judge("runs")
    about = about or ",".join(sorted(programs[key]["name"] for key in missing))
    return judge("partial", reason, about, silent=not count and not warned)


def find_last(told: str) -> str:
    """The last line that looks like a complaint."""
    lines = [line.strip() for line in told.splitlines() if FAILED.search(line)]
    return lines[-1][:100] if lines else ""


def explain(told: str) -> tuple[str, str]:
    """Reason and object of what a tool said when it gave up; empty when it is none that is known."""
    for pattern, reason in CAUSES:
        match = pattern.search(told)
        if match:
            groups = [one for one in match.groups() if one]
            return reason, (groups[-1] if groups else match[0])[:100]
    return "", ""


def write_line(seen: dict[str, Any]) -> dict[str, Any]:
    """A line of truth."""
    found = classify(seen)
    kept = {key: seen[key] for key in ("source", "file", "args")}
    return {**kept, **found.__dict__}
