"""Start a short command, or run it and capture what it prints: the only way to start a process besides `launch`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from toolkit.model import Value

# A command here answers a question ("which version?"); what a user's shell happens to export must not change the
# answer, and LC_ALL=C keeps messages in the language that we parse.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"}


Process = subprocess.Popen[bytes]


class Captured(Value, frozen=True, kw_only=False):
    """What a command printed; `status` is None when it could not be started or did not end in time."""

    status: int | None
    stdout: str
    stderr: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0


def capture_command(
    argv: tuple[str, ...], *, seconds: float = 5.0, environ: dict[str, str] | None = None, starts_others: bool = False
) -> Captured:
    """Run argv without a shell, with a bounded time and a built environment; never raises for what it does.

    Of one that `starts_others` these end with it when its time is over, or we are interrupted. Then ^C at the terminal
    reaches us alone; any other command gets it, too, so that a thread of ours that waits for it is not waited for.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, **(environ or {})},
            start_new_session=starts_others,
        )
    except OSError as error:
        return Captured(None, "", "", f"{argv[0]}: {error.strerror}")
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException as error:
            if starts_others:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Captured(None, "", "", f"{argv[0]} did not answer within {seconds:g} s")
    return Captured(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def start_command(argv: list[str], *, stdin: BinaryIO, environ: Mapping[str, str]) -> Process:
    """Start argv without a shell, in / and a session of its own, with this environment and pipes for what it prints.

    Who starts it reads it, bounds it and ends it. It ignores SIGPIPE and SIGXFSZ, as Python does. Raises OSError.
    """
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
        cwd="/",  # what lies in the folder that root happens to be in decides nothing
        start_new_session=True,
        restore_signals=False,
    )
