"""Run one git command, bounded: the only place that GitPython is used, and it is imported when a sync fetches.

GitPython's guards against dangerous options are a deny-list that keeps failing (two dozen advisories in 2026:
abbreviated and joined short options, `template`, `multi_options`, `--upload-pack`, `--exec`, `--output`, config
section names, `expandvars` on urls). So none of what they guard is used: no Repo, no Remote, no keyword that becomes an
option. There is `Git.execute` alone, with argument lists written here and in this module's callers, in which every
value that comes from outside was checked by `git_names` and stands behind `--`.

`Git.execute` hands the caller's whole environment to git (GIT_DIR, GIT_EXEC_PATH, GIT_CONFIG_COUNT …) and its
`kill_after_timeout` looks for children once and kills those; `env -u`, a session of its own and a deadline here do
better. `prlimit` and `setpriv` of util-linux set the limits before git starts, without a preexec_fn, which could
deadlock where sources are fetched in parallel by threads; setpriv ends git when we are killed.

A command that only asks, a server or a repository of ours, is started without GitPython, whose import takes longer than
a server's answer: most nights have nothing to fetch. It is bounded alike, and its environment is built instead of
scrubbed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from toolkit.command import ENVIRONMENT, Process, start_command
from toolkit.errors import SourceError
from toolkit.sources.git_limits import DEFAULT_LIMITS, GitLimits, list_options
from toolkit.sources.git_names import PROTOCOLS, tidy

if TYPE_CHECKING:
    from git.cmd import Git

SEARCH_PATH = f"/usr/local/sbin:/usr/local/bin:{ENVIRONMENT['PATH']}"
OLDEST = (2, 31)
ERROR_BYTES = 64 << 10  # of what git says on stderr, the end is kept

# What passes from the caller to git: how to reach the network and the ssh agent.
PASSED = frozenset(
    {
        *("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
        *("GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
    }
)
OWN = {
    **ENVIRONMENT,
    "PATH": SEARCH_PATH,
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # set and empty: git asks nobody, and says so
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CEILING_DIRECTORIES": "/",
}
NOWHERE = Path("/nonexistent")  # for a command that needs no repository and must not find one
SSH = "ssh -o BatchMode=yes"  # an unknown host key or a passphrase is an error, not a question that nobody answers
CONFIG = (
    "core.hooksPath=/dev/null",
    "core.symlinks=false",
    "core.fsmonitor=false",
    "core.bigFileThreshold=8m",  # larger blobs are hashed as a stream, not in memory
    "protocol.version=2",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "fetch.fsck.zeroPaddedFilemode=ignore",  # harmless, and old tools left it in many a history
    "fetch.unpackLimit=1",  # always one pack, whose size RLIMIT_FSIZE bounds; never loose objects
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.negotiationAlgorithm=noop",
    "fetch.writeCommitGraph=false",
    "transfer.bundleURI=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",  # memory bounds would otherwise depend on the number of CPUs
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
)


_stopping = threading.Event()


class Said(NamedTuple):
    """What a git command printed, and its exit status; negative for a signal."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0


class Programs(NamedTuple):
    """The programs that a git command is made of, as absolute paths."""

    git: str
    env: str
    prlimit: str
    setpriv: str


class Started(NamedTuple):
    """A git that runs. GitPython ends it when what it returned is let go of, so that is kept, too."""

    process: Process
    kept: object = None


Start = Callable[[Programs, tuple[str, ...], Mapping[str, str], BinaryIO, GitLimits], Started]


def find_programs() -> Programs:
    """Find git and what bounds it. Raises SourceError that says which package is missing."""
    return _find_programs(SEARCH_PATH)


