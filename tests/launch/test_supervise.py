"""Real processes under real limits: whatever a tool does, it ends in time, its output is kept, nothing is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.plans import fake_tool, plan_for
from tests.support.processes import find_marked
from tests.support.waiting import PATIENCE, wait_until
from toolkit.launch.keeper import PIPE, keep
from toolkit.launch.meter import Meter
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.processes import KEEPER
from toolkit.launch.supervise import CHUNK, LAST_WORDS, MOST_WAITING, Sinks, exit_status, supervise, watch
from toolkit.runs import Cost, Outcome, Plan, Result

DRIVER = Path(__file__).parent.parent / "support" / "launch.py"


class Collected:
    """What a run printed."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""
        self.costs: list[Cost] = []

    def sinks(self, keep_reading: bool = True) -> Sinks:
        def take(data: bytes) -> str:
            self.stdout += data
            return "" if keep_reading else "nobody reads it"

        def take_error(data: bytes) -> str:
            self.stderr += data
            return ""

        return Sinks(stdout=take, stderr=take_error, cost=self.costs.append)


def run(
    plan: Plan, *, keep_reading: bool = True, enough: Callable[[Collected], bool] = lambda _: False
) -> tuple[Result, Collected]:
    """Run a plan to its end, or until enough of it was seen: then it is ended as if its time were over."""
    collected = Collected()
    sinks = replace(collected.sinks(keep_reading), enough=lambda _: enough(collected))
    return supervise(plan, sinks), collected


@pytest.fixture
def mark() -> str:
    return f"mark-{secrets.token_hex(6)}"


def test_a_tool_that_ends_by_itself_gives_its_own_status() -> None:
    result, collected = run(plan_for(sys.executable, "-c", "print('hello'); raise SystemExit(3)"))
    assert (result.outcome, result.status, result.tool_status) == (Outcome.ENDED, 3, 3)
    assert collected.stdout == b"hello\n"


def test_it_is_started_where_the_plan_says(tmp_path: Path) -> None:
    result, collected = run(replace(plan_for("/bin/sh", "-c", "pwd"), folder=str(tmp_path)))
    assert (result.status, collected.stdout.strip()) == (0, bytes(tmp_path))


