"""What bcc tools need and take: their Python is followed, never run."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.analysis.reading import essential, optional, probes
from toolkit.analysis import analyze
from toolkit.analysis.bcc import analyze as analyze_bcc
from toolkit.model import Analysis, Arguments, Engine

START = "#!/usr/bin/python3\nfrom bcc import BPF\nimport argparse\n"


def read(text: str) -> Analysis:
    return analyze_bcc((START + dedent(text)).encode())


def attached(text: str) -> list[str]:
    """The essential requirements besides bcc itself and the headers."""
    found = essential(read(text))
    assert (found[0].partition(">=")[0], found[1]) == ("engine:bcc", "headers")
    return found[2:]


# --- What the C text attaches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("TRACEPOINT_PROBE(sched, sched_switch) { return 0; }", "tracepoint:sched:sched_switch"),
        ("RAW_TRACEPOINT_PROBE(sched_switch) { return 0; }", "raw_tracepoint:sched_switch"),
        ("KFUNC_PROBE(vfs_read, struct file *file) { return 0; }", "fentry:vfs_read"),
        ("KRETFUNC_PROBE(vfs_read) { return 0; }", "fentry:vfs_read"),
        ("MODULE_KFUNC_PROBE(nfs, nfs_file_read) { return 0; }", "fentry:nfs_file_read"),
        ("LSM_PROBE(file_open, struct file *file, int ret) { return 0; }", "lsm:file_open"),
        ("int kprobe__vfs_read(struct pt_regs *ctx)\n{ return 0; }", "kprobe:vfs_read"),
        ("int kretprobe__vfs_read(struct pt_regs *ctx) { return 0; }", "kprobe:vfs_read"),
        ("int tracepoint__sched__sched_switch(void *args) { return 0; }", "tracepoint:sched:sched_switch"),
        ("int raw_tracepoint__sched_switch(void *ctx) { return 0; }", "raw_tracepoint:sched_switch"),
    ],
)
def test_macros_and_function_names_are_attach_points(text: str, need: str) -> None:
    assert attached(f"BPF(text={text!r})") == [need]


def test_comments_calls_and_declarations_are_not() -> None:
    text = "// TRACEPOINT_PROBE(a, b)\n/* int kprobe__x(void) {} */\nint kprobe__y(void);\nint f(void) { return 0; }"
    assert attached(f"BPF(text={text!r})") == []


def test_the_text_is_put_together_as_the_tool_does_it() -> None:
    assert attached(
        '''
        head = """
        struct data_t { u32 pid; };
        """
        body = "TRACEPOINT_PROBE(GROUP, EVENT_%s) { return 0; }" % "end"
        text = head + body
        text = text.replace("GROUP", "irq").replace("EVENT", "{}_{name}".format("irq", name="handler"))
        text += "\\n".join(["KFUNC_PROBE(a) { return 0; }", f"KFUNC_PROBE({'b'}) {{ return 0; }}"])
        text = "\\n".join(line for line in text.split("\\n") if "nothing" not in line)
        b = BPF(text=text)
        '''
    ) == ["tracepoint:irq:irq_handler_end", "fentry:a", "fentry:b"]


# --- What the Python attaches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "need"),
    [
        ('b.attach_kprobe(event="vfs_read", fn_name="f")', "kprobe:vfs_read"),
        ('b.attach_kretprobe(event=b"vfs_read", fn_name=b"f")', "kprobe:vfs_read"),
        ('b.attach_tracepoint(tp="block:block_rq_issue", fn_name="f")', "tracepoint:block:block_rq_issue"),
        ('b.attach_raw_tracepoint(tp="sched_switch", fn_name="f")', "raw_tracepoint:sched_switch"),
        ('b.attach_uprobe(name="c", sym="getaddrinfo", fn_name="f")', "uprobe:libc:getaddrinfo"),
        ('b.attach_uretprobe(name="/bin/bash", sym="readline", fn_name="f")', "uprobe:/bin/bash:readline"),
        (
            "b.attach_perf_event(ev_type=PerfType.SOFTWARE, ev_config=PerfSWConfig.CPU_CLOCK, fn_name='f')",
            "perf_event:software:cpu-clock",
        ),
        (
            "b.attach_perf_event(ev_type=PerfType.HARDWARE, ev_config=PerfHWConfig.CACHE_MISSES, fn_name='f')",
            "perf_event:hardware:cache-misses",
        ),
        ("b.attach_xdp('eth0', f, 0)", "network:xdp"),
        ("BPF.attach_raw_socket(f, 'eth0')", "network:socket"),
    ],
)
def test_every_attach_method(call: str, need: str) -> None:
    assert attached(f'b = BPF(text="int f(void *ctx) {{ return 0; }}")\n{call}\n') == [need]


def test_a_system_call_has_a_function_per_architecture() -> None:
    (found,) = attached('b = BPF(text="")\nb.attach_kprobe(event=b.get_syscall_fnname("clone"), fn_name="f")\n')
    assert found.split(" | ")[0] == "kprobe:__x64_sys_clone"
    assert found.split(" | ")[-1] == "kprobe:sys_clone"


def test_a_simple_regular_expression_is_a_list_of_wildcards() -> None:
    found = attached(
        r"""
        b = BPF(text="")
        b.attach_kprobe(event_re=r"^finish_task_switch$|^finish_task_switch\.isra\.\d$", fn_name="f")
        """
    )
    # Looking for functions by expression reads the kprobe blacklist, which is there with kprobes only.
    assert found == ["kprobe", "kprobe:finish_task_switch | kprobe:finish_task_switch.isra.*"]


def test_a_name_that_only_a_run_would_tell_is_empty() -> None:
    found = read('import sys\nb = BPF(text="")\nb.attach_kprobe(event=sys.argv[1], fn_name="f")\n')
    assert probes(found) == ["kprobe"]
    assert essential(found) == ["engine:bcc", "headers"]


def test_own_functions_and_loops_are_followed() -> None:
    assert attached(
        """
        def attach(names, prefix="vfs_"):
            for name in names:
                b.attach_kprobe(event=prefix + name, fn_name="f")

        def main():
            attach(["read", "write"])

        b = BPF(text="")
        if __name__ == "__main__":
            main()
        """
    ) == ["kprobe:vfs_read", "kprobe:vfs_write"]


# --- What depends on the host -------------------------------------------------------------------------------------


def test_the_branches_of_a_question_to_the_host_are_alternatives() -> None:
    assert attached(
        """
        b = BPF(text="")
        if BPF.get_kprobe_functions(b"__blk_account_io_start"):
            b.attach_kprobe(event="__blk_account_io_start", fn_name="f")
        else:
            b.attach_kprobe(event="blk_account_io_start", fn_name="f")
        """
    ) == ["kprobe", "kprobe:__blk_account_io_start | kprobe:blk_account_io_start"]


def test_an_answer_may_decide_in_two_places() -> None:
    assert attached(
        """
        kfunc = BPF.support_kfunc()
        if kfunc:
            text = "KFUNC_PROBE(vfs_read) { return 0; } KFUNC_PROBE(vfs_write) { return 0; }"
        else:
            text = "int f(void *ctx) { return 0; }"
        b = BPF(text=text)
        if not kfunc:
            b.attach_kprobe(event="vfs_read", fn_name="f")
            b.attach_kprobe(event="vfs_write", fn_name="f")
        """
    ) == ["fentry:vfs_read | kprobe:vfs_read", "fentry:vfs_write | kprobe:vfs_write"]


def test_different_mechanisms_are_paired() -> None:
    assert attached(
        """
        b = BPF(text="")
        if BPF.support_raw_tracepoint():
            b.attach_raw_tracepoint(tp="sched_wakeup", fn_name="f")
            b.attach_raw_tracepoint(tp="sched_switch", fn_name="f")
        else:
            b.attach_kprobe(event="ttwu_do_wakeup", fn_name="f")
            b.attach_kprobe(event="finish_task_switch", fn_name="f")
        """
    ) in (
        [
            "raw_tracepoint:sched_wakeup | kprobe:ttwu_do_wakeup",
            "raw_tracepoint:sched_switch | kprobe:finish_task_switch",
        ],
        [
            "raw_tracepoint:sched_wakeup | kprobe:finish_task_switch",
            "raw_tracepoint:sched_switch | kprobe:ttwu_do_wakeup",
        ],
    )


def test_where_nothing_fits_and_the_tool_gives_up_one_is_needed() -> None:
    text = """
        b = BPF(text="")
        if BPF.tracepoint_exists("block", "block_io_start"):
            b.attach_tracepoint(tp="block:block_io_start", fn_name="f")
        elif BPF.ksymname("blk_account_io_start") != -1:
            b.attach_kprobe(event="blk_account_io_start", fn_name="f")
        """
    wanted = "tracepoint:block:block_io_start | kprobe:blk_account_io_start"
    assert attached(text + "else:\n            exit()\n") == [wanted]
    assert optional(read(text)) == [wanted]


def test_what_is_taken_where_it_exists_is_not_missed() -> None:
    found = read(
        """
        b = BPF(text="")
        if BPF.get_kprobe_functions(b"blk_start_request"):
            b.attach_kprobe(event="blk_start_request", fn_name="f")
        b.attach_kprobe(event="blk_mq_start_request", fn_name="f")
        """
    )
    assert essential(found)[2:] == ["kprobe", "kprobe:blk_mq_start_request"]
    assert optional(found) == []
    assert "kprobe:blk_start_request" in probes(found)


def test_one_of_several_that_is_taken_where_it_exists_is_not_missed_either() -> None:
    text = """
        b = BPF(text="")
        b.attach_kprobe(event="mark_buffer_dirty", fn_name="f")
        if BPF.get_kprobe_functions(b"folio_account_dirtied"):
            b.attach_kprobe(event="folio_account_dirtied", fn_name="f")
        elif BPF.get_kprobe_functions(b"account_page_dirtied"):
            b.attach_kprobe(event="account_page_dirtied", fn_name="f")
        """
    assert optional(read(text)) == []


def test_what_is_tried_and_fails_is_missed() -> None:
    text = """
        b = BPF(text="")
        b.attach_kprobe(event="vfs_read", fn_name="f")
        try:
            b.attach_kprobe(event="inet_bind", fn_name="f")
        except Exception:
            try:
                b.attach_tracepoint(tp="sock:bind", fn_name="f")
            except Exception:
                print("going on without")
        """
    assert optional(read(text)) == ["kprobe:inet_bind | tracepoint:sock:bind"]


def test_what_is_tried_may_fail() -> None:
    assert attached(
        """
        b = BPF(text="")
        try:
            b.attach_uprobe(name="pthread", sym="pthread_create", fn_name="f")
        except Exception:
            b.attach_uprobe(name="c", sym="pthread_create", fn_name="f")
        """
    ) == ["uprobe:libpthread:pthread_create | uprobe:libc:pthread_create"]


def test_many_independent_questions_are_all_seen_to_be_optional() -> None:
    lines = ['b = BPF(text="")']
    for number in range(20):
        lines += [f'if b.ksymname("f{number}") != -1:', f'    b.attach_kprobe(event="f{number}", fn_name="f")']
    found = read("\n".join(lines))
    assert essential(found) == ["engine:bcc", "headers"]
    assert len(optional(found)) == 1


def test_what_an_option_asks_for_is_not_needed() -> None:
    assert attached(
        """
        parser = argparse.ArgumentParser(description="Trace things")
        parser.add_argument("-4", "--ipv4", action="store_true")
        parser.add_argument("-6", "--ipv6", action="store_true")
        parser.add_argument("-k", "--kind", default="tcp")
        args = parser.parse_args()
        b = BPF(text="")
        if args.ipv4:
            b.attach_kprobe(event="only_v4", fn_name="f")
        elif args.ipv6:
            b.attach_kprobe(event="only_v6", fn_name="f")
        else:
            b.attach_kprobe(event="%s_both" % args.kind, fn_name="f")
        """
    ) == ["kprobe:tcp_both"]


def test_files_of_the_kernel_that_it_opens() -> None:
    found = read(
        """
        parser = argparse.ArgumentParser()
        parser.add_argument("-v", "--verbosity", action="count", default=0)
        parser.add_argument("--ebpf", action="store_true")
        args = parser.parse_args()
        def show(kind):
            for line in open("/sys/kernel/debug/tracing/%s_events" % kind):
                print(line)
        if args.ebpf:
            print(text)
            exit()
        if args.verbosity > 0:
            show("kprobe")
        with open("/sys/kernel/x") as file, open("/home/y") as other:
            pass
        try:
            open("/sys/kernel/z")
        except OSError:
            pass
        """
    )
    assert essential(found) == ["engine:bcc", "file:/sys/kernel/x"]
    assert optional(found) == ["file:/sys/kernel/debug/tracing/kprobe_events"]


def test_symbols_that_a_tool_looks_up_in_kallsyms() -> None:
    assert attached(
        """
        kallsyms = "/proc/kallsyms"
        found = ""
        with open(kallsyms) as symbols:
            for line in symbols:
                address, size, name = line.rstrip().split(" ", 2)
                if name == "ext4_file_operations":
                    found = "0x" + address
                    break
            if found == "":
                print("ERROR: none")
                exit()
        b = BPF(text="int kprobe__vfs_read(void *ctx) { return OPS; }".replace("OPS", found))
        """
    ) == ["kernel_symbol:ext4_file_operations", "kprobe:vfs_read"]


def test_a_main_loop_ends_the_reading() -> None:
    assert (
        attached(
            """
            b = BPF(text="")
            while True:
                b.perf_buffer_poll()
            b.attach_kprobe(event="never", fn_name="f")
            """
        )
        == []
    )


# --- Besides ------------------------------------------------------------------------------------------------------


def test_tools_without_a_program_need_no_headers() -> None:
    assert essential(read("print('no program here')\n")) == ["engine:bcc"]


def test_modules_that_come_with_neither_python_nor_bcc() -> None:
    assert essential(read("import elftools.elf\n")) == ["engine:bcc", "python_module:elftools"]
    assert essential(read("try:\n    import elftools\nexcept ImportError:\n    pass\n")) == ["engine:bcc"]


PARSER = 'parser = argparse.ArgumentParser(description="Show things.")\n'


@pytest.mark.parametrize(
    ("declared", "style", "required"),
    [
        ('parser.add_argument("-T", "--time", action="store_true")', Arguments.OPTIONS, False),
        ("pass", Arguments.OPTIONS, False),
        ('parser.add_argument("interval", nargs="?", default=1)', Arguments.INTERVAL, False),
        (
            'parser.add_argument("interval", nargs="?"); parser.add_argument("count", nargs="?")',
            Arguments.INTERVAL,
            False,
        ),
        ('parser.add_argument("duration", nargs="?")', Arguments.POSITIONAL, False),
        ('parser.add_argument("pid", type=int)', Arguments.POSITIONAL, True),
        ('parser.add_argument("-d", "--dir", required=True)', Arguments.OPTIONS, True),
    ],
)
def test_argparse_tells_the_style(declared: str, style: Arguments, required: bool) -> None:
    found = read(PARSER + declared + "\n").signature
    assert (found.style, found.required) == (style, required)
    assert "--help" in found.options


def test_a_usage_text_tells_it_where_argv_is_read_by_hand() -> None:
    usage = 'import sys\ndef usage():\n    print("USAGE: %s [interval [count]]" % sys.argv[0])\n'
    assert read(usage).signature.style is Arguments.INTERVAL
    assert read("import sys\nprint(sys.argv[1])\n").signature.style is Arguments.POSITIONAL
    assert read("print(1)\n").signature.style is Arguments.NONE


@pytest.mark.parametrize(
    "header",
    [
        "# thing   Show things.\n#         For Linux, uses BCC.\n",
        "# @lint-avoid-python-3-compatibility-imports\n#\n# thing Show things.\n",
        "# thing.py\n#\n# Show things.\n",
        PARSER,
        '"""Show things."""\n',
    ],
)
def test_the_summary_comes_from_the_header_or_from_the_parser(header: str) -> None:
    text = "#!/usr/bin/env python\n" + header + "import argparse\n" + (PARSER if "parser" in header else "")
    assert analyze_bcc(text.encode()).summary in ("Show things", "Show things.")


# --- Trouble ------------------------------------------------------------------------------------------------------


def test_python_2_is_said_to_be_python_2() -> None:
    assert "Python 2" in analyze_bcc(b'#!/usr/bin/python\nprint "hello"\n').problem


@pytest.mark.parametrize("data", [b"def f(:\n", b"\0\0\0", b"# -*- coding: nonsense -*-\n", b"\xff\xfe" * 10])
def test_what_is_no_python_is_a_problem(data: bytes) -> None:
    assert analyze_bcc(data).problem != ""


@pytest.mark.parametrize(
    "hostile",
    [
        "x = 'a'\n" + "x = x + x\n" * 100 + "BPF(text=x)\n",
        "x = 'a' * 10 ** 12\n",
        "x = '%999999999d' % 1\n",
        "x = '{:>999999999}'.format(1)\n",
        "def f():\n    return f() + f()\nf()\n",
        "for a in range(10 ** 9):\n    pass\n",
        "x = (" * 5000 + ")" * 5000 + "\n",
        "x = " + "-" * 20_000 + "1\n",
        "x = " + "1+" * 20_000 + "1\n",
        "if BPF.ksymname('a') == -1:\n    pass\n" * 2000,
        "BPF(text='" + "kprobe__a(" * 20_000 + "')\n",
        "x = ('a',) * 3\n" + "x = x + x\n" * 60,
        "while True:\n    while True:\n        pass\n",
    ],
    ids=lambda text: str(text)[:24],
)
def test_hostile_python_costs_no_time_and_no_memory(hostile: str) -> None:
    analyze(Engine.BCC, hostile.encode())


@pytest.mark.packages
@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("runqlat", "raw_tracepoint:sched_wakeup | kprobe:ttwu_do_wakeup"),
        ("execsnoop", "kprobe:__x64_sys_execve"),
        ("tcplife", "tracepoint:sock:inet_sock_set_state | kprobe:tcp_set_state"),
        ("tcpconnect", "kprobe:tcp_v4_connect"),
        ("vfsstat", "fentry:vfs_read | kprobe:vfs_read"),
        ("capable", "kprobe:cap_capable"),
        ("biosnoop", "kprobe:__blk_account_io_done | kprobe:blk_account_io_done"),
        ("xfsslower", "kprobe:xfs_file_open"),
    ],
)
def test_the_tools_of_the_bpfcc_package(tool: str, expected: str) -> None:
    found = analyze(Engine.BCC, Path("/usr/sbin", tool + "-bpfcc").read_bytes())
    assert found.problem == ""
    assert found.summary != ""
    assert any(expected in one for one in essential(found))


@pytest.mark.packages
def test_every_python_tool_of_the_bpfcc_package_can_be_read() -> None:
    paths = [path for path in Path("/usr/sbin").glob("*-bpfcc") if b"python" in path.read_bytes().split(b"\n")[0]]
    assert len(paths) > 90
    assert [path.name for path in paths if analyze(Engine.BCC, path.read_bytes()).problem] == []


@pytest.mark.parametrize(
    ("call", "need"),
    [
        ("USDT(pid=int(argv[1]))", "usdt::query__start"),
        ("USDT(path='/usr/lib/libx.so')", "usdt:/usr/lib/libx.so:query__start"),
        ("USDT(path=argv[1])", "usdt::query__start"),
    ],
)
def test_probes_of_a_program_are_needed_by_name(call: str, need: str) -> None:
    text = (
        f"from sys import argv\nfrom bcc import USDT\nu = {call}\nu.enable_probe(probe='query__start', fn_name='f')\n"
    )
    assert attached(text + "b = BPF(text='int f(void *c) { return 0; }', usdt_contexts=[u])") == [need]


def test_a_function_in_a_program_that_arguments_name_is_needed_by_name() -> None:
    text = "from sys import argv\nb = BPF(text='int f(void *c) { return 0; }')\n"
    assert attached(text + "b.attach_uprobe(name=argv[1], sym='lock', fn_name='f')") == ["uprobe::lock"]
    assert attached(text + "b.attach_uprobe(name=argv[1], sym=argv[2], fn_name='f')") == []


def test_comments_that_never_end_are_read_once_each() -> None:
    # Quadratic reading of this took minutes; a text of ours never looks like it, a hostile one may.
    text = b'from bcc import BPF\nBPF(text="""' + b"/* " * 25_000 + b'""")\n'
    assert analyze(Engine.BCC, text).problem == ""


def test_what_draws_on_a_terminal_needs_one() -> None:
    text = b"import curses\nfrom bcc import BPF\nBPF(text='int f;')\ncurses.wrapper(print)\n"
    assert "terminal" in essential(analyze(Engine.BCC, text))


def test_a_helper_of_few_kernels_is_seen_in_texts_that_are_put_together_at_run_time() -> None:
    text = b"from bcc import BPF\nclass Tool:\n  def f(self):\n    return 'bpf_override_return(ctx, %s);' % self.x\n"
    assert "helper:bpf_override_return" in essential(analyze(Engine.BCC, text))


def test_a_tool_that_looks_for_processes_goes_on_without_any() -> None:
    text = (
        b"from bcc import BPF, USDT\nopen('/proc/%d/comm' % 1)\nUSDT(pid=1)\nP('java', ['java'])\nP('tcl', ['tclsh'])\n"
    )
    assert optional(analyze(Engine.BCC, text)) == ["usdt:java | usdt:tclsh"]
