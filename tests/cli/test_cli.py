"""The command line as a person meets it: help, errors, exit statuses, JSON, pipes; no BPF needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from tests.conftest import ROOT, Toolkit
from tests.support.terminal import open_terminal
from toolkit import __version__
from toolkit.cli.app import cli
from toolkit.cli.list import explain_marks, format_footer, format_status
from toolkit.cli.search import Result
from toolkit.cli.session import open_session
from toolkit.model import Basis, Status


def test_version_and_help(toolkit: Toolkit) -> None:
    assert toolkit("--version").stdout == f"toolkit {__version__}\n"
    assert json.loads(toolkit("--version", "--json").stdout) == {"shape": 1, "version": __version__}
    text = toolkit("--help").stdout
    assert toolkit().stdout == text
    for command in ("list", "info", "which", "run", "cron", "doctor", "recordings", "completion"):
        assert f"\n  {command} " in text


@pytest.mark.parametrize("command", ["list", "info", "which", "run", "cron", "doctor", "recordings", "completion"])
def test_every_command_explains_itself(toolkit: Toolkit, command: str) -> None:
    done = toolkit(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: toolkit {command}")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("lst",), 125, "did you mean `toolkit list`?"),
        (("runqlat", "10", "1"), 125, "to run a tool: toolkit run runqlat 10 1"),
        (("--json", "list"), 125, "goes behind the command"),
        (("list", "tape"), 125, "the categories are: cpu mem disk"),
        (("list", "--colour"), 125, "there is no option '--colour'\n"),
        (("list", "--run"), 125, "did you mean --runs? `toolkit list --help` shows how it is called"),
        (("list", "disk", "fs"), 125, "toolkit: got unexpected extra argument (fs)\n"),
        (("",), 125, "`toolkit --help` shows them"),
        (("help",), 125, "`toolkit --help` shows them"),
        (("runqlat", "a b"), 125, "toolkit run runqlat 'a b'"),
        (("snapshots", "lits"), 125, "did you mean `toolkit snapshots list`?"),
        (("cron", "nothing-like-it"), 125, "`toolkit cron --help` shows them"),
        (("completion",), 125, "SHELL is missing: one of bash, zsh, fish\n"),
        (("info",), 125, "TOOL is missing\n         `toolkit info --help` shows how it is called"),
        (("run", "-d"), 125, "requires an argument\n         `toolkit run --help` shows how it is called"),
        (("run", "--nice", "20", "runqlat"), 125, "--nice: 20 is not between 0 and 19\n"),
        (("run", "--nice", "low", "runqlat"), 125, "--nice: 'low' is no whole number\n"),
        (("run", "--bpf-cost", "nan", "runqlat"), 125, "--bpf-cost: nan is not between 0 and 100,000\n"),
        (("recordings", "list", "-n", "0"), 125, "--limit: 0 is not at least 1\n"),
        (("recordings", "list", "--category", "tape"), 125, "the categories are: cpu mem disk"),
        (("recordings", "export", "-f", "csv", "-o", ""), 125, "--output: an empty text names no file"),
        (("info", "runqlatt"), 127, "did you mean runqlat"),
        (("which", "nothing-like-it"), 127, "there is no tool named 'nothing-like-it'"),
        (("run", "nothing-like-it"), 127, "toolkit list"),
        (("run", "-d", "soon", "runqlat"), 125, "not a time such as 10, 90s, 5m or 1h"),
        (("run", "-d", "-1", "runqlat"), 125, "7 days"),
        (("run", "--bogus", "runqlat"), 125, "there is no option '--bogus'"),
        (("run", "inhouse/runqlat", "--bogus"), 125, "  inhouse/runqlat: a bpftrace script takes no options\n"),
        (("which", "inhouse/runqlat", "--bogus"), 125, "  inhouse/runqlat: a bpftrace script takes no options\n"),
        (("stop", "--all", "runqlat"), 125, "--all and a RUN exclude each other"),
        (("run", "netsize"), 126, "`toolkit sync` fetches more tools from git"),  # of the book: nobody synced here
        (("which", "netsize"), 126, "no variant of netsize is on this host"),
        (("run", "--force", "sslsniff"), 126, "--allow sensitive"),
        (("recordings", "show", "nothing"), 125, "nothing is recorded yet"),
    ],
)
def test_a_mistake_gets_a_message_and_a_status_never_a_traceback(
    toolkit: Toolkit, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = toolkit(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("group", ["snapshots", "cron", "policy", "recordings"])
def test_a_group_alone_prints_its_help_uncut(toolkit: Toolkit, group: str) -> None:
    done = toolkit(group)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == toolkit(group, "--help").stdout
    assert "..." not in done.stdout.split("Commands:")[1]


@pytest.mark.parametrize("name", ["\x1b[31mred\n", "x" * 100_000])
def test_a_name_neither_commands_the_terminal_nor_floods_it(warm_home: Path, name: str) -> None:
    arguments = [sys.executable, "-m", "toolkit", "list", "disk", name]
    environ = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    with open_terminal(arguments, environ, lines=200) as terminal:
        assert terminal.finish() == 125
    assert b"\x1b" not in terminal.raw
    assert len(terminal.raw) < 3000


def test_what_attaches_to_nothing_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = tuple(
        Result("a", "cpu", "", status, basis, blind, 1.0, ())
        for status, basis, blind in (
            (Status.PARTIAL, Basis.VERIFIED, True),
            (Status.RUNS, Basis.VERIFIED, False),
            (Status.BLOCKED, Basis.PREDICTED, False),
            (None, None, False),
        )
    )
    assert [format_status(row) for row in rows] == ["partial!", "runs*   ", "blocked ", "absent  "]
    assert explain_marks(rows[2:]) == ""
    assert explain_marks(rows[1:]) == "* tried here by `toolkit verify`."
    assert explain_marks(rows[:1]) == "partial! would attach to no event, and `run` refuses it."


@pytest.mark.usefixtures("warm_home")
def test_who_may_load_no_bpf_program_is_told_below_the_list() -> None:
    session = open_session()
    facts = msgspec.structs.replace(session.facts, capabilities=frozenset())
    text = " ".join(format_footer(msgspec.structs.replace(session, facts=facts), (), (), None, hint=True))
    assert "): this user may not load BPF programs: CAP_BPF and CAP_PERFMON missing" in text


def test_a_mistake_in_the_settings_is_named(toolkit: Toolkit, own_home: Path) -> None:
    settings = own_home / "toolkit" / "config.yaml"
    settings.parent.mkdir(mode=0o700)
    settings.write_text("limits:\n  duration: soon\n")
    done = toolkit("list")
    assert done.returncode == 125
    assert f"{settings}:2: limits.duration" in done.stderr


def test_a_bug_of_ours_has_its_own_status_and_a_log(toolkit: Toolkit, own_home: Path) -> None:
    code = (
        "import toolkit.cli.session as s, toolkit.cli.app as a\n"
        "def broken(): raise RuntimeError('on purpose')\n"
        "s.open_session = broken\nimport sys; sys.argv = ['toolkit', 'list']\na.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "this is a bug in toolkit: RuntimeError: on purpose" in done.stderr
    assert "Traceback" in (own_home / "toolkit" / "state" / "crash.log").read_text()


def test_the_list_is_a_table_by_category(toolkit: Toolkit) -> None:
    done = toolkit("list", "--all", "filesystems")
    assert done.returncode == 0
    assert done.stdout.startswith("fs  ")
    assert any(line.startswith("opensnoop ") for line in done.stdout.splitlines())
    assert "\x1b" not in done.stdout


def test_the_whole_list_holds_every_category(toolkit: Toolkit) -> None:
    text = toolkit("list", "--all").stdout
    for name in (
        "cpu",
        "mem",
        "disk",
        "fs",
        "net",
        "lang",
        "app",
        "kernel",
        "hyper",
        "container",
        "security",
        "multi",
    ):
        assert f"\n{name} " in f"\n{text}"


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("list", "cpu"), {"shape", "kernel", "category", "tools"}),
        (
            ("info", "runqlat"),
            {"shape", "kernel", "tool", "chosen", "chosen_revision", "why", "through", "instead", "variants"},
        ),
        (("doctor",), {"shape", "kernel", "distribution", "variants", "variants_running", "findings", "leftovers"}),
        (("recordings", "list"), {"shape", "recordings"}),
    ],
)
def test_json_has_the_documented_shape(toolkit: Toolkit, arguments: tuple[str, ...], keys: set[str]) -> None:
    document = json.loads(toolkit(*arguments, "--json").stdout)
    assert set(document) == keys
    assert document["shape"] == 1


def list_commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one
        if isinstance(one, click.Group):
            yield from ((f"{name} {inner}", command) for inner, command in list_commands(one, context))
        else:
            yield name, one


def test_every_command_has_json_and_names_what_its_options_take() -> None:
    commands = dict(list_commands(cli, click.Context(cli)))
    options = {name: [one for one in each.params if isinstance(one, click.Option)] for name, each in commands.items()}
    without = {name for name, each in options.items() if "--json" not in [text for one in each for text in one.opts]}
    assert without == {"completion", "recordings export"}
    vague = {f"{name} {one.opts[0]}" for name, each in options.items() for one in each if is_vague(one)}
    assert vague == set()


def is_vague(option: click.Option) -> bool:
    """Whether a help would say no more of its value than TEXT or PATH of click's own."""
    return (
        not option.is_flag and not option.metavar and option.type.name in ("text", "path", "file", "integer", "float")
    )


