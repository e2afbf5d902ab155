"""What the configuration of a kernel says: options that a variant asks for, and what only an option decides."""

from __future__ import annotations

import pytest

from tests.support.samples import make_facts, make_variant, requirement
from toolkit.compat import judge
from toolkit.mending import OTHER_RELEASE
from toolkit.model import Fact, Facts, Reason, Status


def configured(**options: str) -> Facts:
    return make_facts(config=Fact(value={f"CONFIG_{name}": value for name, value in options.items()}))


def only_reason(need: str, facts: Facts) -> Reason:
    (reason,) = judge(make_variant("a/b", requirement(need)), facts).reasons
    return reason


@pytest.mark.parametrize("value", ["y", "m", "1000"])
def test_an_option_that_is_set_is_met(value: str) -> None:
    variant = make_variant("a/b", requirement("config:CONFIG_HZ"))
    assert judge(variant, configured(HZ=value)).status is Status.RUNS


@pytest.mark.parametrize("facts", [configured(NUMA="n"), configured()])
def test_an_option_that_is_not_set_blocks_and_says_what_to_set(facts: Facts) -> None:
    reason = only_reason("config:CONFIG_NUMA", facts)
    assert reason.text == "CONFIG_NUMA is not set in this kernel"
    assert reason.fix == "boot a kernel with CONFIG_NUMA=y"


def test_of_an_option_that_is_not_read_and_of_no_config_nothing_is_known() -> None:
    variant = make_variant("a/b", requirement("config:CONFIG_OF_MINE"))
    assert judge(variant, configured()).status is Status.UNKNOWN
    without = make_facts(config=Fact(unknown="there is no kernel config"))
    assert judge(variant, without).status is Status.UNKNOWN
    assert "there is no kernel config" in only_reason("config:CONFIG_NUMA", without).text


def test_a_tracepoint_or_function_that_only_an_option_puts_there_names_it() -> None:
    event = only_reason("tracepoint:preemptirq:irq_disable", configured())
    assert (
        event.text == "this kernel has no tracepoint preemptirq:irq_disable (CONFIG_PREEMPTIRQ_TRACEPOINTS is not set)"
    )
    assert event.fix == "boot a kernel with CONFIG_PREEMPTIRQ_TRACEPOINTS=y"
    function = only_reason("kprobe:xfs_file_open", configured(XFS_FS="n"))
    assert function.fix == "boot a kernel with CONFIG_XFS_FS=y"
    assert only_reason("kprobe:xfs_file_open", configured(XFS_FS="m")).fix == OTHER_RELEASE
    assert only_reason("kprobe:vfs_nothing", configured()).fix == OTHER_RELEASE


def test_a_module_that_can_be_loaded_goes_before_the_option() -> None:
    facts = make_facts(modules=Fact(value=frozenset({"xfs"})), loaded=Fact(value=frozenset()))
    assert only_reason("kprobe:xfs_file_open", facts).fix == "modprobe xfs"


def test_a_helper_that_an_option_compiles_in() -> None:
    reason = only_reason("helper:bpf_override_return", configured(BPF_KPROBE_OVERRIDE="n"))
    assert reason.text == "this kernel has no helper bpf_override_return (CONFIG_BPF_KPROBE_OVERRIDE is not set)"
    assert reason.fix == "boot a kernel with CONFIG_BPF_KPROBE_OVERRIDE=y"


def test_a_data_symbol_is_missing_for_want_of_the_option_or_of_the_symbol() -> None:
    symbols = Fact(value=frozenset({"jiffies"}))
    unset = make_facts(symbols=symbols, config=Fact(value={"CONFIG_KALLSYMS_ALL": "n"}))
    assert (
        only_reason("kernel_symbol:avenrun", unset).text == "kallsyms has no avenrun (CONFIG_KALLSYMS_ALL is not set)"
    )
    assert only_reason("kernel_symbol:avenrun", unset).fix == "boot a kernel with CONFIG_KALLSYMS_ALL=y"
    every = make_facts(symbols=symbols, config=Fact(value={"CONFIG_KALLSYMS_ALL": "y"}))
    assert only_reason("kernel_symbol:avenrun", every).text == "kallsyms has no avenrun"


def test_refused_fentry_says_what_is_not_set_or_that_nothing_is() -> None:
    refused = Fact(value=False, origin="EPERM")
    everything = {"FUNCTION_TRACER": "y", "DYNAMIC_FTRACE_WITH_DIRECT_CALLS": "y", "DEBUG_INFO_BTF": "y"}
    config = Fact(value={f"CONFIG_{name}": value for name, value in everything.items()})
    assert "take a variant that needs none" in only_reason("fentry:f", make_facts(fentry=refused, config=config)).fix
    without = Fact(value={"CONFIG_FUNCTION_TRACER": "y"})
    reason = only_reason("fentry:f", make_facts(fentry=refused, config=without))
    assert reason.fix == "boot a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y"
