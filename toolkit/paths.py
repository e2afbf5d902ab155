"""Where settings, state and recordings live, as one value: root's in /etc and /var/lib, others' where XDG says."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

from msgspec.structs import replace

from toolkit.errors import StateError
from toolkit.model import Value

TEXTFILE = Path("/var/lib/prometheus/node-exporter")  # Debian's and Ubuntu's


# Where root keeps watch over everybody. When there is a policy, root's runs are logged and counted in these places
# whatever TOOLKIT_HOME says: else `sudo TOOLKIT_HOME=/tmp/x toolkit run …` would be a way around it.
SYSTEM_POLICY = Path("/etc/toolkit/policy.yaml")
SYSTEM_AUDIT = Path("/var/log/toolkit/audit.log")
SYSTEM_RUNS = Path("/run/toolkit")


class Paths(Value, frozen=True):
    """Every place of ours on this host; nothing is created by making one."""

    settings: Path  # the settings file
    state: Path
    policy: Path = SYSTEM_POLICY
    own_audit: Path | None = None  # None: in the state
    own_runs: Path | None = None
    textfile: Path | None = None  # the folder of node_exporter's textfiles, where the distribution has one

    @property
    def recordings(self) -> Path:
        """The folder of all recordings."""
        return self.state / "recordings"

    @property
    def recordings_index(self) -> Path:
        """What the recordings are found by; made from them, and made anew when it is not there."""
        return self.state / "cache" / "recordings.sqlite"

    @property
    def audit(self) -> Path:
        """What was decided on every run, one JSON object a line."""
        return self.own_audit or self.state / "audit.log"

    @property
    def runs(self) -> Path:
        """The register of the runs that are on: one file each."""
        return self.own_runs or self.state / "runs"

    @property
    def index(self) -> Path:
        """The built catalog."""
        return self.state / "cache" / "index.msgpack"

    @property
    def facts(self) -> Path:
        """What this host offered when it was last asked."""
        return self.state / "cache" / "facts.msgpack"

    @property
    def looked(self) -> Path:
        """What was found out of programs and libraries that tools trace."""
        return self.state / "cache" / "looked.msgpack"

    @property
    def verified(self) -> Path:
        """The results of trials."""
        return self.state / "verified.msgpack"

    @property
    def sources(self) -> Path:
        """The folder of bare repositories, one a source."""
        return self.state / "sources"

    @property
    def snapshots(self) -> Path:
        """The folder of all snapshots."""
        return self.state / "snapshots"

    @property
    def current(self) -> Path:
        """The link that names the current snapshot."""
        return self.state / "current"

    @property
    def tree(self) -> Path:
        """The browsable tree of the current snapshot."""
        return self.current / "tree"

    @property
    def hold(self) -> Path:
        """The file that names the snapshot which a rollback holds."""
        return self.state / "hold"

    @property
    def journal(self) -> Path:
        """How the last syncs went."""
        return self.state / "sync.json"

    @property
    def sync_log(self) -> Path:
        """What every sync did, in plain lines."""
        return self.state / "sync.log"

    @property
    def crash_log(self) -> Path:
        """The tracebacks of our own bugs."""
        return self.state / "crash.log"


def find_paths(environ: dict[str, str], uid: int) -> Paths:
    """Choose the places for this user: TOOLKIT_HOME moves everything, root gets the system's, others XDG's."""
    home = environ.get("TOOLKIT_HOME")
    if home:
        try:
            home.encode()
        except UnicodeEncodeError:
            raise StateError("TOOLKIT_HOME is not valid UTF-8", fix="give it another name") from None
        base = Path(home).absolute()
        found = Paths(settings=base / "config.yaml", state=base / "state", policy=base / "policy.yaml")
        return _watched(found, uid) if may_exist(SYSTEM_POLICY) else found
    if uid == 0:
        settings, state = Path("/etc/toolkit/config.yaml"), Path("/var/lib/toolkit")
        return _watched(Paths(settings=settings, state=state, textfile=TEXTFILE), uid)
    own = Path(environ.get("HOME") or "/nonexistent")
    config = _xdg(environ, "XDG_CONFIG_HOME", own / ".config")
    state = _xdg(environ, "XDG_STATE_HOME", own / ".local" / "state")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    runs = Path(runtime) / "toolkit" if runtime.startswith("/") else None
    return Paths(settings=config / "toolkit" / "config.yaml", state=state / "toolkit", own_runs=runs)


def _watched(paths: Paths, uid: int) -> Paths:
    """These places, but the system's policy; and for root, the system's log and register."""
    held = replace(paths, policy=SYSTEM_POLICY)
    return replace(held, own_audit=SYSTEM_AUDIT, own_runs=SYSTEM_RUNS) if uid == 0 else held


def may_exist(path: Path) -> bool:
    """Whether there is such a file, as far as this user can see.

    One behind a closed door may be there, and so may one in a folder that is a link to what is not mounted.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path.parent.is_symlink() and not path.parent.exists()
    except OSError:
        return True
    return True


