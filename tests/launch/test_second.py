"""The second process: it answers, says nothing when it cannot, and is gone with whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from tests.conftest import ROOT
from tests.launch.test_workload import lives
from tests.support.waiting import wait_until
from toolkit.launch.second import Second, second_process


def tell_half() -> None:
    """Say that 100 bytes follow, write 4 and die, as a process that the kernel ends for want of memory."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # of the two pipes one is for reading
            os.write(int(name), (100).to_bytes(8) + b"half")
    os._exit(3)


def answer(question: bytes) -> bytes:
    if question == b"who":
        return str(os.getpid()).encode()
    if question == b"fail":
        raise ValueError
    if question == b"die":
        os._exit(3)
    if question == b"half":
        tell_half()
    return question * 1000


def ask_who(second: Second | None) -> int:
    assert second is not None
    return int(second.ask(b"who") or b"0")


def test_another_process_answers_and_is_gone_afterwards() -> None:
    with second_process(answer) as second:
        pid = ask_who(second)
        assert pid != os.getpid()
        assert second is not None
        large = bytes(1 << 14)
        assert second.ask(large) == large * 1000
    assert not lives(pid)


def test_what_fails_is_no_answer_and_the_next_question_has_one() -> None:
    with second_process(answer) as second:
        assert second is not None
        assert second.ask(b"fail") is None
        assert ask_who(second)


def test_one_that_died_answers_nothing_any_more() -> None:
    with second_process(answer) as second:
        assert second is not None
        assert second.ask(b"die") is None
        assert second.ask(b"who") is None


def test_half_an_answer_is_none() -> None:
    with second_process(answer) as second:
        assert second is not None
        assert second.ask(b"half") is None


def test_it_ends_while_a_thread_still_waits_to_ask() -> None:
    with second_process(answer) as second:
        pid = ask_who(second)
        asked = threading.Event()
        waiting = threading.Thread(target=lambda: asked.wait() and second and second.ask(b"who"))
        waiting.start()
    assert not lives(pid)
    asked.set()
    waiting.join()


def test_an_error_in_the_block_ends_it_too() -> None:
    pid = 0
    with pytest.raises(KeyError), second_process(answer) as second:  # noqa: PT012
        pid = ask_who(second)
        raise KeyError
    assert pid
    assert not lives(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_signals_to_the_first(number: signal.Signals) -> None:
    with second_process(answer) as second:
        pid = ask_who(second)
        os.kill(pid, number)
        assert ask_who(second) == pid


@pytest.mark.parametrize("at_work", [False, True])
def test_it_dies_with_the_process_that_asks(at_work: bool) -> None:
    code = (
        "import os, sys, threading, time\n"
        "from toolkit.launch.second import second_process\n"
        "def answer(asked): return str(os.getpid()).encode() if asked == b'who' else time.sleep(60)\n"
        "with second_process(answer) as second:\n"
        "    print(second.ask(b'who').decode(), flush=True)\n"
        "    second.ask(b'work') if sys.argv[1] == 'True' else time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", code, str(at_work)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        pid = int(asker.stdout.readline())
        assert lives(pid)
        asker.kill()
    assert wait_until(lambda: not lives(pid))
