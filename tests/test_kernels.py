"""What is advised where a kernel lacks a helper, a type of maps or a kind of programs."""

from __future__ import annotations

import pytest

from tests.support.samples import make_facts, need
from toolkit.answers import answer_need
from toolkit.kernels import HELPERS, KINDS
from toolkit.mending import FORBIDDEN_FIX
from toolkit.model import Fact


@pytest.mark.parametrize(
    ("name", "release", "fix"),
    [
        ("map_type:ringbuf", "5.4.0-26-generic", "boot Linux 5.8 or newer"),
        ("helper:bpf_get_func_ip", "5.10.0", "boot Linux 5.15 or newer"),
        ("helper:bpf_get_func_ip", "6.1.0", FORBIDDEN_FIX),  # it is new enough, and does not have it
        ("network:netfilter", "6.1.0", "boot Linux 6.4 or newer"),
        ("lsm", "6.1.0", "lsm="),
        ("iter:task", "6.1.0", FORBIDDEN_FIX),
    ],
)
def test_what_a_kernel_is_too_old_for_comes_with_a_release(name: str, release: str, fix: str) -> None:
    kinds = {name: Fact(value=False, origin="EPERM") for name in KINDS}
    features, config = Fact(value=frozenset[str]()), Fact[dict[str, str]](unknown="it was not read")
    facts = make_facts(release=release, features=features, config=config, program_kinds=kinds)
    assert fix in answer_need(need(name), facts).fix


def test_a_kind_of_programs_that_is_compiled_out_names_the_option() -> None:
    kinds = {"lsm": Fact(value=False, origin="EINVAL"), "netfilter": Fact(value=False, origin="EINVAL")}
    config = Fact(value={"CONFIG_BPF_LSM": "n", "CONFIG_NETFILTER_BPF_LINK": "n"})
    facts = make_facts(release="6.18.0", program_kinds=kinds, config=config)
    assert answer_need(need("lsm:file_open"), facts).fix == "boot a kernel with CONFIG_BPF_LSM=y"
    assert answer_need(need("network:netfilter"), facts).fix == "boot a kernel with CONFIG_NETFILTER_BPF_LINK=y"


def test_helpers_have_the_numbers_of_the_kernels_interface() -> None:
    """Some of enum bpf_func_id, the last one among them."""
    assert {HELPERS[130], HELPERS[173], HELPERS[211]} == {
        "bpf_ringbuf_output",
        "bpf_get_func_ip",
        "bpf_cgrp_storage_delete",
    }
