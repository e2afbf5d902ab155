"""Every type that two rooms of this house share: frozen, small, and importing nothing of ours.

Read it top to bottom and you know the domain: what a person asks for (Tool), what can be started (Variant), what that
needs (Requirement), what this host offers (Facts), and what follows (Verdict). What is done about it is in `runs`.
Times are seconds and sizes are bytes unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """An immutable value that msgspec can read and write, and part of no cycle; an unknown field is an error."""


# --- What a person asks for ---------------------------------------------------------------------------------------


class Risk(StrEnum):
    """Why a tool needs more thought than usual before it runs in production."""

    SENSITIVE = "sensitive"  # shows payloads, keystrokes, statements
    DESTRUCTIVE = "destructive"  # changes what the traced program does
    HEAVY = "heavy"  # its probes are hot: thousands to millions of events a second


class Category(Value, frozen=True):
    """One folder of the tree: cpu, disk, net …"""

    name: str
    summary: str
    aliases: tuple[str, ...] = ()


class Engine(StrEnum):
    """What executes a variant."""

    BPFTRACE = "bpftrace"
    BCC = "bcc"  # a Python that can `import bcc`
    NATIVE = "native"  # an ELF with an embedded BPF object
    SHELL = "shell"


class ToolFiles(Value, frozen=True):
    """Which files of a repository are tools: those in a folder (a pattern) whose name fits, and what executes them."""

    folder: str
    files: str
    engine: Engine


class Source(Value, frozen=True):
    """Where variants come from: the distribution's packages, this project, or a git repository, which has a url."""

    name: str
    summary: str
    licence: str = ""
    url: str = ""
    follows: Engine | None = None  # the engine whose version decides which tag fits
    tags: str = ""  # what stands before the version in a tag's name: "v" for v0.17.0; empty: it has no releases
    tools: tuple[ToolFiles, ...] = ()  # in order of preference: of two with the same stem, the first counts
    examples: tuple[str, ...] = ()  # patterns with {} for the stem
    man: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # patterns of files that tools read or run
    compiled: dict[str, tuple[str, ...]] = {}  # whose programs others compile -> patterns of their C text
    hints: dict[str, str] = {}  # folder name -> category
    revisions: tuple[str, ...] = ("match",)  # match, latest, a tag, or a commit


class Tool(Value, frozen=True):
    """What a person asks for by name; one main category, any number of others."""

    name: str
    category: str
    summary: str = ""
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    risk: tuple[Risk, ...] = ()
    symptoms: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()  # tools that answer a similar question, the nearest first
    curated: bool = True  # False: found on the host but not in the catalog, its folder or its probes give the category


# --- What can be started ------------------------------------------------------------------------------------------


