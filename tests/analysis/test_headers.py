"""Which headers only a compiler with -fms-extensions reads, and what follows for what includes them."""

from __future__ import annotations

import pytest

from tests.support.samples import make_facts, make_variant
from toolkit.analysis import analyze
from toolkit.compat import judge
from toolkit.model import Engine, EngineFact, Fact, Status

SCRIPT = b"#include <%s>\nkprobe:vfs_read { @ = count(); }\n"
TOOL = (
    b'from bcc import BPF\nBPF(text="""#include <%s>\nint kprobe__vfs_read(void *c) { return 0; }""").trace_print()\n'
)
TEXTS = {Engine.BPFTRACE: SCRIPT, Engine.BCC: TOOL}


def judged(engine: Engine, header: str, version: str, *types: str, headers: bool = True) -> Status:
    here = EngineFact(name=engine, version=version, argv=("/usr/bin/engine",))
    facts = make_facts(
        engines=(here,),
        fields=Fact(value=frozenset({"filename", *types})),
        headers=Fact(value="/lib/modules/x/build") if headers else Fact(unknown="no kernel headers"),
        kprobes=Fact(value=True),
        functions=Fact(value=frozenset({"vfs_read"})),
    )
    read = analyze(engine, TEXTS[engine] % header.encode(), "mine")
    variant = make_variant("acme/mine", *read.requirements, engine=engine)
    return judge(variant, facts).status


@pytest.mark.parametrize(
    ("engine", "version"), [(Engine.BPFTRACE, "0.23.2"), (Engine.BPFTRACE, "0.17.0"), (Engine.BCC, "0.31.0")]
)
def test_headers_with_unnamed_members_do_not_compile(engine: Engine, version: str) -> None:
    assert judged(engine, "linux/fs.h", version) is Status.RUNS
    assert judged(engine, "linux/fs.h", version, "__filename_head") is Status.BLOCKED
    assert judged(engine, "linux/sched.h", version, "__filename_head") is Status.RUNS


def test_bcc_reads_them_since_it_turns_the_extension_on() -> None:
    assert judged(Engine.BCC, "net/sock.h", "0.36.1", "__filename_head") is Status.BLOCKED
    assert judged(Engine.BCC, "net/sock.h", "0.37.0", "__filename_head") is Status.RUNS


def test_the_c_librarys_header_of_the_same_name_is_plain() -> None:
    assert judged(Engine.BPFTRACE, "linux/oom.h", "0.23.2", "__filename_head") is Status.BLOCKED
    assert judged(Engine.BPFTRACE, "linux/oom.h", "0.23.2", "__filename_head", headers=False) is not Status.RUNS


def test_what_stands_behind_a_condition_of_a_bcc_tool_does_not_count() -> None:
    read = analyze(Engine.BCC, TOOL.replace(b"#include <%s>", b"#ifdef X\n#include <linux/fs.h>\n#endif"), "mine")
    assert not any("plain_headers" in str(need) for one in read.requirements for need in one.any_of)