@functools.cache
def _find_programs(path: str) -> Programs:
    found: dict[str, str] = {}
    for name, package in (("git", "git"), ("env", "coreutils"), ("prlimit", "util-linux"), ("setpriv", "util-linux")):
        where = next((file for folder in path.split(":") if _is_program(file := f"{folder}/{name}")), None)
        if where is None:
            raise SourceError(
                f"{name} is not installed, and sources cannot be fetched without it",
                fix=f"install the package {package}: apt-get install {package}, or dnf install {package}",
            )
        found[name] = where
    return Programs(**found)


def _is_program(file: str) -> bool:
    # shutil.which would load every compressor first, and a server be asked 2 ms later.
    return os.path.isfile(file) and os.access(file, os.X_OK)


@functools.cache
def _check_version(programs: Programs) -> None:
    said = _execute(programs, ("version",), OWN, b"", 10, DEFAULT_LIMITS, _start_asking)
    version = re.search(rb"version (\d+)\.(\d+)", said.stdout)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise SourceError(
            f"{programs.git} says {tidy(said.stdout.decode(errors='replace'))!r}, which is too old or no git",
            fix=f"install git {OLDEST[0]}.{OLDEST[1]} or newer",
        )


def run_git(
    arguments: tuple[str, ...],
    *,
    seconds: float,
    stdin: bytes = b"",
    repository: Path | None = None,
    limits: GitLimits = DEFAULT_LIMITS,
    environ: Mapping[str, str] = OWN,
    asks: bool = False,
) -> Said:
    """Run git with these arguments on a bare repository, or on none; it is dead when this returns.

    `environ` is all that it gets, but for what reaches the network (PASSED). One that `asks` changes nothing here.

    Raises SourceError when git is missing, does not end within `seconds`, or prints more than it may. What it means
    that git failed is for the caller to say.
    """
    where = () if repository is None else (f"--git-dir={repository}",)
    programs = find_programs()
    start = _start_asking if asks else _start
    said = _execute(programs, (*where, *arguments), environ, stdin, seconds, limits, start)
    if not said.ok:
        _check_version(programs)  # an old git fails at what it does not know; one that works is not asked
    return said


@contextlib.contextmanager
def stoppable_git() -> Iterator[Callable[[], None]]:
    """Give a call that ends every git process of every thread, and lets none start until the block is left.

    The threads get a KeyboardInterrupt: nothing that handles what a source does wrong takes it for that.
    """
    try:
        yield _stopping.set
    finally:
        _stopping.clear()


def _check_stopping() -> None:
    if _stopping.is_set():
        raise KeyboardInterrupt("git was stopped")


def _execute(
    programs: Programs,
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    stdin: bytes,
    seconds: float,
    limits: GitLimits,
    start: Start,
) -> Said:
    _check_stopping()
    if seconds <= 0:
        raise _late(seconds)
    # In memory, so that a full /tmp is no trouble of ours.
    with open(os.memfd_create("stdin"), "w+b") as told:
        told.write(stdin)
        told.seek(0)
        started = start(programs, arguments, environ, told, limits)
        status, out, err, problem = _wait(started.process, time.monotonic() + seconds, limits)
    if problem == "late":
        raise _late(seconds)
    if problem:
        raise SourceError(
            f"git printed more than {limits.output_bytes >> 20} MiB and was stopped",
            fix="this repository is too large to be a source of tools; give its tools one of their own",
        )
    return Said(status, out, err.decode(errors="replace"))


def _start(
    programs: Programs, arguments: tuple[str, ...], environ: Mapping[str, str], told: BinaryIO, limits: GitLimits
) -> Started:
    git = _load_git()  # first, since it sets a variable, which is scrubbed like others
    argv = [*_bounds(programs, limits), *_scrub(programs, environ), *_write_command(programs, arguments)]
    # Python ignores SIGXFSZ, and so will git: what writes too large a file then says so, instead of dying mute. git
    # itself puts SIGPIPE, the other signal that Python ignores, back to its default.
    kept = git("/").execute(
        argv,
        istream=told,
        as_process=True,
        shell=False,
        env={"GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", SSH), **environ},
        start_new_session=True,
        restore_signals=False,
    )
    if kept.proc is None:
        raise _unstarted("it is not there any more")
    return Started(kept.proc, kept)


