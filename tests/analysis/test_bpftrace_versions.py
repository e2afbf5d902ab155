"""Which versions of bpftrace read a program, and what none takes. Each row was tried with 0.17, 0.23 and 0.27."""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential
from toolkit.analysis.bpftrace import analyze
from toolkit.model import Analysis


def read(text: str) -> Analysis:
    return analyze(text.encode())


def engines(text: str) -> list[str]:
    return [one.removeprefix("engine:") for one in essential(read(text)) if one.startswith("engine")]


@pytest.mark.parametrize(
    ("body", "engine"),
    [
        ("interval:s:1 { @ = count(); clear(@); }", "bpftrace>=0.12"),
        ("interval:s:1 { @[1] = count(); clear(@); }", "bpftrace"),
        ("interval:s:1 { print(str($1 + 3)); }", "bpftrace>=0.12"),
        ("iter:task_vma { print(1); }", "bpftrace>=0.19"),
        ("iter:task { print(ctx.task.pid); }", "bpftrace>=0.25"),
        ("BEGIN { print(@a[1]); @a[1] = 1; }", "bpftrace>=0.21"),
        ("BEGIN { @a[(1, 2)] = 1; }", "bpftrace>=0.22"),
        ("BEGIN { @a[(uint64)1, (2 + 3)] = 1; }", "bpftrace"),
        ("BEGIN { $x = (enum e)1; }", "bpftrace>=0.23"),
        ("BEGIN { if (1) { @a = 1; }; }", "bpftrace>=0.24"),
        ("BEGIN { @a[1] = 1; if (delete(@a, 1)) { exit(); } }", "bpftrace>=0.24"),
        ("BEGIN { @a[1] = 1; delete(@a[1]); }", "bpftrace"),
        ("kretprobe:f /@a[tid]/ { @a[tid] = 1; delete(@a[tid]); }", "bpftrace"),
        ("kprobe:f { @[comm()] = count(); }", "bpftrace>=0.24"),
        ("config = { unstable_import = 1 } kprobe:f {}", "bpftrace>=0.24"),
        ("rawtracepoint:m:f {}", "bpftrace>=0.24"),
        ("tracepoint:a:b { print(args.file.mode); }", "bpftrace>=0.25"),
        (
            "kprobe:f { @s[tid] = (struct sk_buff *)arg0; } kretprobe:f { $s = @s[tid]; print($s.len); }",
            "bpftrace>=0.25",
        ),
        ("BEGIN { print(str_concat(1, 2)); }", "bpftrace>=0.27"),
    ],
)
def test_words_that_older_versions_cannot_read(body: str, engine: str) -> None:
    assert engines(body) == [engine]


@pytest.mark.parametrize(
    ("body", "until"),
    [
        ('config = { symbol_source = "dwarf" } uprobe:/bin/x:f {}', "bpftrace<0.24"),
        ("uprobe:/bin/x:f { @[sarg0] = count(); }", "bpftrace<0.25"),
        ("BEGIN { @a[1] = 1; @b[1] = 1; delete(@a[1], @b[1]); }", "bpftrace<0.22"),
        ("BEGIN { if (pid) { $x = 1; } print($x); }", "bpftrace<0.22"),
        ("BEGIN { if (pid) { $x = 1; } else { $x = 2; } print($x); }", "bpftrace<0.22"),
    ],
)
def test_words_that_newer_versions_do_not_read(body: str, until: str) -> None:
    assert until in engines(body)


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN { $x = 0; if (pid) { $x = 1; } print($x); }",
        "BEGIN { if (pid) { $x = 1; print($x); } if (tid) { $x = 2; print($x); } }",
        "BEGIN { let $x; if (pid) { $x = 1; } print($x); }",
        "BEGIN { for ($i : @m) { print($i); } for ($i : @m) { print($i); } @m[1] = 1; }",
        "kprobe:f { $sarg0 = 1; print($sarg0); }",
    ],
)
def test_what_every_later_version_reads_too(body: str) -> None:
    assert not any("<" in one for one in engines(body))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kprobe:f { @ = ntohs(1); }", "there is no function ntohs()"),
        ("kprobe:f { @ = quantize(1); }", "there is no function quantize()"),
        ("tracepoint:a:b { @ = ctx; }", "ctx is not to be had in a tracepoint probe"),
        ("tracepoint:a:b { @ = arg0; }", "arg0 is not to be had in a tracepoint probe"),
        ("kprobe:f { @ = args.file; }", "args is not to be had in a kprobe probe"),
        ("kprobe:f { @ = retval; }", "retval is not to be had in a kprobe probe"),
        ("BEGIN { print(@x); }", "the map @x is used and never set"),
        (
            "kprobe:f { @x[comm] = count(); } END { if (@x > 1) { exit(); } }",
            "the map @x is used with and without a key",
        ),
        ("usdt::a:b {}", "a usdt probe names neither a file nor a process"),
        ("watchpoint:f+arg0:8:w {}", "a watchpoint in a function is of one process, which bpftrace gets by -p"),
        ("// nothing but a macro\nmacro m($x) { $x }", "it has no probe"),
        ("kprobe:f { @ = 1; ", "not a bpftrace program: line 1: a block does not end"),
    ],
)
def test_what_no_version_takes(text: str, fault: str) -> None:
    assert read(text).fault == fault


@pytest.mark.parametrize(
    "text",
    [
        'import "stdlib"; kprobe:f { @ = ntohs(1); }',
        "#define ntohs(x) x\nkprobe:f { @ = ntohs(1); }",
        "macro twice(x) { x + x } kprobe:f { @ = twice(1); }",
        "macro put(@m) { @m[1] = 1 } kprobe:f { put(@m); print(@m); }",
        "kprobe:f, kretprobe:f { @ = retval; }",
        "kprobe:f { $a = (struct x *)arg0; @ = $a->args; }",
        "kprobe:f { if (arg0) { @ = sizeof(uint64); } while (0) { unroll (3) { @ = 1; } } return; }",
        "kprobe:f { @a[tid] = 1; } END { clear(@a); print(@a); delete(@a, 1); for ($p : @a) { print(len(@a)); } }",
        "let @m = lruhash(10); kprobe:f { print(@m); }",
        "kprobe:f { @n++; ++@m; @k += 1; print(@n); print(@m); print(@k); }",
        "kprobe:f { for $p : @a { print($p); } @a[1] = 1; }",
    ],
)
def test_what_some_version_takes_is_no_fault(text: str) -> None:
    assert read(text).fault == ""
