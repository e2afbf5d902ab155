"""Variants, facts and indexes made by hand, for tests of what is decided from them."""

from __future__ import annotations

from toolkit.model import (
    Analysis,
    Arguments,
    Category,
    Engine,
    EngineFact,
    Fact,
    Facts,
    Found,
    Index,
    Need,
    NeedKind,
    Requirement,
    Signature,
    Tool,
    Variant,
)


def need(text: str) -> Need:
    """`kprobe:vfs_read` as a Need."""
    kind, _, name = text.partition(":")
    return Need(kind=NeedKind(kind), name=name)


def requirement(*needs: str, essential: bool = True) -> Requirement:
    return Requirement(any_of=tuple(map(need, needs)), essential=essential)


def make_variant(
    identifier: str = "libbpf-tools/runqlat",
    *requirements: Requirement,
    engine: Engine = Engine.NATIVE,
    style: Arguments = Arguments.INTERVAL,
    options: tuple[str, ...] = (),
    required: bool = False,
    tool: str = "",
    distrust: str = "",
    problem: str = "",
) -> Variant:
    upstream, _, stem = identifier.partition("/")
    source = "inhouse" if upstream == "inhouse" else "packages"
    return Variant(
        tool=tool or stem,
        found=Found(upstream=upstream, source=source, stem=stem, engine=engine, path=f"/usr/sbin/{stem}"),
        analysis=Analysis(
            requirements=requirements,
            signature=Signature(style=style, options=options, required=required),
            problem=problem,
        ),
        distrust=distrust,
    )


def make_facts(**changes: object) -> Facts:
    """A host where everything works; `changes` replace families."""
    fields: dict[str, object] = {
        "release": "6.1.0-18-amd64",
        "machine": "x86_64",
        "distribution": "debian",
        "capabilities": frozenset({"sys_admin", "bpf", "perfmon"}),
        "bpf": Fact(value=True),
        "config": Fact(value={"CONFIG_KPROBES": "y"}),
        "tracefs": Fact(value="/sys/kernel/tracing"),
        "tracepoints": Fact(value=frozenset({"sched:sched_switch", "sched:sched_wakeup", "block:block_rq_issue"})),
        "kprobes": Fact(value=True),
        "functions": Fact(value=frozenset({"vfs_read", "tcp_connect"})),
        "fentry": Fact(value=True),
        "btf": Fact(value="/sys/kernel/btf/vmlinux"),
        "btf_functions": Fact(value=frozenset({"vfs_read", "vfs_write"})),
        "uprobes": Fact(value=True),
        "headers": Fact(value="/lib/modules/6.1.0-18-amd64/build"),
        "symbols": Fact(value=frozenset({"avenrun"})),
        "pmus": Fact(value=frozenset({"cpu", "software", "tracepoint"})),
        "lockdown": Fact(value="none"),
        "perf_event_paranoid": Fact(value=2),
        "unprivileged_bpf_disabled": Fact(value=2),
        "kptr_restrict": Fact(value=0),
        "memlock": Fact(value=-1),
        "engines": (
            EngineFact(name=Engine.BPFTRACE, version="0.17.0", argv=("/usr/bin/bpftrace",)),
            EngineFact(name=Engine.BCC, version="0.26.0", argv=("/usr/bin/python3",)),
            EngineFact(name=Engine.NATIVE, version="6.1.0", argv=()),
        ),
    }
    return Facts(**{**fields, **changes})  # type: ignore[arg-type]


def make_index(*variants: Variant, tools: tuple[Tool, ...] = ()) -> Index:
    """An index of these variants and of tools for them."""
    named = {tool.name: tool for tool in tools}
    for variant in variants:
        named.setdefault(variant.tool, Tool(name=variant.tool, category="cpu", summary=f"About {variant.tool}"))
    categories = (
        Category(name="cpu", summary="Processors", aliases=("cpus",)),
        Category(name="mem", summary="Memory", aliases=("memory",)),
    )
    return Index(categories=categories, tools=tuple(named[name] for name in sorted(named)), variants=variants)
