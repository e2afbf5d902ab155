"""Run a short command and capture what it prints: the only way to start a process besides `launch.supervise`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

# A command here answers a question ("which version?"); what a user's shell happens to export must not change the
# answer, and LC_ALL=C keeps messages in the language that we parse.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"}


@dataclass(frozen=True)
class Captured:
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