class NeedKind(StrEnum):
    """The kinds of things that a variant may need of a host."""

    TRACEPOINT = "tracepoint"  # name: system:event, may hold wildcards
    RAW_TRACEPOINT = "raw_tracepoint"  # name: event
    TP_BTF = "tp_btf"  # name: event; typed by BTF
    KPROBE = "kprobe"  # name: kernel function; empty: any at all
    FENTRY = "fentry"  # name: kernel function; empty: any at all
    UPROBE = "uprobe"  # name: file:symbol; what is chosen at run time is left out: file, :symbol, or nothing
    USDT = "usdt"  # name: file:provider:probe; or a file, or nothing, as above
    PERF_EVENT = "perf_event"  # name: hardware:event or software:event
    LSM = "lsm"
    ITER = "iter"
    STRUCT_OPS = "struct_ops"
    NETWORK = "network"  # XDP, tc, socket filters: name is the program type
    ATTACH = "attach"  # any other kind of program; name is its section or probe type
    KERNEL_SYMBOL = "kernel_symbol"  # a data symbol whose address is taken: kaddr("avenrun")
    STRUCT_FIELD = "struct_field"  # name: struct.field, or a type alone
    HEADER_FIELD = "header_field"  # name: struct.field, as the kernel's headers must have it to be compiled
    TRACEPOINT_FIELD = "tracepoint_field"  # name: system:event.field, or event.arg0 of a raw tracepoint
    HELPER = "helper"  # a BPF helper function; name: bpf_get_func_ip
    MAP_TYPE = "map_type"  # name as in enum bpf_map_type: ringbuf
    PROGRAM_TYPE = "program_type"  # name as in enum bpf_prog_type: tracing
    HEADERS = "headers"  # kernel headers of the running kernel, or kheaders; name: the header, if one is named
    PLAIN_HEADERS = "plain_headers"  # that headers of the running kernel do not use -fms-extensions; name: the header
    USER_HEADER = "user_header"  # a header of /usr/include
    BTF = "btf"
    ENGINE = "engine"  # name: engine, engine>=version, or engine<version
    PROGRAM = "program"  # an executable or library that is traced or called: a path, or a name for $PATH
    HEADER_TEXT = "header_text"  # what a kernel header says: linux/minmax.h:BUILD_BUG_ON_MSG, or a header's name alone
    CONFIG = "config"  # an option that the kernel is built with; name: CONFIG_NUMA
    TERMINAL = "terminal"  # that what it prints goes to a terminal, which it draws on
    FILE = "file"  # a path that it reads: /sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq
    PYTHON_MODULE = "python_module"  # a module that a bcc tool imports: elftools
    PLATFORM = "platform"  # what the hardware or the kernel must be: x86_64, intel; name: machine or vendor


ATTACH_KINDS = frozenset(  # the needs that name a place where a program is attached, not what it reads or is run by
    {
        NeedKind.TRACEPOINT,
        NeedKind.RAW_TRACEPOINT,
        NeedKind.TP_BTF,
        NeedKind.KPROBE,
        NeedKind.FENTRY,
        NeedKind.UPROBE,
        NeedKind.USDT,
        NeedKind.PERF_EVENT,
        NeedKind.LSM,
        NeedKind.ITER,
        NeedKind.STRUCT_OPS,
        NeedKind.NETWORK,
        NeedKind.ATTACH,
    }
)


LOOKED_KINDS = frozenset(
    {
        NeedKind.UPROBE,
        NeedKind.USDT,
        NeedKind.USER_HEADER,
        NeedKind.HEADER_TEXT,
        NeedKind.PROGRAM,
        NeedKind.FILE,
        NeedKind.PYTHON_MODULE,
        NeedKind.PLATFORM,
    }
)


class Need(Value, frozen=True):
    """One thing that can be there or not."""

    kind: NeedKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


class Requirement(Value, frozen=True):
    """Any one of several needs; `essential` tells whether the variant gives up without it or goes on incomplete."""

    any_of: tuple[Need, ...]
    essential: bool = True
    since: str = ""  # the first version of its engine that makes it count
    until: str = ""  # the first that makes it count no more


class Arguments(StrEnum):
    """What a variant takes on its command line, as far as its text tells."""

    NONE = "none"
    INTERVAL = "interval"  # [interval [count]], and perhaps options
    OPTIONS = "options"  # options only; a bare number would be refused
    POSITIONAL = "positional"  # something else by position: a PID, a function, a path
    UNKNOWN = "unknown"


class Signature(Value, frozen=True):
    """How to call a variant: the style of its arguments, the options it knows, and its usage line if it has one."""

    style: Arguments = Arguments.UNKNOWN
    options: tuple[str, ...] = ()  # ("-p", "--pid"); empty for UNKNOWN means not known
    required: bool = False  # it prints its usage and ends when it gets no argument
    usage: str = ""
    unsafe: bool = False  # bpftrace does what it asks for only with --unsafe: it starts programs, sends signals


