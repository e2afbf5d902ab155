"""Start a short command, or run it and capture what it prints: the only way to start a process besides `launch`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
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


def capture_command(argv: tuple[str, ...], *, seconds: float = 5.0, environ: dict[str, str] | None = None) -> Captured:
    """Run argv without a shell, with a bounded time and a built environment; never raises for what it does."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env={**ENVIRONMENT, **(environ or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Captured(None, "", "", f"{argv[0]} did not answer within {seconds:g} s")
    except OSError as error:
        return Captured(None, "", "", f"{argv[0]}: {error.strerror}")
    return Captured(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


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
