"""What the bodies of bpftrace programs read: tracepoint fields, data symbols, files, helper functions, maps."""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential
from toolkit.analysis.bpftrace import analyze


def needs(text: str, version: str = "0.23.2") -> list[str]:
    skipped = ("engine", "map_type")
    return [one for one in essential(analyze(text.encode()), version) if not one.startswith(skipped)]


@pytest.mark.parametrize("access", ["args->pid", "args.pid", "str(args->pid)"])
def test_fields_of_a_tracepoint_are_needed(access: str) -> None:
    assert needs(f"tracepoint:a:b {{ @ = {access}; }}")[0] == "tracepoint_field:a:b.pid"


def test_a_field_must_be_in_every_tracepoint_of_a_list_and_of_a_wildcard() -> None:
    text = "tracepoint:a:b, tracepoint:c:d* /args.pid/ { @ = args.ret; }"
    fields = [one for one in needs(text) if one.startswith("tracepoint_field")]
    assert fields == [f"tracepoint_field:{one}" for one in ("a:b.pid", "a:b.ret", "c:d*.pid", "c:d*.ret")]


def test_the_arguments_of_tracepoints_need_btf_since_0_25() -> None:
    assert "btf" not in needs("tracepoint:a:b { @ = args.pid; }", "0.24.2")
    assert "btf" in needs("tracepoint:a:b { @ = args.pid; }", "0.25.0")
    assert "btf" not in needs("tracepoint:a:b { @ = pid; }", "0.25.0")


def test_raw_tracepoints_need_btf_since_0_24() -> None:
    assert "btf" not in needs("rawtracepoint:f {}", "0.23.2")
    assert "btf" in needs("rawtracepoint:f {}", "0.24.0")


def test_every_program_needs_a_ring_buffer_since_0_24() -> None:
    assert "map_type:ringbuf" in essential(analyze(b"kprobe:f {}"), "0.24.0")
    assert "map_type:ringbuf" not in essential(analyze(b"kprobe:f {}"), "0.23.2")


@pytest.mark.parametrize(
    ("body", "helper"),
    [
        ("print(path($p.f_path));", "bpf_d_path"),
        ("override(1);", "bpf_override_return"),
        ("signal(9);", "bpf_send_signal"),
        ("@ = jiffies;", "bpf_jiffies64"),
        ("@[cgroup] = count();", "bpf_get_current_cgroup_id"),
    ],
)
def test_builtins_that_need_a_helper_of_the_kernel(body: str, helper: str) -> None:
    assert f"helper:{helper}" in needs(f"kprobe:f {{ $p = (struct file *)arg0; {body} }}")
    assert not any(one.startswith("helper") for one in needs("kprobe:f { $signal = 1; @ = $signal; }"))


def test_the_function_of_a_return_probe_needs_a_helper_since_0_21() -> None:
    assert "helper:bpf_get_func_ip" in needs("kretprobe:f { @[func] = count(); }")
    assert "helper:bpf_get_func_ip" not in needs("kretprobe:f { @[func] = count(); }", "0.20.4")
    assert "helper:bpf_get_func_ip" not in needs("kprobe:f { @[func] = count(); }")


def test_true_and_false_come_from_btf_before_0_24() -> None:
    assert "btf" in needs("kprobe:f { $a = true; }")
    assert "btf" not in needs("kprobe:f { $a = true; }", "0.24.0")


def test_symbols_and_control_groups_are_named_in_calls() -> None:
    found = needs('kprobe:f { @ = *kaddr("avenrun"); if (cgroup == cgroupid("/sys/fs/cgroup/x")) {} }')
    assert "kernel_symbol:avenrun" in found
    assert "file:/sys/fs/cgroup/x" in found


def test_a_map_must_be_set_in_a_probe_that_is_left_when_missing_ones_are_dropped() -> None:
    text = 'config = { missing_probes = "warn" } kprobe:a, kprobe:b { @s[tid] = 1; } END { clear(@s); }'
    assert "kprobe:a | kprobe:b" in needs(text, "0.24.0")
    assert "kprobe:a | kprobe:b" not in needs(text, "0.23.2")
    always_set = text.replace("END", "BEGIN { @s[0] = 0; } END")
    assert "kprobe:a | kprobe:b" not in needs(always_set, "0.24.0")