class Analysis(Value, frozen=True):
    """What a variant needs and takes, read from its text or ELF without running it."""

    probes: tuple[Need, ...] = ()  # every attach point named, in order, duplicates removed
    requirements: tuple[Requirement, ...] = ()
    signature: Signature = Signature()
    summary: str = ""  # from its header comment or docstring
    problem: str = ""  # why it could not be read; the verdict is then unknown
    fault: str = ""  # why no version of its engine takes it; the verdict is then blocked
    parts: dict[str, str] = {}  # files of C text that it compiles, by the names that it has for them -> SHA-256


class Found(Value, frozen=True):
    """A file that a source offers as a variant, before anything in it is read."""

    upstream: str  # whose code it is: bcc, libbpf-tools, bpftrace, book, inhouse
    source: str  # where this copy comes from: packages, inhouse
    stem: str  # the file's name without its decoration: runqlat for runqlat-bpfcc
    engine: Engine
    path: str
    revision: str = ""  # the package's or the project's version
    category: str = ""  # a hint from the folder it lies in
    example: str = ""  # path of an example text
    man: str = ""  # path of a man page
    texts: dict[str, tuple[str, ...]] = {}  # of a compiled program: upstream's revision -> paths of its C text
    made_for: str = ""  # the engine's release that it is a part of: "bpftrace>=0.26.1"


class Status(StrEnum):
    """Whether a variant works on a host."""

    RUNS = "runs"
    PARTIAL = "partial"  # starts, but some probes cannot attach: its output would be incomplete
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Trouble(Value, frozen=True):
    """Known trouble that no text shows: which variants have it, on hosts that meet all of `has` and none of `lacks`."""

    id: str
    variants: tuple[str, ...]  # patterns of ids: bcc/sofdsnoop
    status: Status  # blocked or partial
    symptom: str  # what a person sees
    why: str
    link: str
    revisions: str = ""  # versions of the source or package: ">=0.26,<0.27"; empty: any revision
    has: tuple[Need, ...] = ()
    lacks: tuple[Need, ...] = ()
    blind: bool = False  # it starts and attaches to nothing
    fix: str = ""


class Variant(Value, frozen=True):
    """One implementation of a tool: a file at a revision of a source."""

    tool: str
    found: Found
    analysis: Analysis
    troubles: tuple[Trouble, ...] = ()  # of the curated ones, those that concern this file at this revision
    sha256: str = ""
    distrust: str = ""  # why root must not run this file; empty when it is root's and nobody else can write it

    @property
    def id(self) -> str:
        """The name that pins it: libbpf-tools/runqlat."""
        return f"{self.found.upstream}/{self.found.stem}"

    @property
    def engine(self) -> Engine:
        """What executes it."""
        return self.found.engine


class Index(Value, frozen=True):
    """The catalog as one value: what `list` loads. Tools by name; variants in no order of preference."""

    categories: tuple[Category, ...]
    tools: tuple[Tool, ...]
    variants: tuple[Variant, ...]
    skipped: tuple[str, ...] = ()  # files that were there but could not be taken, each with its reason
    outside: tuple[Need, ...] = ()  # what the variants need outside of the kernel, each once: to be looked up


# --- What this host offers ----------------------------------------------------------------------------------------


class Fact(msgspec.Struct, Generic[T], frozen=True, omit_defaults=True):
    """A value, or unknown with the reason; `origin` says where the value was read."""

    value: T | None = None
    unknown: str = ""
    origin: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


UNREAD: Fact[AbstractSet[str]] = Fact(unknown="it was not read")


class EngineFact(Value, frozen=True):
    """One engine on this host."""

    name: Engine
    version: str
    argv: tuple[str, ...]  # what starts it: ("/usr/bin/bpftrace",) or ("/usr/bin/python3",)