@pytest.mark.usefixtures("warm_home")
@pytest.mark.parametrize("arguments", ["list --all", "list --json", "--help", "list --help", "recordings", "facts"])
def test_a_closed_pipe_is_141_and_no_error_message(arguments: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *arguments.split()],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_umask_that_lets_a_group_write_does_no_harm(own_home: Path) -> None:
    command = f"umask 002; {sys.executable} -m toolkit list; {sys.executable} -m toolkit list"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (own_home / "toolkit" / "state").stat().st_mode & 0o777 == 0o700


def test_arguments_that_are_no_text_are_refused(warm_home: Path) -> None:
    command = f"{sys.executable} -m toolkit run execsnoop $'\\xff\\xfe'"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 125
    assert "is not valid UTF-8" in done.stderr


def test_settings_that_are_a_fifo_do_not_hang(toolkit: Toolkit, own_home: Path) -> None:
    (own_home / "toolkit").mkdir(mode=0o700)
    os.mkfifo(own_home / "toolkit" / "config.yaml", 0o600)
    assert "not a regular file" in toolkit("list").stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_trouble(warm_home: Path, closed: str) -> None:
    command = f"{sys.executable} -m toolkit list {closed}"
    assert subprocess.run(["bash", "-c", command], cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_full_disk_below_stdout_is_said(warm_home: Path) -> None:
    command = f"{sys.executable} -m toolkit list > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 125
    assert done.stderr == "toolkit: cannot write to stdout: No space left on device\n"


def test_the_list_fits_a_narrow_terminal(warm_home: Path) -> None:
    import pty

    primary, secondary = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "toolkit", "list", "--all"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=secondary, stderr=secondary, stdin=secondary, env=environ)
    os.close(secondary)
    text = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:  # EIO: the last writer is gone
            break
        if not piece:
            break
        text += piece
    os.close(primary)
    assert child.wait() == 0
    lines = text.decode().splitlines()
    assert len(lines) > 200
    assert max(map(len, lines)) <= 80
    assert b"\x1b" not in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(toolkit: Toolkit, shell: str) -> None:
    assert "_TOOLKIT_COMPLETE" in toolkit("completion", shell).stdout


