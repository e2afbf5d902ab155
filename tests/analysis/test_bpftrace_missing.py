"""What becomes of a bpftrace program whose attach points are not there, by the version of bpftrace.

Each row was tried with that version. `ends`: without it bpftrace gives up; `goes on`: it starts all the same.
"""

from __future__ import annotations

import pytest

from tests.analysis.reading import essential, optional
from toolkit.analysis.bpftrace import analyze
from toolkit.model import Analysis, NeedKind

OLD, MIDDLE, STRICT = "0.17.0", "0.23.2", "0.27.1"
LIBRARY = "uprobe:/lib/libc.so.6"


def read(text: str) -> Analysis:
    return analyze(f'BEGIN {{ printf("on"); }} {text}'.encode())


def ends(text: str, version: str) -> list[str]:
    return [
        one for one in essential(read(text), version) if not one.startswith(("engine", "program", "btf", "map_type"))
    ]


@pytest.mark.parametrize("version", [OLD, MIDDLE, STRICT])
@pytest.mark.parametrize("point", ["kprobe:f", "tracepoint:a:b", "tracepoint:a:*", "hardware:cpu-cycles:9", "fentry:f"])
def test_a_lone_attach_point_must_be_there(point: str, version: str) -> None:
    found = analyze(f"{point} {{}}".encode())
    assert found.probes[0] in [need for one in found.requirements for need in one.any_of if one.essential]
    assert len(ends(f"{point} {{}}", version)) >= 1


@pytest.mark.parametrize(("version", "gives_up"), [(OLD, False), ("0.20.4", False), (MIDDLE, True), (STRICT, True)])
def test_a_function_that_a_traced_file_lacks_was_passed_over_until_0_21(version: str, gives_up: bool) -> None:
    assert (f"{LIBRARY}:f" in ends(f"{LIBRARY}:f {{}}", version)) == gives_up
    assert (f"{LIBRARY}:f" in optional(read(f"{LIBRARY}:f {{}}"), version)) != gives_up


@pytest.mark.parametrize("version", [OLD, MIDDLE, STRICT])
def test_a_traced_file_must_be_there(version: str) -> None:
    assert "program:/lib/libc.so.6" in essential(read(f"{LIBRARY}:f, tracepoint:a:b {{}}"), version)


@pytest.mark.parametrize("point", ["kprobe:f", "tracepoint:a:f", f"{LIBRARY}:f"])
def test_of_a_list_it_takes_what_there_is_until_0_24(point: str) -> None:
    need = point
    for version in (MIDDLE, "0.21.0"):
        assert need in optional(read(f"{point}, tracepoint:c:d {{}}"), version)
        assert ends(f"{point}, tracepoint:c:d {{}}", version) == []
    assert need in ends(f"{point}, tracepoint:c:d {{}}", STRICT)
    assert need in ends(f"{point}, tracepoint:c:d {{}}", "0.24.0")


@pytest.mark.parametrize("version", [OLD, MIDDLE])
@pytest.mark.parametrize("point", ["hardware:cpu-cycles:9", "software:cs:1", "profile:hz:99", "rawtracepoint:f"])
def test_counters_and_raw_tracepoints_end_it_even_in_a_list(point: str, version: str) -> None:
    assert len(ends(f"{point}, tracepoint:c:d {{}}", version)) == 1


@pytest.mark.parametrize("body", ["@[probe] = count();", "@[args.x] = count();"])
def test_an_attach_point_with_a_program_of_its_own_ended_it_until_0_22(body: str) -> None:
    text = f"tracepoint:a:b, tracepoint:c:d {{ {body} }}"
    for version in (OLD, "0.21.0"):
        assert [one for one in ends(text, version) if "_field" not in one] == ["tracepoint:a:b", "tracepoint:c:d"]
    assert [one for one in ends(text, MIDDLE) if "_field" not in one] == []


def test_what_names_itself_is_dropped_without_a_word_also_by_strict_versions() -> None:
    assert ends("kprobe:a, tracepoint:c:d { @[probe] = count(); }", STRICT) == ["kprobe:a | tracepoint:c:d"]
    assert ends("kprobe:a { @[probe] = count(); }", STRICT) == ["kprobe:a"]


@pytest.mark.parametrize("point", ["kprobe:vfs_*", f"{LIBRARY}:f*"])
def test_a_wildcard_that_matches_nothing_is_no_error_until_0_24(point: str) -> None:
    for version in (OLD, MIDDLE):
        assert ends(f"{point} {{}}", version) == []
        assert len(optional(read(f"{point} {{}}"), version)) == 1
    assert len(ends(f"{point} {{}}", STRICT)) == 1
    assert ends(f"{point}, tracepoint:a:b {{}}", STRICT)[0] == "tracepoint:a:b"


@pytest.mark.parametrize("version", [OLD, MIDDLE])
def test_a_tracepoint_wildcard_that_matches_nothing_ends_it_even_in_a_list(version: str) -> None:
    assert ends("tracepoint:a:*, tracepoint:c:d {}", version) == ["tracepoint:a:*"]
    assert "tracepoint:a:*" in optional(read("tracepoint:a:*, tracepoint:c:d {}"), STRICT)


