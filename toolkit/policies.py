"""Read the policy file: root's alone, or refused; a bad key is an error that names file, line and key."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from toolkit.errors import CannotRun, SettingsError
from toolkit.launch.policy import Audited, Caps, Default, Forced, Policy, Recorded, Rule, Share
from toolkit.model import Risk
from toolkit.paths import may_exist
from toolkit.trust import find_distrust

if TYPE_CHECKING:
    from toolkit.documents import Entry

KINDS = {
    "default": Default,
    "allow": tuple[Risk, ...],
    "record": Recorded,
    "force": Forced,
    "caps": Caps,
    "audit": Audited,
    "pressure": Share,
}
OWN_TRUST = "chown root: {0} && chmod go-w {0}, and so for every folder that leads to it"


class PolicyError(SettingsError, CannotRun):
    """The policy cannot be read or trusted, so nothing may run."""

    status = CannotRun.status


def load_policy(file: Path) -> Policy:
    """Read a policy; one that does not exist lets everybody run everything. Raises PolicyError."""
    if not may_exist(file):
        return Policy()
    try:
        distrust = find_distrust(file, (0, os.geteuid()))  # a user's own, where TOOLKIT_HOME names it
    except OSError as error:
        raise _unreadable(file, error) from error
    if distrust:
        raise PolicyError(f"the policy {file} cannot be trusted: {distrust}", fix=OWN_TRUST.format(file))
    try:
        return _read(file)
    except PolicyError:
        raise
    except SettingsError as error:
        raise PolicyError(error.what, fix="as long as it cannot be read, nothing runs") from error


def _unreadable(file: Path, error: OSError) -> PolicyError:
    real = os.path.realpath(file)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # its name is there, or it would not have been opened
        where = "itself" if error.errno == errno.ELOOP else f"{real}, which is not there"
        return PolicyError(
            f"the policy {file} is a link to {where}",
            fix="as long as it is, nothing runs: put the policy where the link leads, or remove the link",
        )
    through = f", a link to {real}" if real != str(file) else ""
    return PolicyError(
        f"cannot read the policy {file}{through}: {error.strerror}",
        fix=f"everybody must be able to read it: chmod 644 {real}, in folders that everybody may enter (chmod a+x)",
    )


def _read(file: Path) -> Policy:
    # Imported here because most hosts have no policy, and YAML would cost every run 20 ms.
    from toolkit.documents import convert_entry, list_entries, point_at, read_entries

    given: dict[str, object] = {}
    entries = read_entries(file)
    if not entries:  # as after a crash or on a full disk: to let everybody run everything has to be said
        raise PolicyError(f"the policy {file} says nothing", fix="write `default: allow` or `default: deny` into it")
    for entry in entries:
        if entry.key == "rules":
            given["rules"] = tuple(_read_rule(one) for one in list_entries(entry))
        elif entry.key in KINDS:
            given[entry.key] = convert_entry(entry, KINDS[entry.key])
        else:
            raise point_at(entry, f"no such key; there are {', '.join(f'`{key}`' for key in (*KINDS, 'rules'))}")
    return replace(Policy(path=str(file)), **given)


def _read_rule(entry: Entry) -> Rule:
    from toolkit.documents import convert_entry, point_at

    if isinstance(entry.value, dict) and "name" in entry.value:
        raise point_at(entry, "a rule has its name already", "name")
    return replace(convert_entry(entry, Rule), name=entry.key.removeprefix("rules."))