def test_a_tool_that_a_signal_ends_gives_128_and_its_number() -> None:
    result, _ = run(plan_for(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert (result.status, result.tool_status) == (128 + 11, -11)


def test_every_byte_passes_as_it_is() -> None:
    result, collected = run(plan_for(*fake_tool("binary")))
    assert collected.stdout == bytes(range(256)) * 4 + b"no newline at the end"
    assert collected.stderr == b"\xff\xfe on stderr"
    assert (result.stdout_bytes, result.dropped_bytes) == (len(collected.stdout), 0)


def test_at_the_deadline_it_may_print_its_map() -> None:
    result, collected = run(plan_for(*fake_tool("polite"), deadline=0.5))
    assert collected.stdout == b"tracing\nthe map\n"
    assert (result.outcome, result.status) == (Outcome.LIMIT, 124)
    assert "0.5 s" in result.detail


def test_reaching_the_time_that_was_asked_for_is_success() -> None:
    result, collected = run(plan_for(*fake_tool("polite"), deadline=0.5, asked=True))
    assert (result.outcome, result.status) == (Outcome.DURATION, 0)
    assert collected.stdout.endswith(b"the map\n")


@pytest.mark.parametrize(("words", "ended_by", "at_least"), [((), 15, 0.5 + 0.3), (("term",), 9, 0.5 + 0.3 + 2)])
def test_one_that_ignores_signals_is_ended_by_harder_ones(
    words: tuple[str, ...], ended_by: int, at_least: float
) -> None:
    result, _ = run(plan_for(*fake_tool("deaf", *words), deadline=0.5, grace=0.3))
    assert (result.tool_status, result.status) == (-ended_by, 124)
    assert result.seconds >= at_least


def test_one_that_floods_is_stopped_at_its_cap_and_has_last_words() -> None:
    cap = 1 << 20
    result, collected = run(plan_for(*fake_tool("flood"), output_bytes=cap, grace=5))
    assert (result.outcome, result.status) == (Outcome.LIMIT, 124)
    assert "more than 1 MiB on stdout" in result.detail
    assert cap < len(collected.stdout) <= cap + LAST_WORDS
    assert result.stdout_bytes == len(collected.stdout) + result.dropped_bytes
    assert collected.stdout.endswith(b"last words\n")


def test_one_that_prints_line_by_line_is_read_in_larger_pieces() -> None:
    pieces: list[bytes] = []

    def take(data: bytes) -> str:
        pieces.append(data)
        return ""

    code = "import os\nfor at in range(50_000): os.write(1, b'%d\\n' % at)"
    supervise(plan_for(sys.executable, "-c", code), Sinks(stdout=take, stderr=take, cost=lambda _: None))
    assert b"".join(pieces) == b"".join(b"%d\n" % at for at in range(50_000))
    assert len(pieces) < 5_000


def test_one_whose_output_nobody_reads_any_more_is_stopped() -> None:
    result, _ = run(plan_for(*fake_tool("polite")), keep_reading=False)
    assert (result.outcome, result.status) == (Outcome.OUTPUT_CLOSED, 141)


def test_a_reader_that_reads_nothing_for_now_does_not_hold_the_meter_and_gets_all_that_is_recorded() -> None:
    reading, writing = os.pipe()
    outgoing, recorded, costs = Outgoing(), bytearray(), list[Cost]()

    def take(data: bytes) -> str:
        recorded.extend(data)
        return outgoing.put(writing, data)

    sinks = Sinks(stdout=take, stderr=take, cost=costs.append, enough=lambda _: len(costs) > 5, outgoing=outgoing)
    result = supervise(plan_for(*fake_tool("flood"), output_bytes=1 << 30), sinks)
    assert result.outcome is Outcome.DURATION
    assert len(costs) > 5
    assert MOST_WAITING <= outgoing.waiting <= MOST_WAITING + LAST_WORDS + 2 * PIPE + CHUNK
    assert recorded.endswith(b"last words\n")
    got = bytearray()
    reader = threading.Thread(target=lambda: read_to_end(reading, got))
    reader.start()
    assert outgoing.drain() == ""
    outgoing.close()
    os.close(writing)
    reader.join()
    assert got == recorded


def read_to_end(descriptor: int, got: bytearray) -> None:
    with open(descriptor, "rb") as file:
        while data := file.read1(1 << 16):
            got.extend(data)


def test_one_that_is_held_by_its_reader_goes_on_when_that_reads() -> None:
    reading, writing = os.pipe()
    outgoing, got, size = Outgoing(), bytearray(), MOST_WAITING + (8 << 20)

    def enough(cost: Cost) -> bool:
        if cost.time > 0.2 and not reader.is_alive() and not got:
            reader.start()
        return False

    reader = threading.Thread(target=lambda: read_to_end(reading, got))
    sinks = Sinks(
        stdout=lambda data: outgoing.put(writing, data),
        stderr=lambda _: "",
        cost=lambda _: None,
        enough=enough,
        outgoing=outgoing,
    )
    code = f"import sys; sys.stdout.write('x' * {size})"
    result = supervise(plan_for(sys.executable, "-c", code, output_bytes=1 << 30), sinks)
    assert (result.outcome, result.stdout_bytes) == (Outcome.ENDED, size)
    assert outgoing.drain() == ""
    outgoing.close()
    os.close(writing)
    reader.join()
    assert len(got) == size


def test_what_comes_after_the_reader_left_is_kept_all_the_same() -> None:
    result, collected = run(plan_for(*fake_tool("polite")), keep_reading=False)
    assert result.outcome is Outcome.OUTPUT_CLOSED
    assert collected.stdout == b"tracing\nthe map\n"


def test_a_flood_on_stderr_is_one_too() -> None:
    code = "import os\nwhile True: os.write(2, b'x' * 4096)"
    result, collected = run(plan_for(sys.executable, "-c", code, output_bytes=1 << 20))
    assert (result.outcome, result.status) == (Outcome.LIMIT, 124)
    assert len(collected.stderr) <= (1 << 20) + LAST_WORDS


@pytest.mark.parametrize("kind", ["child", "daemon", "many"])
def test_nothing_that_it_forked_is_left(kind: str, mark: str) -> None:
    run(plan_for(*fake_tool("forks", kind, mark)), enough=lambda collected: b"started" in collected.stdout)
    assert find_marked(mark) == []


def test_it_has_no_terminal_and_nothing_to_read() -> None:
    code = "import sys, os; print(repr(sys.stdin.read()), os.getsid(0) != os.getppid() or 'own session')"
    _, collected = run(plan_for(sys.executable, "-c", code))
    assert collected.stdout == b"'' own session\n"


def test_a_program_that_is_not_there_is_our_failure() -> None:
    result, _ = run(plan_for("/nonexistent/tool"))
    assert (result.outcome, result.status) == (Outcome.FAILED, 125)
    assert "No such file" in result.detail


def test_it_leaves_no_descriptor_and_no_child_of_ours() -> None:
    run(plan_for("/bin/true"))
    before = os.listdir("/proc/self/fd")
    run(plan_for("/bin/true"))
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_pause_is_told_and_may_find_that_nobody_reads_any_more() -> None:
    collected = Collected()
    sinks = replace(collected.sinks(), pause=lambda: "nobody reads it")
    result = supervise(plan_for(sys.executable, "-c", "import time; time.sleep(30)"), sinks)
    assert (result.outcome, result.detail) == (Outcome.OUTPUT_CLOSED, "nobody reads it")


def test_a_signal_before_anybody_watches_is_not_lost() -> None:
    with keep(plan_for(sys.executable, "-c", "import time; time.sleep(30)")) as kept:
        signal.raise_signal(signal.SIGTERM)  # in this thread: those of a test runner do not block it
        result = watch(kept, Collected().sinks(), Meter())
    assert (result.outcome, result.status) == (Outcome.INTERRUPTED, 128 + signal.SIGTERM)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_signal_after_the_end_waits_until_the_result_is_kept() -> None:
    kept_result = False
    with contextlib.suppress(KeyboardInterrupt), keep(plan_for("/bin/true")) as kept:
        result = watch(kept, Collected().sinks(), Meter())
        signal.raise_signal(signal.SIGINT)
        kept_result = result.outcome is Outcome.ENDED
    assert kept_result
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_comes_in_the_way_before_anybody_watches_ends_the_tool() -> None:
    with contextlib.suppress(ZeroDivisionError), keep(plan_for("/bin/sleep", "31.4159")) as kept:
        assert wait_until(lambda: bool(find_marked("31.4159")), 10)
        raise ZeroDivisionError
    assert find_marked("31.4159") == []
    for descriptor in (kept.stdout, kept.stderr, kept.events):
        os.close(descriptor)


def test_it_runs_nicely() -> None:
    _, collected = run(plan_for(sys.executable, "-c", "import os; print(os.nice(0))"))
    assert int(collected.stdout) == os.nice(0) + 5


# --- The launcher in a process of its own: signals and sudden death -----------------------------------------------


def start_driver(*argv: str, deadline: float = 60, grace: float = 20) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(DRIVER), str(deadline), str(grace), *argv]
    driver = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, bufsize=0
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() in (b"tracing\n", b"deaf\n", b"started\n")
    return driver


def test_interrupting_lets_it_print_its_map() -> None:
    driver = start_driver(*fake_tool("polite"))
    driver.send_signal(signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=PATIENCE)
    assert stdout == b"the map\n"
    assert b"interrupted 130" in stderr
    assert driver.returncode == 130


@pytest.mark.parametrize(("which", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_being_terminated_or_hung_up_ends_it_in_order_too(which: signal.Signals, status: int) -> None:
    driver = start_driver(*fake_tool("polite"))
    driver.send_signal(which)
    stdout, _ = driver.communicate(timeout=PATIENCE)
    assert (stdout, driver.returncode) == (b"the map\n", status)


def test_interrupting_again_and_again_insists() -> None:
    driver = start_driver(*fake_tool("deaf", "term"), grace=60)
    end = time.monotonic() + PATIENCE
    while driver.poll() is None and time.monotonic() < end:  # two that come too fast are one
        driver.send_signal(signal.SIGINT)
        time.sleep(0.2)
    driver.communicate(timeout=1)  # the grace alone is longer
    assert driver.returncode == 130


@pytest.mark.parametrize("kind", ["daemon", "many"])
def test_when_the_launcher_is_killed_nothing_of_the_tool_is_left(kind: str, mark: str) -> None:
    waiter = f"{fake_tool('forks', kind, mark)!r}"
    code = f"import subprocess, time; subprocess.run({waiter}); time.sleep(600)"
    driver = start_driver(sys.executable, "-c", code, mark)
    assert wait_until(lambda: len(find_marked(mark)) >= 2)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert wait_until(lambda: find_marked(mark) == [])


def test_a_launcher_that_dies_while_the_tool_has_its_grace_shortens_it(mark: str) -> None:
    driver = start_driver(*fake_tool("deaf"), mark, grace=60)
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert wait_until(lambda: find_marked(mark) == [])


def test_when_the_keeper_is_killed_what_the_tool_forked_is_ended_too(mark: str) -> None:
    waiter = f"{fake_tool('forks', 'daemon', mark)!r}"
    code = f"import subprocess, time; subprocess.run({waiter}); time.sleep(600)"
    driver = start_driver(sys.executable, "-c", code, mark)
    assert wait_until(lambda: len(find_marked(mark)) >= 2)
    keeper = find_child(driver.pid, KEEPER)
    os.kill(keeper, signal.SIGKILL)
    driver.communicate(timeout=PATIENCE)
    assert find_marked(mark) == []


def find_child(parent: int, name: str) -> int:
    children = map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return next(pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n")


def test_when_launcher_and_keeper_are_killed_the_warden_ends_what_was_forked_away(mark: str) -> None:
    driver = start_driver(*fake_tool("forks", "daemons", mark))
    assert wait_until(lambda: len(find_marked(mark)) >= 3)
    for pid in (find_child(driver.pid, KEEPER), driver.pid):
        os.kill(pid, signal.SIGKILL)
    driver.wait()
    assert wait_until(lambda: find_marked(mark) == [])


def test_a_terminal_that_is_closed_ends_it_in_order(mark: str) -> None:
    terminal, theirs = os.openpty()
    argv = fake_tool("polite")
    command = (sys.executable, str(DRIVER), "60", "20", *argv, mark)
    driver = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    assert os.read(terminal, 100) == b"tracing\r\n"
    os.close(terminal)
    assert driver.wait(timeout=PATIENCE) in (128 + signal.SIGHUP, 1)
    assert wait_until(lambda: find_marked(mark) == [])


def test_a_nohup_run_goes_on_when_its_terminal_is_gone_and_its_deadline_holds(mark: str) -> None:
    command = ("nohup", sys.executable, str(DRIVER), "1", "20", *fake_tool("polite"), mark)
    driver = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"tracing\n"
    driver.send_signal(signal.SIGHUP)
    assert driver.communicate(timeout=PATIENCE)[0] == b"the map\n"
    assert driver.returncode == 124


def test_when_launcher_and_keeper_are_killed_at_once_the_kernel_ends_the_tool(mark: str) -> None:
    driver = start_driver(sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)", mark)
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    for pid in (driver.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    driver.wait()
    assert wait_until(lambda: find_marked(mark) == [])


def test_when_the_keeper_alone_is_killed_the_run_fails_and_says_so(mark: str) -> None:
    driver = start_driver(sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)", mark)
    keeper = find_child(driver.pid, KEEPER)
    os.kill(keeper, signal.SIGKILL)
    _, stderr = driver.communicate(timeout=PATIENCE)
    assert b"failed 125" in stderr
    assert find_marked(mark) == []


def test_a_stopped_launcher_does_not_stop_the_deadline(mark: str) -> None:
    driver = start_driver(*fake_tool("polite"), mark, deadline=1.0)
    os.kill(driver.pid, signal.SIGSTOP)
    assert wait_until(lambda: not [pid for pid in find_marked(mark) if b"launch.py" not in cmdline(pid)])
    os.kill(driver.pid, signal.SIGCONT)
    assert driver.wait(timeout=PATIENCE) == 124


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("outcome", "tool", "caught", "status"),
    [
        (Outcome.ENDED, 0, None, 0),
        (Outcome.ENDED, 7, None, 7),
        (Outcome.ENDED, -9, None, 137),
        (Outcome.DURATION, -9, None, 0),
        (Outcome.LIMIT, 0, None, 124),
        (Outcome.INTERRUPTED, 0, 2, 130),
        (Outcome.FAILED, None, None, 125),
    ],
)
def test_exit_statuses_follow_timeout_and_docker(
    outcome: Outcome, tool: int | None, caught: int | None, status: int
) -> None:
    assert exit_status(outcome, tool, caught) == status
