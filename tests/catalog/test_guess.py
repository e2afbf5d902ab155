"""A tool that nobody curated gets the category that its probes speak of."""

from __future__ import annotations

import pytest

from tests.support.samples import need
from toolkit.catalog.guess import guess_category


@pytest.mark.parametrize(
    ("probes", "category"),
    [
        (("tracepoint:block:block_rq_issue",), "disk"),
        (("kprobe:tcp_connect", "kprobe:tcp_close", "kprobe:vfs_read"), "net"),
        (("tracepoint:syscalls:sys_enter_openat",), "fs"),
        (("tp_btf:sched_switch",), "cpu"),
        (("fentry:cap_capable",), "security"),
        (("usdt:/usr/bin/node:gc__start",), "lang"),
        (("kprobe:some_driver_function",), "multi"),
        ((), "multi"),
    ],
)
def test_probes_decide(probes: tuple[str, ...], category: str) -> None:
    assert guess_category(tuple(map(need, probes))) == category