@pytest.mark.parametrize(("version", "gives_up"), [(OLD, True), (MIDDLE, False), (STRICT, True)])
def test_a_program_of_which_nothing_is_left_ends(version: str, gives_up: bool) -> None:
    lone = analyze(f"{LIBRARY}:f {{}} {LIBRARY}:g* {{}}".encode())
    both = f"{LIBRARY}:f | {LIBRARY}:g*"
    assert (both in essential(lone, OLD)) is True
    assert (both in essential(analyze(b"kprobe:a* {} " + f"{LIBRARY}:g* {{}}".encode()), version)) is False
    of_lists = analyze(f"{LIBRARY}:f, {LIBRARY}:g {{}}".encode())
    named = [one for one in essential(of_lists, version) if one.startswith("uprobe")]
    assert bool(named) == gives_up


@pytest.mark.parametrize(("version", "gives_up"), [(OLD, False), (MIDDLE, True), (STRICT, True)])
def test_a_usdt_probe_with_its_provider_must_be_there_since_0_21(version: str, gives_up: bool) -> None:
    assert (ends("usdt:/bin/x:prov:probe {}", version) == ["usdt:/bin/x:prov:probe"]) == gives_up
    assert (ends("usdt:/bin/x:probe {}", version) == []) == (version != STRICT)


def test_that_a_function_is_not_in_btf_is_forgiven_in_a_list_but_not_that_there_is_no_fentry() -> None:
    assert ends("fentry:a, fentry:b {}", MIDDLE) == ["fentry"]
    assert optional(read("fentry:a, fentry:b {}"), MIDDLE) == ["fentry:a", "fentry:b"]


@pytest.mark.parametrize("wish", ["ignore", "warn"])
def test_a_program_may_ask_to_go_on_which_only_strict_versions_heed_for_a_lone_point(wish: str) -> None:
    text = f'config = {{ missing_probes = "{wish}" }} BEGIN {{}} kprobe:a {{}}'
    assert "kprobe:a" in optional(analyze(text.encode()), STRICT)
    assert "kprobe:a" in essential(analyze(text.encode()), MIDDLE)
    nothing_left = f'config = {{ missing_probes = "{wish}" }} kprobe:a, kprobe:b {{}}'
    assert "kprobe:a | kprobe:b" in essential(analyze(nothing_left.encode()), STRICT)


def test_a_program_may_ask_to_give_up_which_tracepoints_do_not_heed_before_0_24() -> None:
    text = 'config = { missing_probes = "error" } kprobe:a, tracepoint:c:d {}'
    assert essential(analyze(text.encode()), MIDDLE) == ["engine:bpftrace>=0.21", "kprobe:a"]
    assert "tracepoint:c:d" in essential(analyze(text.encode()), STRICT)


@pytest.mark.parametrize(
    ("points", "alternatives"),
    [
        ("kprobe:__blk_account_io_start, kprobe:blk_account_io_start", 1),
        ("kprobe:lookup_fast, kprobe:lookup_fast.constprop.*", 1),
        ("kprobe:swap_readpage, kprobe:swap_read_folio", 1),
        ("tracepoint:block:block_io_start, kprobe:blk_account_io_start", 1),
        ("tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat", 1),
        ("tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_exit_open", 2),
        ("kprobe:vfs_create, kprobe:vfs_open", 2),
        ("uprobe:libssl:SSL_read, uprobe:libssl:SSL_write", 2),
        ("uprobe:libpthread:pthread_create, uprobe:libc:pthread_create", 2),
    ],
)
def test_old_and_new_names_of_one_function_are_alternatives(points: str, alternatives: int) -> None:
    assert len(optional(read(f"{points} {{}}"))) == alternatives


def test_of_the_functions_in_a_list_any_is_enough_for_versions_that_pass_over_the_others() -> None:
    found = read("uprobe:libssl:SSL_read, uprobe:libcrypto:RSA_sign {}")
    assert optional(found, OLD) == ["uprobe:libssl:SSL_read | uprobe:libcrypto:RSA_sign"]
    assert len([one for one in found.requirements if one.any_of[0].kind is NeedKind.PROGRAM]) == 2


def test_bpftraces_own_events_are_always_there() -> None:
    assert ends("interval:s:1, tracepoint:a:b {}", MIDDLE) == []
    assert ends("interval:s:1 {}", STRICT) == []


def test_what_an_author_lets_be_ignored_is_one_of_a_list_since_0_24() -> None:
    text = (
        'config = { missing_probes = "ignore" } uprobe:libpthread:f, uprobe:libc:f, uprobe:libc:g { print(1); } END {}'
    )
    assert optional(read(text), STRICT) == ["uprobe:libpthread:f | uprobe:libc:f | uprobe:libc:g"]
    assert optional(read(text), MIDDLE) != optional(read(text), STRICT)


def test_a_function_that_must_be_there_is_not_missed_under_another_name() -> None:
    found = read("kprobe:lookup_fast, kprobe:lookup_fast.constprop.* { print(1); }")
    assert "kprobe:lookup_fast" in essential(found, STRICT)
    assert optional(found, STRICT) == []
