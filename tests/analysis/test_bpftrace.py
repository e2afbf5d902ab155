"""What bpftrace programs need: attach points, types, headers, versions and arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.reading import essential, optional, probes
from toolkit.analysis import analyze
from toolkit.analysis.bpftrace import analyze as analyze_bpftrace
from toolkit.model import Analysis, Arguments, Engine


def read(text: str) -> Analysis:
    return analyze_bpftrace(text.encode())


# --- Attach points ------------------------------------------------------------------------------------------------


def test_a_lone_attach_point_is_essential() -> None:
    assert essential(read("kprobe:vfs_read {}")) == ["engine:bpftrace", "kprobe:vfs_read"]


@pytest.mark.parametrize(
    ("point", "need"),
    [
        ("k:f", "kprobe:f"),
        ("kr:f", "kprobe:f"),
        ("kprobe:nfs:nfs_file_read", "kprobe:nfs_file_read"),
        ("kprobe:f+8", "kprobe:f"),
        ("fentry:vmlinux:f", "fentry:f"),
        ("kfunc:f", "fentry:f"),
        ("kretfunc:f", "fentry:f"),
        ("fr:f", "fentry:f"),
        ("t:sched:sched_switch", "tracepoint:sched:sched_switch"),
        ("rawtracepoint:sched_switch", "raw_tracepoint:sched_switch"),
        ("rt:vmlinux:sched_switch", "raw_tracepoint:sched_switch"),
        ("u:/bin/x:f", "uprobe:/bin/x:f"),
        ("ur:libc:free", "uprobe:libc:free"),
        ("uprobe:/bin/x:cpp:f", "uprobe:/bin/x:f"),
        ("U:/bin/x:prov:probe", "usdt:/bin/x:prov:probe"),
        ("p:hz:99", "perf_event:software:cpu-clock"),
        ("s:cs:1000", "perf_event:software:context-switches"),
        ("h:cycles:1000000", "perf_event:hardware:cpu-cycles"),
        ("iter:task", "iter:task"),
        ("w:0x1234:8:rw", "attach:watchpoint"),
        ("asyncwatchpoint:0x1234:8:w", "attach:asyncwatchpoint"),
    ],
)
def test_every_provider_and_its_short_name(point: str, need: str) -> None:
    assert probes(read(f"{point} {{}}")) == [need]


def test_functions_of_all_that_runs_are_chosen_at_run_time() -> None:
    found = read("uprobe:*:f {}")
    assert probes(found) == ["uprobe"]
    assert not any(one.startswith("program") for one in essential(found))


@pytest.mark.parametrize("point", ["BEGIN", "END", "begin", "end", "i:s:1", "interval:ms:10", "self:signal:SIGUSR1"])
def test_bpftraces_own_events_need_nothing_of_the_host(point: str) -> None:
    found = read(f"{point} {{ exit(); }}")
    assert probes(found) == []
    assert optional(found) == []


# --- Types, headers, symbols --------------------------------------------------------------------------------------


def test_a_header_without_a_guard_is_needed() -> None:
    assert "headers:net/sock.h" in essential(read("#include <net/sock.h>\nkprobe:f {}"))


def test_a_guarded_header_is_for_kernels_without_btf() -> None:
    text = "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/fs.h>\n#endif\nkprobe:f {}"
    assert "btf | headers:linux/fs.h" in essential(read(text))


def test_the_other_branch_of_the_guard_is_for_kernels_with_btf() -> None:
    text = "#ifndef BPFTRACE_HAVE_BTF\n#include <net/sock.h>\n#else\n#include <sys/socket.h>\n#endif\nkprobe:f {}"
    assert essential(read(text))[1:] == ["user_header:sys/socket.h", "btf | headers:net/sock.h", "kprobe:f"]


def test_what_the_c_library_and_btf_both_define_needs_the_kernels_headers() -> None:
    text = "#ifndef BPFTRACE_HAVE_BTF\n#include <net/sock.h>\n#else\n#include <{}>\n#endif\nkprobe:f {{ {} }}"
    wide, narrow = (f"print(((struct {name} *)arg0)->x);" for name in ("sock", "list_head"))
    for header, body, wanted in (
        ("sys/socket.h", wide, "headers:net/sock.h"),
        ("sys/socket.h", narrow, "btf | headers:net/sock.h"),
        ("errno.h", wide, "btf | headers:net/sock.h"),
    ):
        assert wanted in essential(read(text.format(header, body)))


def test_headers_that_bpftrace_brings_along_are_not_needed() -> None:
    assert essential(read("#include <stdint.h>\nkprobe:f {}")) == ["engine:bpftrace", "kprobe:f"]


def test_kernel_headers_that_only_hold_constants_also_come_with_the_c_library() -> None:
    assert "headers:linux/oom.h | user_header:linux/oom.h" in essential(read("#include <linux/oom.h>\nkprobe:f {}"))


def test_a_type_that_the_program_does_not_define_comes_from_btf() -> None:
    found = read("kprobe:f { $s = (struct sock *)arg0; @ = $s->sk_err; }")
    assert essential(found) == ["engine:bpftrace", "btf | headers", "struct_field:sock.sk_err", "kprobe:f"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("$t = (struct task_struct *)curtask; @ = $t->pid;", "struct_field:task_struct.pid"),
        ("@ = ((struct bio *)arg1)->bi_iter.bi_size;", "struct_field:bio.bi_iter"),
        ("@ = curtask->mm;", "struct_field:task_struct.mm"),
    ],
)
def test_fields_of_kernel_types_are_needed(body: str, field: str) -> None:
    assert field in essential(read(f"kprobe:f {{ {body} }}"))


def test_fields_of_its_own_types_are_not() -> None:
    found = read("struct mine { int a; };\nkprobe:f { $m = (struct mine *)arg0; @ = $m->a; }")
    assert essential(found) == ["engine:bpftrace", "kprobe:f"]


def test_an_address_of_a_kernel_symbol_is_needed() -> None:
    assert "kernel_symbol:avenrun" in essential(read('interval:s:1 { $a = kaddr("avenrun"); }'))


# --- Versions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("kprobe:f { @[comm] = count(); }", "bpftrace"),
        ("fentry:f {}", "bpftrace>=0.20"),
        ("kprobe:mod:f {}", "bpftrace>=0.20"),
        ("rawtracepoint:f {}", "bpftrace>=0.18"),
        ("tracepoint:a:b { @ = args.x; }", "bpftrace>=0.19"),
        ("kprobe:f { if (has_key(@a, 1)) {} }", "bpftrace>=0.22"),
        ("kprobe:f { let $x = 1; }", "bpftrace>=0.22"),
        ("kprobe:f { delete(@a, tid); }", "bpftrace>=0.22"),
        ("kprobe:f { for ($kv : @m) {} }", "bpftrace>=0.21"),
        ("kprobe:f { for $i : 0..9 {} }", "bpftrace>=0.24"),
        ("begin {}", "bpftrace>=0.24"),
        ("interval:1s {}", "bpftrace>=0.24"),
        ("config = { missing_probes = ignore; } kprobe:f {}", "bpftrace>=0.24"),
        ("macro m($x) { $x } kprobe:f {}", "bpftrace>=0.24"),
        ("kprobe:f { $q = (struct qstr *)arg1; print($q.name); }", "bpftrace>=0.25"),
        ("kprobe:f { @ = ((struct bio *)arg0).bi_flags; }", "bpftrace>=0.25"),
    ],
)
def test_words_that_older_versions_cannot_read(text: str, engine: str) -> None:
    assert essential(read(text))[0] == f"engine:{engine}"


def test_a_programs_own_names_hide_those_of_bpftrace() -> None:
    assert essential(read("fn find($x : int64) : int64 { return 1; } kprobe:f { @ = find(1); }"))[0].endswith("0.21")


# --- Arguments and summary ----------------------------------------------------------------------------------------


def test_a_program_without_parameters_takes_no_arguments() -> None:
    assert read("kprobe:f {}").signature.style is Arguments.NONE


def test_parameters_are_positional_unless_the_usage_line_says_interval_and_count() -> None:
    body = "kprobe:f { @ = $1; }"
    assert read(f"// USAGE: t.bt [interval [count]]\n{body}").signature.style is Arguments.INTERVAL
    pid = read(f"// USAGE: t.bt PID\n{body}").signature
    assert (pid.style, pid.required) == (Arguments.POSITIONAL, True)
    assert read(f"// USAGE: t.bt [pid]\n{body}").signature.required is False


@pytest.mark.parametrize(
    ("body", "style"),
    [
        ("@seconds = $1; @count = $2;", Arguments.INTERVAL),
        ("$interval = $1;", Arguments.INTERVAL),
        ("@pid = $1;", Arguments.POSITIONAL),
        ("@seconds = $1; @pid = $2;", Arguments.POSITIONAL),
        ("@seconds = $1; print($3);", Arguments.POSITIONAL),
    ],
)
def test_without_a_usage_line_the_names_of_the_parameters_tell(body: str, style: Arguments) -> None:
    assert read(f"BEGIN {{ {body} }} kprobe:f {{}}").signature.style is style


def test_a_parameter_in_an_attach_point_must_be_given() -> None:
    found = read("uprobe:/bin/x:$1 {}")
    assert found.signature.required is True
    assert probes(found) == ["uprobe"]


@pytest.mark.parametrize("call", ['system("date")', "signal(9)", "override(1)"])
def test_what_bpftrace_does_only_with_unsafe(call: str) -> None:
    assert read(f"kprobe:f {{ {call}; }}").signature.unsafe is True
    assert read("kprobe:f { $signal = 1; print($signal); }").signature.unsafe is False


def test_getopt_names_the_options() -> None:
    assert read('begin { $p = getopt("pid", 0); }').signature.options == ("--pid",)


@pytest.mark.parametrize(
    "header",
    [
        "/*\n * thing - Show things, and more things.\n */",
        "/*\n * thing\tShow things, and more\n *      things.\n *      For Linux, uses bpftrace.\n */",
        "// thing.bt Show things, and more things.\n// For Linux.",
        "// thing    Show things, and more things\n\n",
        "/* thing: Show things, and more things. */",
    ],
)
def test_the_summary_stands_after_the_name(header: str) -> None:
    assert read(f"#!/usr/bin/bpftrace\n{header}\nkprobe:f {{}}").summary == "Show things, and more things"


# --- Trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "not a program", "kprobe:f {", "#!/usr/bin/bpftrace\n// only a comment\n"])
def test_what_cannot_be_read_has_a_fault(text: str) -> None:
    assert read(text).fault != ""


@pytest.mark.packages
@pytest.mark.parametrize("path", sorted(Path("/usr/sbin").glob("*.bt")), ids=lambda path: path.name)
def test_every_program_of_the_bpftrace_package_can_be_read(path: Path) -> None:
    found = analyze(Engine.BPFTRACE, path.read_bytes())
    assert found.problem == ""
    assert found.summary != ""
    assert found.probes or "kernel_symbol" in str(essential(found))


def test_a_header_of_ones_own_may_define_the_types_that_are_read() -> None:
    text = "{} uprobe:/opt/bash:f {{ $x = (struct variable *)arg0; print($x->name); }}"
    own = analyze_bpftrace(text.format('#include "/opt/bash/variables.h"\n').encode())
    assert "struct_field:variable.name" not in essential(own)
    assert "struct_field:variable.name" in essential(analyze_bpftrace(text.format("").encode()))