class Facts(Value, frozen=True):
    """What this host offers, each family a value or unknown with its reason.

    The big families are any Set: a frozenset, or a `host.names.Names`, which becomes one when somebody asks it. A
    path that is not there (headers, BTF) is unknown too, and the reason says where it was looked for.
    """

    release: str  # uname -r
    machine: str  # uname -m
    distribution: str  # os-release ID, "" when there is none
    capabilities: frozenset[str]  # effective, without the cap_ prefix, lower case
    bpf: Fact[bool]  # bpf(2) loads a program for this user
    config: Fact[dict[str, str]]  # CONFIG_X -> y, m, n or a value; only options that judging or doctor asks for
    tracefs: Fact[str]  # where tracefs is mounted and readable
    tracepoints: Fact[AbstractSet[str]]  # system:event
    kprobes: Fact[bool]  # whether kprobes can be attached at all
    functions: Fact[AbstractSet[str]]  # functions that a kprobe can attach to
    fentry: Fact[bool]  # whether fentry programs are accepted, by trial
    btf: Fact[str]  # path of the kernel's BTF
    btf_functions: Fact[AbstractSet[str]]  # FUNC entries of the BTF of the kernel and its modules
    uprobes: Fact[bool]
    headers: Fact[str]  # where the running kernel's headers are
    symbols: Fact[AbstractSet[str]]  # data symbols in kallsyms: kaddr("avenrun") finds these
    pmus: Fact[frozenset[str]]  # /sys/bus/event_source/devices
    lockdown: Fact[str]  # none, integrity, confidentiality
    perf_event_paranoid: Fact[int]
    unprivileged_bpf_disabled: Fact[int]
    kptr_restrict: Fact[int]
    memlock: Fact[int]  # RLIMIT_MEMLOCK in bytes, -1 for unlimited
    fields: Fact[AbstractSet[str]] = UNREAD  # BTF's types and their members: task_struct, task_struct.pid
    formats: Fact[AbstractSet[str]] = UNREAD  # the fields of tracepoints: sched:sched_switch.prev_pid
    features: Fact[AbstractSet[str]] = UNREAD  # helper:bpf_get_func_ip, map_type:ringbuf, program_type:tracing …
    filesystems: Fact[AbstractSet[str]] = UNREAD  # that the kernel knows now: /proc/filesystems
    modules: Fact[AbstractSet[str]] = UNREAD  # that are loaded, built in, or could be loaded
    loaded: Fact[AbstractSet[str]] = UNREAD  # modules that are in the kernel now: loaded or built in
    program_kinds: dict[str, Fact[bool]] = {}  # kinds of BPF programs (xdp, iter, kprobe.multi …): taken or not
    counters: Fact[frozenset[str]] = Fact(unknown="it was not read")  # hardware events that can be opened
    looked: dict[str, bool] = {}  # needs of LOOKED_KINDS as text, and whether the host meets them; absent: unknown
    engines: tuple[EngineFact, ...] = ()
    missing_engines: dict[str, str] = {}  # engine -> why it is not there


# --- What follows -------------------------------------------------------------------------------------------------


class Basis(StrEnum):
    """Where a verdict comes from."""

    PREDICTED = "predicted"
    VERIFIED = "verified"


class Reason(Value, frozen=True):
    """One cause of a verdict: what is missing and, where there is one, what mends it."""

    text: str
    fix: str = ""
    need: Need | None = None
    link: str = ""  # where more is said of it


class Verdict(Value, frozen=True):
    """Whether a variant works here, why, and how that is known."""

    status: Status
    reasons: tuple[Reason, ...] = ()
    basis: Basis = Basis.PREDICTED
    blind: bool = False  # partial, and not one event probe can attach: it would start and show nothing


class Judged(Value, frozen=True):
    """A variant with its verdict."""

    variant: Variant
    verdict: Verdict


class Choice(Value, frozen=True):
    """The variant that fits best, how to call it, and why it was taken and the others were not."""

    variant: Variant
    verdict: Verdict
    arguments: tuple[str, ...]  # what goes to the tool
    why: str
    duration: float | None = None  # seconds that INTERVAL COUNT asks for, when the arguments end the run
    ends_itself: bool = False  # the variant takes INTERVAL COUNT and stops by itself
    passed_over: tuple[Judged, ...] = ()
