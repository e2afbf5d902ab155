"""Waiting for what a test needs to be so, however slow the machine is meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from toolkit.host import bpf
from toolkit.launch.held import read_process

PATIENCE = 30  # seconds; a test that waits in vain has failed


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Ask until it is so; gives whether it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def wait_until_attached(pid: int, event: str) -> None:
    """Wait until a process has a program attached to this: "tracepoint sched_switch"."""
    assert wait_until(lambda: event in {one.text for one in read_process(pid).attached}), f"{pid}: no {event}"


def wait_for_events(pid: int, event: str, least: int = 1) -> None:
    """Wait until the program that a process attached to this has run so often."""

    def count() -> int:
        held = read_process(pid)
        programs = {one.program for one in held.attached if one.text == event}
        return sum(held.programs[one].run_count for one in programs & held.programs.keys())

    statistics = bpf.enable_stats()
    try:
        assert wait_until(lambda: count() >= least), f"{pid}: {count()} of {event}"
    finally:
        os.close(statistics)