def _xdg(environ: dict[str, str], name: str, default: Path) -> Path:
    # The specification says that a relative path in these variables is to be ignored.
    value = environ.get(name, "")
    return Path(value) if value.startswith("/") else default


def data_folder() -> Path:
    """The curated catalog that ships with this program: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "data"
    return inside if inside.is_dir() else package.parent / "catalog"


def capture_script() -> Path:
    """The shell script that takes raw facts where nothing can be installed: in a wheel beside the catalog."""
    shipped = data_folder() / "capture-facts"
    return shipped if shipped.exists() else data_folder().parent / "scripts" / "capture-facts"


def own_command() -> tuple[str, ...]:
    """What starts this program from any folder: the console script that was called, else this Python with -m.

    A link to the script stays a link, since what it points to may have the version of Python in its path.
    """
    called = Path(sys.argv[0])
    if called.name == "toolkit" and called.is_file() and os.access(called, os.X_OK):
        return (str(called.absolute()),)
    # -P: without it, `-m` would import what lies in the folder that root happens to be in.
    return (sys.executable, "-P", "-m", "toolkit")


def check_state_owner(path: Path, uid: int) -> None:
    """Refuse state or settings that somebody else could have written: they decide what root executes.

    Raises StateError. What does not exist yet is fine; so is what belongs to root, and a link of our own or root's.
    """
    try:
        link, found = path.lstat(), path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}", fix=advise_writing(error)) from error
    loose = stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    strangers = tuple(one.st_uid for one in (link, found) if one.st_uid not in (0, uid))
    if not strangers and not loose:
        return
    whose = f"uid {strangers[0]}" if strangers else "other users"
    raise StateError(
        f"{path} can be written by {whose}, so what lies there cannot be trusted",
        fix=f"chown {uid} {path} && chmod go-w {path}, or point TOOLKIT_HOME somewhere else",
    )


def make_folder(path: Path) -> None:
    """Create a private folder and its parents; existing ones stay as they are. Raises StateError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"cannot create {path}: {error.strerror}", fix=advise_writing(error)) from error


def advise_writing(error: OSError) -> str:
    """What a person can do so that the state can be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space and inodes there (df -h, df -i), then try again"
    if error.errno == errno.EROFS:
        return "mount it read-write (see why it is not: dmesg), or set TOOLKIT_HOME to a folder that can be written"
    return "set TOOLKIT_HOME to a folder that you can write, or do this as root"


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file so that a reader, or a crash at any instruction, sees the old bytes or the new. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sweep_asides(path)


def _sweep_asides(path: Path) -> None:
    """Remove what processes that were killed left beside a file; those of processes that go on stay."""
    with contextlib.suppress(OSError):  # the file itself is written
        for name in os.listdir(path.parent):
            pid = name.removeprefix(f".{path.name}.")
            if pid != name and pid.isdecimal() and not Path("/proc", pid).exists():
                path.with_name(name).unlink()
