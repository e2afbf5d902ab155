"""What the C text of bcc tools reads: members of structures, fields and arguments of tracepoints."""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential
from toolkit.analysis.bcc import analyze

START = "#!/usr/bin/python3\nfrom bcc import BPF\n"
READS = ("header_field:", "tracepoint_field:", "helper:", "map_type:")


def reads(python: str) -> list[str]:
    return [one for one in essential(analyze((START + python).encode())) if one.startswith(READS)]


def reads_text(text: str) -> list[str]:
    return reads(f"BPF(text={text!r})\n")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("int f(struct pt_regs *ctx, struct request *req) { return req->rq_disk; }", ["header_field:request.rq_disk"]),
        ("int f() { struct task_struct *t = x(); return t->state; }", ["header_field:task_struct.state"]),
        ("int f(struct a *p) { return 0; }\nint g(struct b *p) { return p->x; }", ["header_field:b.x"]),
        (
            "struct b *one(struct a *p)\n{ if (p) { return p->x; } return p->y->z; }",
            ["header_field:a.x", "header_field:a.y"],
        ),
    ],
)
def test_members_behind_variables_of_a_structure(text: str, wanted: list[str]) -> None:
    assert reads_text(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "struct val_t { u64 x; };\nint f(struct val_t *v) { return v->x; }",
        "int f(struct pt_regs *ctx) { return ctx->di; }",
        "int f(struct __sk_buff *skb) { return skb->len; }",
        "int f(struct sock *sk) { return sk->sk_family; }",  # a macro: __sk_common.skc_family
        "int f(struct ops *o) { return o->call(1); }",
        "int f(struct a *p) { { struct b *p; p->x; } return 0; }",  # which of the two it is, only a parser would tell
        "#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 0, 0)\nint f(struct a *p) { return p->x; }\n#endif",
        "int f(struct a *p) {\n#ifdef X\n# if Y\n  p->x;\n# endif\n  p->y;\n#else\n  p->z;\n#endif\n return 0; }",
        "// int f(struct a *p) { return p->x; }",
        "#define GET(p) struct a *q = p; q->x",
    ],
)
def test_what_the_kernel_does_not_have_to_have(text: str) -> None:
    assert reads_text(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "#define ON\n#ifdef ON\nint f(struct a *p) { return p->x; }\n#else\nint f(struct a *p) { p->y; }\n#endif",
            "a.x",
        ),
        ("#define ON 1\n#ifndef ON\nint f(struct a *p) { p->x; }\n#else\nint f(struct a *p) { p->y; }\n#endif", "a.y"),
        ("#ifdef CONFIG_X\n#define ON\n#endif\n#ifdef ON\nint f(struct a *p) { return p->x; }\n#endif", ""),
        ("#define ON\n#ifdef ON\n#if VERSION\nint f(struct a *p) { return p->x; }\n#endif\n#endif", ""),
        ("#define ON\n#ifdef ON\n#elif OTHER\nint f(struct a *p) { return p->x; }\n#endif\n#endif\n#else", ""),
    ],
)
def test_macros_that_the_text_defines_itself(text: str, wanted: str) -> None:
    assert reads_text(text) == ([f"header_field:{wanted}"] if wanted else [])


def test_fields_of_tracepoints() -> None:
    text = (
        "TRACEPOINT_PROBE(sched, sched_switch) { u32 p = args->prev_pid; TP(args->data_loc_comm); return 0; }\n"
        "int f(struct tracepoint__block__block_rq_issue *args) { return args->sector; }\n"
    )
    assert reads_text(text) == [
        "tracepoint_field:sched:sched_switch.prev_pid",
        "tracepoint_field:sched:sched_switch.comm",
        "tracepoint_field:block:block_rq_issue.sector",
    ]


@pytest.mark.parametrize("head", ["RAW_TRACEPOINT_PROBE(begin)", "int raw_tracepoint__begin(void *ctx)"])
def test_the_last_argument_of_a_raw_tracepoint(head: str) -> None:
    text = head + " { bool sync = ctx->args[4]; return ctx->args[0]; }"
    assert reads_text(text) == ["tracepoint_field:begin.arg4"]


def test_helpers_that_not_every_kernel_has() -> None:
    text = "BPF_RINGBUF_OUTPUT(e, 8);\nint f() {\n bpf_get_func_ip(ctx);\n bpf_ktime_get_ns();\n return 0; }"
    assert reads_text(text) == ["helper:bpf_get_func_ip", "map_type:ringbuf"]
    assert reads_text("int f() {\n if (HAS_IT && !bpf_get_func_ip(ctx)) { return 1; }\n return 0; }") == []


def test_what_is_chosen_by_a_question_about_structures_is_not_needed() -> None:
    text = "int f(struct request *r) { r->__sector; return r->DISK; }"
    assert reads(
        f"text = {text!r}\n"
        "if BPF.kernel_struct_has_field(b'request', b'rq_disk') == 1:\n"
        "    text = text.replace('DISK', 'rq_disk')\n"
        "elif BPF.kernel_struct_has_field('request_queue', 'disk') == 1:\n"
        "    text = text.replace('DISK', 'q->disk')\n"
        "else:\n"
        "    text = text.replace('DISK', 'old')\n"
        "BPF(text=text)\n"
    ) == ["header_field:request.__sector"]


def test_what_only_one_of_two_programs_reads_is_not_needed() -> None:
    assert (
        reads(
            "if BPF.tracepoint_exists('block', 'block_io_start'):\n"
            "    text = 'TRACEPOINT_PROBE(block, block_io_start) { return args->dev; }'\n"
            "else:\n"
            "    text = 'int kprobe__blk(void *ctx, struct request *r) { return r->rq_disk; }'\n"
            "BPF(text=text)\n"
        )
        == []
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 90_000,
        "struct a *" * 9_000,
        "a->" * 30_000,
        "#if\n" * 50_000,
        "#define A\n" + "#ifdef A\n" * 50_000,
        "a " * 90_000,
    ],
)
def test_hostile_c_costs_no_time(hostile: str) -> None:
    reads_text(hostile)