def test_tool_names_complete(toolkit: Toolkit) -> None:
    environ = {"_TOOLKIT_COMPLETE": "bash_complete", "COMP_WORDS": "toolkit run runql", "COMP_CWORD": "2"}
    names = toolkit(environ=environ).stdout.split()
    assert names == ["plain,runqlat", "plain,runqlen"]


@pytest.mark.root
def test_without_root_it_says_what_is_missing_and_what_to_do(open_folder: Path) -> None:
    home = open_folder / "nobody"
    home.mkdir()
    os.chown(home, 65534, 65534)
    environ = {**os.environ, "TOOLKIT_HOME": str(home)}
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable, "-m", "toolkit"]
    done = subprocess.run(
        [*command, "run", "runqlat", "10", "1"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    if "Permission denied" in done.stderr and "No module" not in done.stderr and done.returncode != 126:
        pytest.skip("this checkout cannot be read by another user")
    assert done.returncode == 126, done.stderr
    assert "CAP_BPF" in done.stderr
    assert "root" in done.stderr
    assert "Traceback" not in done.stderr


def make_upstream(folder: Path) -> str:
    """A company's repository with one tool."""
    (folder / "disk").mkdir(parents=True)
    (folder / "disk" / "slowio.bt").write_text(
        "/*\n * slowio - ours\n */\ntracepoint:sched:sched_switch { @ = count(); }\n"
    )
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(["git", *arguments], cwd=folder, env=environ, check=True)
    return f"file://{folder}"


def test_a_sync_from_settings_to_list_and_back(toolkit: Toolkit, own_home: Path, tmp_path: Path) -> None:
    url = make_upstream(tmp_path / "acme")
    (own_home / "toolkit").mkdir(mode=0o700)
    (own_home / "toolkit" / "config.yaml").write_text(f"sources:\n  acme: {{url: '{url}'}}\n")
    first = toolkit("sync", "acme")
    assert first.returncode == 0, first.stderr
    assert "is the first. It has 1 tool: 1 of acme." in first.stdout
    assert "slowio" in toolkit("list", "disk").stdout
    assert "Nothing is new" in toolkit("sync", "acme").stdout
    assert toolkit("sync", "--quiet", "acme").stdout == ""
    (tmp_path / "acme" / ".git").rename(tmp_path / "away")
    failed = toolkit("sync", "--quiet", "acme")
    assert failed.returncode == 1
    assert failed.stderr.startswith("toolkit: acme: ")
    assert "slowio" in toolkit("list", "disk").stdout
    rows = json.loads(toolkit("snapshots", "list", "--json").stdout)["snapshots"]
    assert [row["current"] for row in rows] == [True]
    assert "acme/slowio" in toolkit("snapshots", "show").stdout
    assert "new      acme/slowio" in toolkit("snapshots", "diff").stdout
    assert toolkit("snapshots", "rollback").returncode == 125


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sync", "nothing"), "there is no git source named 'nothing'"),
        (("snapshots", "show"), "there is no current snapshot"),
        (("snapshots", "rollback", "abc"), "'abc' is no snapshot"),
    ],
)
def test_mistakes_with_snapshots_are_said(toolkit: Toolkit, arguments: tuple[str, ...], said: str) -> None:
    done = toolkit(*arguments)
    assert done.returncode == 125
    assert said in done.stderr


def test_a_url_that_would_start_a_program_is_refused(toolkit: Toolkit, own_home: Path, tmp_path: Path) -> None:
    (own_home / "toolkit").mkdir(mode=0o700)
    (own_home / "toolkit" / "config.yaml").write_text(f"sources:\n  acme: {{url: 'ext::touch {tmp_path}/evil'}}\n")
    done = toolkit("sync", "acme")
    assert done.returncode == 1
    assert not (tmp_path / "evil").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["toolkit.cli.app", "click", "toolkit.cli.run"])
def test_an_interrupt_while_it_is_still_loaded_leaves_no_traceback(own_home: Path, module: str) -> None:
    code = f"""
import runpy, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
sys.argv = ["toolkit", "run", "runqlat"]
runpy.run_module("toolkit", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "")