def _start_asking(
    programs: Programs, arguments: tuple[str, ...], environ: Mapping[str, str], told: BinaryIO, limits: GitLimits
) -> Started:
    passed = {name: value for name, value in os.environ.items() if name in PASSED}
    argv = [*_bounds(programs, limits), *_write_command(programs, arguments)]
    try:
        return Started(start_command(argv, stdin=told, environ={"GIT_SSH_COMMAND": SSH, **passed, **environ}))
    except OSError as error:
        raise _unstarted(str(error.strerror)) from error


def _write_command(programs: Programs, arguments: tuple[str, ...]) -> list[str]:
    settings = (part for setting in CONFIG for part in ("-c", setting))
    return [programs.git, "--literal-pathspecs", *settings, *arguments]


def _unstarted(why: str) -> SourceError:
    return SourceError(f"git could not be started: {why}", fix="see whether memory or processes ran out")


def _wait(process: Process, end: float, limits: GitLimits) -> tuple[int, bytes, bytes, str]:
    """Read all that it prints until it ends or has to be ended; gives status, stdout, stderr, and why it was ended."""
    if process.stdout is None or process.stderr is None:
        raise _unstarted("it has no pipes")
    try:
        out, err, problem = _drain(
            process.stdout.fileno(),
            process.stderr.fileno(),
            end,
            limits.output_bytes,
            lambda: _over(process.poll()),
        )
        while not problem and process.poll() is None:
            _check_stopping()
            time.sleep(0.001)
            problem = "late" if time.monotonic() > end else ""
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
        process.stderr.close()
    return process.returncode, out, err, problem


def _over(status: int | None) -> bool:
    return status is not None


def _late(seconds: float) -> SourceError:
    return SourceError(
        f"git did not end within {max(seconds, 0):.3g} s and was stopped",
        fix="see whether the server answers and a proxy is needed (https_proxy); the next sync tries again",
    )


def _bounds(programs: Programs, limits: GitLimits) -> list[str]:
    return [programs.setpriv, "--pdeathsig", "KILL", programs.prlimit, *list_options(limits)]


def _scrub(programs: Programs, environ: Mapping[str, str]) -> list[str]:
    # Only names stand here, which anybody may see in the process list; values such as a proxy's password do not.
    kept = PASSED | environ.keys() | {"GIT_SSH_COMMAND", "LANGUAGE"}
    return [programs.env, *(part for name in sorted(os.environ.keys() - kept) for part in ("-u", name))]


def _drain(
    out_pipe: int, err_pipe: int, end: float, largest: int, ended: Callable[[], bool]
) -> tuple[bytes, bytes, str]:
    """Read both pipes until they close; the third value is "late" or "large" when a bound was met."""
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(out_pipe, selectors.EVENT_READ, out)
        selector.register(err_pipe, selectors.EVENT_READ, err)
        while selector.get_map():
            _check_stopping()
            left = end - time.monotonic()
            if left <= 0:
                return bytes(out), bytes(err), "late"
            over = ended()  # before the look, not after: what git says last, it may say between the two
            ready = selector.select(min(left, 0.1))
            # An ssh connection that persists (ControlPersist) keeps stderr open long after git is gone.
            if not ready and over:
                break
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fd)
                key.data.extend(data)
            del err[:-ERROR_BYTES]
            if len(out) > largest:
                return bytes(out), bytes(err), "large"
    return bytes(out), bytes(err), ""


def _load_git() -> type[Git]:
    # GitPython looks for git when it is imported, on the caller's PATH, and refuses to be imported without it; which
    # git we start is decided above.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        from git.cmd import Git
    except ImportError as error:
        raise SourceError(
            f"GitPython cannot be imported: {tidy(str(error))}", fix="install toolkit with its dependencies again"
        ) from error
    return Git
