"""Verdicts: what a variant needs against what a host offers, and what is said about the difference."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.samples import make_facts, make_variant, requirement
from toolkit.answers import DECIDERS
from toolkit.compat import judge
from toolkit.mending import FORBIDDEN_FIX, KPROBES_FIX, OTHER_RELEASE
from toolkit.model import Analysis, Engine, EngineFact, Fact, Facts, NeedKind, Status, Variant, Verdict
from toolkit.outside import find_outside
from toolkit.versions import parse_version


def reasons(variant: Variant, facts: Facts) -> str:
    return " | ".join(reason.text for reason in judge(variant, facts).reasons)


NO_KPROBES = {
    "kprobes": Fact(value=False, origin="no kprobe PMU"),
    "config": Fact(value={"CONFIG_KPROBES": "n"}),
}
NO_FENTRY = {"fentry": Fact(value=False, origin="the kernel answers EPERM")}


def test_everything_met_runs() -> None:
    variant = make_variant("bpftrace/x", requirement("tracepoint:sched:sched_switch"), requirement("btf"))
    assert judge(variant, make_facts()) == Verdict(status=Status.RUNS)


def test_a_missing_tracepoint_blocks_and_is_named() -> None:
    variant = make_variant("bpftrace/x", requirement("tracepoint:block:block_io_start"))
    assert judge(variant, make_facts()).status is Status.BLOCKED
    assert reasons(variant, make_facts()) == "this kernel has no tracepoint block:block_io_start"


def test_a_wildcard_is_met_by_any_match() -> None:
    assert judge(make_variant("a/b", requirement("tracepoint:sched:sched_*")), make_facts()).status is Status.RUNS
    assert judge(make_variant("a/b", requirement("tracepoint:xfs:*")), make_facts()).status is Status.BLOCKED


def test_any_of_several_ways_is_enough() -> None:
    variant = make_variant("a/b", requirement("fentry:vfs_read", "kprobe:vfs_read"))
    assert judge(variant, make_facts(**NO_FENTRY)).status is Status.RUNS
    assert judge(variant, make_facts(**NO_KPROBES)).status is Status.RUNS
    both = make_facts(**NO_FENTRY, **NO_KPROBES)
    assert judge(variant, both).status is Status.BLOCKED
    assert "fentry programs are refused here (the kernel answers EPERM)" in reasons(variant, both)
    assert "no kprobes in this kernel (CONFIG_KPROBES is not set)" in reasons(variant, both)


def test_one_cause_is_said_once_with_what_lacks_it() -> None:
    names = ("vfs_create", "vfs_open", "vfs_fsync", "vfs_write")
    variant = make_variant("a/b", *(requirement(f"kprobe:{name}") for name in names))
    verdict = judge(variant, make_facts(**NO_KPROBES))
    assert len(verdict.reasons) == 1
    assert "; wanted: vfs_create, vfs_open, vfs_fsync and 1 more" in verdict.reasons[0].text


def test_without_something_that_is_not_essential_it_is_partial() -> None:
    variant = make_variant(
        "a/b", requirement("tracepoint:sched:sched_switch"), requirement("kprobe:gone", essential=False)
    )
    verdict = judge(variant, make_facts())
    assert (verdict.status, verdict.blind) == (Status.PARTIAL, False)
    assert verdict.reasons[-1].text == "its output would be incomplete"


def test_what_would_start_and_attach_nothing_never_runs() -> None:
    variant = make_variant("bpftrace/biolatency", *(requirement(f"kprobe:{n}", essential=False) for n in ("a", "b")))
    verdict = judge(variant, make_facts(**NO_KPROBES))
    assert (verdict.status, verdict.blind) == (Status.PARTIAL, True)
    assert "attach to no event" in verdict.reasons[-1].text


def test_what_cannot_be_known_is_unknown_and_says_why() -> None:
    facts = make_facts(tracepoints=Fact(unknown="tracefs is not mounted at /sys/kernel/tracing"))
    verdict = judge(make_variant("a/b", requirement("tracepoint:sched:sched_switch")), facts)
    assert verdict.status is Status.UNKNOWN
    assert "tracefs is not mounted" in verdict.reasons[0].text


def test_a_certain_block_outweighs_an_unknown() -> None:
    facts = make_facts(tracepoints=Fact(unknown="unreadable"), **NO_KPROBES)
    variant = make_variant("a/b", requirement("tracepoint:sched:sched_switch"), requirement("kprobe:vfs_read"))
    assert judge(variant, facts).status is Status.BLOCKED


def test_a_text_that_could_not_be_read_is_unknown() -> None:
    assert judge(make_variant("a/b", problem="line 3: no end of string"), make_facts()).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("capabilities", "may"),
    [
        (frozenset({"bpf", "perfmon"}), True),
        (frozenset({"sys_admin"}), True),
        (frozenset({"bpf"}), False),
        (frozenset(), False),
    ],
)
def test_capabilities_decide_who_may(capabilities: frozenset[str], may: bool) -> None:
    verdict = judge(make_variant(), make_facts(capabilities=capabilities))
    assert (verdict.status is Status.RUNS) == may
    if not may:
        assert "CAP_PERFMON" in verdict.reasons[0].text
        assert "root" in verdict.reasons[0].fix


def test_missing_rights_come_before_an_engine_that_needs_them() -> None:
    verdict = judge(make_variant(), make_facts(capabilities=frozenset(), engines=()))
    assert "CAP_BPF" in verdict.reasons[0].text


def test_a_container_without_bpf_is_told_how_to_get_it() -> None:
    facts = make_facts(bpf=Fact(value=False, origin="bpf(2) answers EPERM"))
    verdict = judge(make_variant(), facts)
    assert "bpf(2) answers EPERM" in verdict.reasons[0].text
    assert "--cap-add BPF" in verdict.reasons[0].fix


def test_a_missing_engine_is_the_first_thing_said() -> None:
    variant = make_variant("bcc/x", requirement("headers"), engine=Engine.BCC)
    facts = make_facts(engines=(), missing_engines={"bcc": "no Python here can import bcc"})
    assert reasons(variant, facts) == "no bcc engine: no Python here can import bcc"


@pytest.mark.parametrize(
    ("distribution", "release", "fix"),
    [
        ("debian", "6.1.0-18-amd64", "apt-get install -y linux-headers-6.1.0-18-amd64"),
        ("ubuntu", "6.8.0-45-generic", "apt-get install -y linux-headers-6.8.0-45-generic"),
        ("fedora", "6.11.4-301.fc41.x86_64", "dnf install -y kernel-devel-6.11.4-301.fc41.x86_64"),
        ("rhel", "5.14.0-427.el9.x86_64", "dnf install -y kernel-devel-5.14.0-427.el9.x86_64"),
    ],
)
def test_missing_headers_come_with_this_distributions_command(distribution: str, release: str, fix: str) -> None:
    facts = make_facts(headers=Fact(unknown="none"), distribution=distribution, release=release)
    verdict = judge(make_variant("bcc/x", requirement("headers"), engine=Engine.BCC), facts)
    assert verdict.reasons[0].text == f"no headers of kernel {release} here"
    assert verdict.reasons[0].fix == fix


def test_a_kernel_that_no_package_brought_has_no_package_of_headers() -> None:
    facts = make_facts(headers=Fact(unknown="none"), release="6.18.44-mine")
    verdict = judge(make_variant("bcc/x", requirement("headers"), engine=Engine.BCC), facts)
    assert "apt-get" not in verdict.reasons[0].fix
    assert "CONFIG_IKHEADERS" in verdict.reasons[0].fix


def test_an_older_engine_blocks_what_needs_a_newer_one() -> None:
    variant = make_variant("bpftrace/x", requirement("engine:bpftrace>=0.19"), engine=Engine.BPFTRACE)
    assert "it needs bpftrace 0.19 or newer; here is 0.17.0" in reasons(variant, make_facts())
    newer = (EngineFact(name=Engine.BPFTRACE, version="v0.23.2", argv=("/usr/bin/bpftrace",)),)
    assert judge(variant, make_facts(engines=newer)).status is Status.RUNS


def test_a_requirement_may_count_for_some_versions_of_the_engine_only() -> None:
    newest = make_facts(engines=(EngineFact(name=Engine.BPFTRACE, version="0.24.1", argv=("/usr/bin/bpftrace",)),))
    gone = requirement("kprobe:gone")
    later = msgspec.structs.replace(gone, since="0.24")
    earlier = msgspec.structs.replace(gone, until="0.24")
    for counting, facts, status in (
        (later, make_facts(), Status.RUNS),
        (later, newest, Status.BLOCKED),
        (earlier, make_facts(), Status.BLOCKED),
        (earlier, newest, Status.RUNS),
    ):
        assert judge(make_variant("bpftrace/x", counting, engine=Engine.BPFTRACE), facts).status is status


def test_an_engine_may_be_too_new() -> None:
    variant = make_variant("bpftrace/x", requirement("engine:bpftrace<0.25"), engine=Engine.BPFTRACE)
    newest = make_facts(engines=(EngineFact(name=Engine.BPFTRACE, version="0.25.0", argv=("/usr/bin/bpftrace",)),))
    assert judge(variant, make_facts()).status is Status.RUNS
    assert judge(variant, newest).status is Status.BLOCKED
    assert reasons(variant, newest) == "it is written for bpftrace before 0.25; here is 0.25.0"


def test_every_kind_of_need_is_decided() -> None:
    assert DECIDERS.keys() == set(NeedKind)


KINDS = {
    "xdp": Fact(value=True, origin="it loads"),
    "sched_cls": Fact(value=False, origin="EINVAL"),
    "kprobe.multi": Fact(value=False, origin="ENOTSUP"),
    "iter": Fact(value=True, origin="it loads"),
    "lsm": Fact(value=True, origin="it loads"),
    "raw_tp": Fact(value=True, origin="it loads"),
    "syscall": Fact[bool](unknown="nobody tried"),
}


@pytest.mark.parametrize(
    ("need", "status", "words"),
    [
        ("network:xdp.frags", Status.RUNS, ""),
        ("network:tc", Status.BLOCKED, "this kernel takes no sched_cls programs (EINVAL)"),
        ("attach:kretprobe.multi/vfs_*", Status.BLOCKED, "this kernel takes no kprobe.multi programs (ENOTSUP)"),
        ("attach:syscall", Status.UNKNOWN, "nobody tried"),
        ("attach:flying/x", Status.UNKNOWN, "it is not known whether this kernel takes flying programs"),
        ("attach:watchpoint", Status.BLOCKED, "no hardware breakpoints here"),
        ("attach:freplace/x", Status.RUNS, ""),
        ("iter:task", Status.RUNS, ""),
        ("iter:cake", Status.BLOCKED, "no iterator cake (BTF has no bpf_iter_cake)"),
        ("lsm:file_open", Status.RUNS, ""),
        ("lsm:file_close", Status.BLOCKED, "no LSM hook file_close"),
        ("struct_ops:tcp", Status.UNKNOWN, "struct_ops"),
        ("raw_tracepoint:sched_switch", Status.RUNS, ""),
    ],
)
def test_a_kind_of_program_is_one_that_the_kernel_takes(need: str, status: Status, words: str) -> None:
    functions = Fact(value=frozenset({"bpf_iter_task", "bpf_lsm_file_open"}))
    facts = make_facts(program_kinds=KINDS, btf_functions=functions)
    verdict = judge(make_variant("x/x", requirement(need)), facts)
    assert verdict.status is status
    assert words in "".join(reason.text for reason in verdict.reasons)


def test_a_helper_that_is_listed_but_not_compiled_in_is_missing() -> None:
    variant = make_variant("bcc/inject", requirement("helper:bpf_override_return"))
    facts = make_facts(features=Fact(value=frozenset({"helper:bpf_override_return"})))
    assert "CONFIG_BPF_KPROBE_OVERRIDE is not set" in reasons(variant, facts)
    with_it = msgspec.structs.replace(facts, config=Fact(value={"CONFIG_BPF_KPROBE_OVERRIDE": "y"}))
    assert judge(variant, with_it).status is Status.RUNS


def test_raw_tracepoints_that_the_kernel_refuses_block() -> None:
    facts = make_facts(program_kinds={"raw_tp": Fact(value=False, origin="EINVAL")})
    assert "takes no raw_tp" in reasons(make_variant("x/x", requirement("raw_tracepoint:sched_switch")), facts)


@pytest.mark.parametrize(
    ("counters", "need", "status"),
    [
        (Fact(value=frozenset({"cpu-cycles"})), "perf_event:hardware:cycles", Status.RUNS),
        (Fact(value=frozenset({"cpu-cycles"})), "perf_event:hardware:cache-misses", Status.BLOCKED),
        (Fact(value=frozenset[str]()), "perf_event:hardware:cpu-cycles", Status.BLOCKED),
        (Fact[frozenset[str]](unknown="not tried"), "perf_event:hardware:cache-misses", Status.RUNS),
        (Fact(value=frozenset[str]()), "perf_event:software:cpu-clock", Status.RUNS),
    ],
)
def test_a_counter_is_one_that_opens_or_else_one_whose_pmu_is_listed(
    counters: Fact[frozenset[str]], need: str, status: Status
) -> None:
    assert judge(make_variant("x/x", requirement(need)), make_facts(counters=counters)).status is status


@pytest.mark.parametrize(
    ("need", "fix"),
    [
        ("kprobe:xfs_file_read_iter", "modprobe xfs"),
        ("kprobe:ext4_gone", OTHER_RELEASE),
        ("kprobe:gone", OTHER_RELEASE),
        ("fentry:__xfs_gone", "modprobe xfs"),
        ("tracepoint:kvm:kvm_exit", "modprobe kvm"),
    ],
)
def test_a_module_that_could_be_loaded_is_named(need: str, fix: str) -> None:
    facts = make_facts(modules=Fact(value=frozenset({"xfs", "ext4", "kvm"})), loaded=Fact(value=frozenset({"ext4"})))
    verdict = judge(make_variant("x/x", requirement(need)), facts)
    assert [reason.fix for reason in verdict.reasons] == [fix]


def test_what_no_version_of_its_engine_takes_is_blocked() -> None:
    plain = make_variant("bpftrace/x", engine=Engine.BPFTRACE)
    faulty = msgspec.structs.replace(plain, analysis=Analysis(fault="there is no function f()"))
    assert judge(faulty, make_facts()).status is Status.BLOCKED
    assert reasons(faulty, make_facts()) == "no bpftrace takes it: there is no function f()"


def test_a_field_must_be_in_every_tracepoint_that_a_wildcard_matches() -> None:
    formats = Fact(frozenset({"sched:sched_switch.prev_pid", "sched:sched_switch.comm", "sched:sched_wakeup.comm"}))
    facts = make_facts(formats=formats)
    for field, status in (("comm", Status.RUNS), ("prev_pid", Status.BLOCKED)):
        assert (
            judge(make_variant("a/b", requirement(f"tracepoint_field:sched:sched_*.{field}")), facts).status is status
        )
    missing = make_variant("a/b", requirement("tracepoint_field:sched:sched_*.prev_pid"))
    assert reasons(missing, facts) == "the tracepoint sched:sched_wakeup has no field prev_pid"
    absent = make_variant("a/b", requirement("tracepoint_field:gone:gone.x"))
    assert judge(absent, facts).status is Status.RUNS


@pytest.mark.parametrize(
    ("missing", "changes", "text", "fix"),
    [
        ("uprobe:libc:gone", {}, "there is no function gone in libc to trace", "bpftrace -l 'uprobe:FILE:*'"),
        ("usdt:/bin/x:prov:probe", {}, "there is no USDT probe prov:probe in /bin/x", "bpftrace -l 'usdt:FILE:*'"),
        ("program:mysqld", {}, "there is no program or library mysqld", "install it"),
        ("user_header:sys/socket.h", {}, "there is no header sys/socket.h", "apt-get install -y libc6-dev"),
        ("user_header:sys/socket.h", {"distribution": "fedora"}, "there is no header", "dnf install -y glibc-devel"),
        ("kprobe:vfs_read", NO_KPROBES, "no kprobes in this kernel", "CONFIG_KPROBES=y"),
        (
            "struct_field:request.gone",
            {"fields": Fact(frozenset({"request"}))},
            "request has no member gone",
            "another",
        ),
    ],
)
def test_a_reason_says_what_would_mend_it(missing: str, changes: dict[str, object], text: str, fix: str) -> None:
    facts = make_facts(**{"looked": {missing: False}, **changes})
    (reason,) = judge(make_variant("a/b", requirement(missing)), facts).reasons
    assert text in reason.text
    assert fix in reason.fix
    assert "wanted" not in reason.text or missing.startswith("kprobe")


def test_a_raw_tracepoint_may_be_a_wildcard() -> None:
    assert judge(make_variant("a/b", requirement("raw_tracepoint:sched_*")), make_facts()).status is Status.RUNS
    assert judge(make_variant("a/b", requirement("raw_tracepoint:gone_*")), make_facts()).status is Status.BLOCKED


def test_a_tool_of_a_newer_release_is_not_for_an_older_engine() -> None:
    plain = make_variant("bpftrace/x", engine=Engine.BPFTRACE)
    newer = msgspec.structs.replace(plain, found=msgspec.structs.replace(plain.found, made_for="bpftrace>=0.26.1"))
    assert "it is part of bpftrace 0.26.1, newer than the engine here (0.17.0)" in reasons(newer, make_facts())
    fitting = msgspec.structs.replace(plain, found=msgspec.structs.replace(plain.found, made_for="bpftrace>=0.17.0"))
    assert judge(fitting, make_facts()).status is Status.RUNS


def test_data_symbols_need_kallsyms_all() -> None:
    variant = make_variant("a/b", requirement("kernel_symbol:avenrun"))
    assert judge(variant, make_facts()).status is Status.RUNS
    facts = make_facts(symbols=Fact(unknown="x"), config=Fact(value={"CONFIG_KALLSYMS_ALL": "n"}))
    assert "CONFIG_KALLSYMS_ALL is not set" in reasons(variant, facts)


def test_hardware_events_need_a_pmu() -> None:
    variant = make_variant("a/b", requirement("perf_event:hardware:cache-misses"))
    assert judge(variant, make_facts()).status is Status.RUNS
    assert "no hardware counters" in reasons(variant, make_facts(pmus=Fact(value=frozenset({"software"}))))


def test_a_file_that_others_can_write_is_blocked() -> None:
    verdict = judge(make_variant(distrust="/usr/sbin/x can be written by others"), make_facts())
    assert verdict.status is Status.BLOCKED
    assert "can be written by others" in verdict.reasons[0].text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("v0.17.0", (0, 17, 0)),
        ("0.26.0+ds-1", (0, 26, 0)),
        ("0.23.2-dirty", (0, 23, 2)),
        ("", ()),
        ("master", ()),
        ("¹.2", ()),
    ],
)
def test_versions_are_read_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == numbers


# --- What C texts read --------------------------------------------------------------------------------------------

FIELDS = {
    "fields": Fact(
        value=frozenset({"request", "request.q", "btf_trace_begin", "btf_trace_begin.arg0", "btf_trace_pelt_cfs_tp"})
    )
}


@pytest.mark.parametrize(
    ("need", "cause"),
    [
        ("header_field:request.q", ""),
        ("header_field:request.rq_disk", "this kernel's request has no member rq_disk, so its C text does not compile"),
        ("header_field:mddev.queue", ""),  # of a module, or of no code: headers may have it all the same
        ("struct_field:mddev.queue", "this kernel has no type mddev"),
        ("tracepoint_field:begin.arg0", ""),
        (
            "tracepoint_field:begin.arg4",
            "the tracepoint begin has no arg4 (counted from 0) in this kernel, which refuses to attach there",
        ),
        ("tracepoint_field:other.arg4", ""),  # the need of the tracepoint itself says what follows
        ("raw_tracepoint:pelt_cfs_tp", ""),
    ],
)
def test_members_and_arguments(need: str, cause: str) -> None:
    variant = make_variant("bcc/x", requirement(need))
    assert reasons(variant, make_facts(**FIELDS)) == cause
    assert judge(variant, make_facts(**FIELDS)).status is (Status.BLOCKED if cause else Status.RUNS)


def test_a_program_of_which_the_probes_are_chosen_at_run_time() -> None:
    variant = make_variant("bcc/pythonstat", requirement("usdt:python", essential=False))
    missing = make_facts(looked={"usdt:python": False})
    verdict = judge(variant, missing)
    assert (verdict.status, verdict.blind) == (Status.PARTIAL, True)
    assert verdict.reasons[0].text == "there is no program or library python"
    assert judge(variant, make_facts(looked={"usdt:python": True})).status is Status.RUNS


def test_a_function_in_a_program_that_is_chosen_at_run_time() -> None:
    variant = make_variant("bcc/deadlock", requirement("uprobe::pthread_mutex_lock"))
    verdict = judge(variant, make_facts())
    assert verdict.status is Status.UNKNOWN
    assert "function pthread_mutex_lock in what its arguments choose" in verdict.reasons[0].text
    assert "bpftrace -l" in verdict.reasons[0].fix
    assert find_outside((variant, make_variant("bcc/x", requirement("platform:x86_64")))) == ()


def test_what_is_for_other_machines() -> None:
    variant = make_variant("bcc/x", requirement("platform:aarch64", "platform:s390x"))
    assert (
        reasons(variant, make_facts())
        == "it is for aarch64, and this is x86_64; and it is for s390x, and this is x86_64"
    )
    assert judge(make_variant("bcc/x", requirement("platform:x86_64")), make_facts()).status is Status.RUNS
    maker = make_variant("bcc/x", requirement("platform:GenuineIntel"))
    assert judge(maker, make_facts()).status is Status.UNKNOWN
    assert judge(maker, make_facts(looked={"platform:GenuineIntel": True})).status is Status.RUNS


@pytest.mark.parametrize(("name", "family"), [("kprobe_events", "kprobes"), ("uprobe_events", "uprobes")])
def test_files_that_tracefs_has_only_with_what_they_are_for(name: str, family: str) -> None:
    variant = make_variant("bcc/bpflist", requirement(f"file:/sys/kernel/debug/tracing/{name}", essential=False))
    assert judge(variant, make_facts()).status is Status.RUNS
    without = judge(variant, make_facts(**{family: Fact(value=False, origin="by trial")}))
    assert without.status is Status.PARTIAL
    assert without.reasons[0].text == f"there is no file /sys/kernel/debug/tracing/{name}"
    unknown = make_facts(**{family: Fact(unknown="not root")})
    assert judge(variant, unknown).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("distribution", "fix"),
    [
        ("debian", "apt-get install -y python3-pyelftools"),
        ("fedora", "dnf install -y python3-pyelftools"),
        ("nixos", ""),
    ],
)
def test_a_python_module_comes_in_a_package(distribution: str, fix: str) -> None:
    variant = make_variant("bcc/bashreadline", requirement("python_module:elftools"))
    facts = make_facts(distribution=distribution, looked={"python_module:elftools": False})
    (reason,) = judge(variant, facts).reasons
    assert (reason.text, reason.fix) == ("there is no Python module elftools", fix)


def test_what_draws_on_a_terminal_cannot_be_recorded() -> None:
    verdict = judge(make_variant("bcc/x", requirement("terminal")), make_facts())
    assert verdict.status is Status.BLOCKED
    assert "start its file by itself" in verdict.reasons[0].fix


def test_of_two_ways_the_fix_that_does_something_is_told() -> None:
    variant = make_variant("a/b", requirement("fentry:vfs_read", "kprobe:vfs_read"))
    complete = {"FUNCTION_TRACER": "y", "DYNAMIC_FTRACE_WITH_DIRECT_CALLS": "y", "DEBUG_INFO_BTF": "y", "KPROBES": "n"}
    config = Fact(value={f"CONFIG_{name}": value for name, value in complete.items()})
    facts = make_facts(**{**NO_KPROBES, **NO_FENTRY, "config": config})
    assert [reason.fix for reason in judge(variant, facts).reasons] == [KPROBES_FIX]
    alone = make_variant("a/b", requirement("fentry:vfs_read"))
    assert [reason.fix for reason in judge(alone, facts).reasons] == [FORBIDDEN_FIX]


def test_of_a_program_that_is_not_there_no_function_is_missed() -> None:
    variant = make_variant("a/b", requirement("program:/opt/x"), requirement("uprobe:/opt/x:f"))
    facts = make_facts(looked={"program:/opt/x": False, "uprobe:/opt/x:f": False})
    assert reasons(variant, facts) == "there is no program or library /opt/x"


@pytest.mark.parametrize(
    "need",
    [
        *("tracepoint:a:b", "raw_tracepoint:a_b", "kprobe:gone", "fentry:gone", "kernel_symbol:gone", "platform:Intel"),
        *("perf_event:hardware:cache-misses", "file:/sys/devices/x", "file:/sys/kernel/tracing/kprobe_events"),
        *(
            "user_header:/x/variables.h",
            "uprobe:libc:f",
            "program:x",
            "helper:bpf_override_return",
            "config:CONFIG_NUMA",
        ),
    ],
)
def test_every_reason_says_what_helps(need: str) -> None:
    looked = dict.fromkeys((need, "platform:Intel"), False)
    facts = make_facts(
        looked=looked,
        kprobes=Fact(value=False) if "kprobe_events" in need else Fact(value=True),
        counters=Fact(value=frozenset[str]()),
        config=Fact(value={"CONFIG_KALLSYMS_ALL": "y"}),
    )
    verdict = judge(make_variant("a/b", requirement(need)), facts)
    assert verdict.status is Status.BLOCKED
    assert [reason for reason in verdict.reasons if not reason.fix] == []
