"""The command `toolkit`: finds the command module, and turns errors into a message and an exit status."""

from __future__ import annotations

import gc
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from toolkit import __version__
from toolkit.cli.group import LazyGroup
from toolkit.errors import ToolkitError

BUG = 70  # EX_SOFTWARE of sysexits(3): neither the tool's failure nor a refusal of ours
INTERRUPTED = 130
PIPE_CLOSED = 141  # 128 + SIGPIPE, what a shell reports for `toolkit list | head`

# One line of help a command, so that `toolkit --help` imports none of them.
COMMANDS = {
    "list": "What is there, and what runs on this kernel.",
    "info": "Everything about one tool: its variants, whether they run here, and why not.",
    "search": "Tools by what they do or help with, in your words.",
    "examples": "The example text that came with a tool.",
    "man": "A tool's manual page.",
    "source": "The program text of a tool.",
    "tree": "The catalog as a tree, and the folder whose files run its tools.",
    "which": "Which variant `run` would take, and its file.",
    "check": "Which tools or files run on which kernels with which engines: a matrix.",
    "run": "Run the best variant of a tool, within limits, recorded.",
    "top": "What BPF programs cost on this host now, by run, and those that nobody here started.",
    "ps": "The runs that are on, and what they cost.",
    "stop": "End runs, with the time to print what they counted.",
    "attach": "Follow what a run prints.",
    "policy": "What this host's policy lets people run, and why.",
    "verify": "Try variants here for a moment: is each verdict what happens?",
    "sync": "The latest tools from git, at the revision that fits each engine.",
    "snapshots": "The built catalogs on this host: list, show, diff, rollback, unhold, gc.",
    "cron": "Sync every night: install, remove, show.",
    "facts": "What this host offers, each fact with its origin; for another machine, or from its captures.",
    "doctor": "What this host lacks for BPF tools, and the command that mends it.",
    "recordings": "What earlier runs printed, and how they ended.",
    "completion": "The completion script for bash, zsh or fish.",
}


def _load(name: str) -> click.Command:  # noqa: C901  one case a command
    # Imports by statement, not by string: a reader and a type checker can follow them.
    match name:
        case "list":
            from toolkit.cli.list import command
        case "info":
            from toolkit.cli.info import command
        case "search":
            from toolkit.cli.search import command
        case "examples":
            from toolkit.cli.examples import command
        case "man":
            from toolkit.cli.man import command
        case "source":
            from toolkit.cli.source import command
        case "tree":
            from toolkit.cli.tree import command
        case "which":
            from toolkit.cli.which import command
        case "check":
            from toolkit.cli.check import command
        case "verify":
            from toolkit.cli.verify import command
        case "sync":
            from toolkit.cli.sync import command
        case "snapshots":
            from toolkit.cli.snapshots import command
        case "cron":
            from toolkit.cli.cron import command
        case "facts":
            from toolkit.cli.facts import command
        case "doctor":
            from toolkit.cli.doctor import command
        case "completion":
            from toolkit.cli.completion import command
        case _:
            return _load_of_runs(name)
    return command


def _load_of_runs(name: str) -> click.Command:
    match name:
        case "run":
            from toolkit.cli.run import command
        case "top":
            from toolkit.cli.top import command
        case "ps":
            from toolkit.cli.ps import command
        case "stop":
            from toolkit.cli.stop import command
        case "attach":
            from toolkit.cli.attach import command
        case "policy":
            from toolkit.cli.policy import command
        case "recordings":
            from toolkit.cli.recordings import command
        case _:
            raise KeyError(name)
    return command


class Commands(LazyGroup):
    """All commands; a name that is none of them is most often a tool's, or mistyped."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _pipes_past_click():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipes_past_click():
            return super().invoke(ctx)

    def suggest(self, ctx: click.Context, args: list[str]) -> str:
        """A command whose name is near, else how a tool is run."""
        import shlex

        near = super().suggest(ctx, args)
        if near.startswith("did you mean") or args[0] in ("", "help"):
            return near
        return f"to run a tool: toolkit run {shlex.join(args)}"

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if not gc.isenabled():  # see toolkit/__main__.py
            gc.freeze()
            gc.enable()
        return command


@contextmanager
def _pipes_past_click() -> Iterator[None]:
    """Let a closed pipe reach `main`: click itself would exit with 1 on an error with the number of one."""
    try:
        yield
    except BrokenPipeError as error:
        raise BrokenPipeError(error.strerror) from error


@click.group(
    cls=Commands,
    names=COMMANDS,
    load=_load,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--version", "-V", is_flag=True, help="Print the version.")
@click.option("--json", "as_json", is_flag=True, help="With --version: print it as JSON.")
@click.pass_context
def cli(context: click.Context, version: bool, as_json: bool) -> None:
    """All BPF performance tools of this host, in one command.

    It knows BCC, libbpf-tools, bpftrace's tools and its own; which of them work on this kernel; and runs them within
    limits that keep production safe, keeping what they print.

    \b
    toolkit list disk          what is there, and what runs here
    toolkit run runqlat 10 1   one run queue latency histogram of 10 s
    toolkit doctor             what this host lacks
    """
    if version:
        click.echo(f'{{"shape": 1, "version": "{__version__}"}}' if as_json else f"toolkit {__version__}")
        context.exit()
    if as_json:
        raise click.UsageError("--json goes behind the command", context)


def main() -> None:
    """Run the command line and exit with its status."""
    open_standard_streams()
    # What root keeps is root's: with a umask of 002, a usual one, a folder of ours could be written by a group.
    os.umask(0o077)
    try:
        status = cli.main(prog_name="toolkit", standalone_mode=False)
        sys.stdout.flush()
    except ToolkitError as error:
        sys.exit(_report(error.what, error.fix, error.status))
    except click.UsageError as error:
        from toolkit.cli.mistakes import describe_mistake

        sys.exit(_report(*describe_mistake(error), ToolkitError.status))
    except click.ClickException as error:
        sys.exit(_report(error.format_message(), "", ToolkitError.status))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(PIPE_CLOSED)
    except Exception as error:  # noqa: BLE001  a bug of ours: the one place that may catch everything
        sys.exit(_report_bug(error))
    finally:
        _forget_what_cannot_be_written()
    sys.exit(status if isinstance(status, int) else 0)


def open_standard_streams() -> None:
    """Open /dev/null in place of a standard stream that the caller closed.

    Otherwise the next file that is opened, such as a recording, would become our stdout.
    """
    for descriptor, mode in enumerate(("r", "w", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is the one that is closed
        name = ("stdin", "stdout", "stderr")[descriptor]
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 has no `…`


def _forget_what_cannot_be_written() -> None:
    """Let Python's last flush of stdout succeed: where it would fail, we have already said so."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _report(what: str, fix: str, status: int) -> int:
    from toolkit.cli.narrate import say  # here: only a failure has something to say

    say(what, fix)
    return status


def _report_bug(error: Exception) -> int:
    import traceback

    from toolkit.paths import find_paths

    log = find_paths(dict(os.environ), os.getuid()).crash_log
    text = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%FT%TZ', time.gmtime())} toolkit {__version__} {sys.argv[1:]}\n{text}\n")
        fix = f"please report it with the end of {log}"
    except OSError:
        fix = text
    return _report(f"this is a bug in toolkit: {type(error).__name__}: {error}", fix, BUG)
