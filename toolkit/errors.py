"""One error family: what happened, why, and what to do, with the exit status of each kind.

Library code raises these and nothing else on purpose; only `cli` prints them and exits. The statuses follow
timeout(1) and docker-run(1), so that a script can tell the tool's own failure from ours.
"""

from __future__ import annotations

import msgspec

# What decoding raises for bytes that are not what we wrote: a text that is not UTF-8, or arrays in arrays, is another
# error than a wrong type.
DAMAGED = (msgspec.MsgspecError, ValueError, RecursionError)


class ToolkitError(Exception):
    """Something that a person can act on: `what` happened, and the `fix` that they can try."""

    status = 125

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class UsageError(ToolkitError):
    """The command line or a file that a person wrote does not mean anything to us."""


class SettingsError(ToolkitError):
    """A settings or catalog file has a mistake; the message names file, line and key."""


class CannotRun(ToolkitError):
    """The tool exists but cannot run here, or must not."""

    status = 126


class NoSuchTool(ToolkitError):
    """Nothing in the catalog has this name."""

    status = 127


class NoSuchRecording(ToolkitError):
    """No recording has this name."""


class NoSuchRun(ToolkitError):
    """No run of this name is on, or it is not this user's."""


class StateError(ToolkitError):
    """A file or folder of ours cannot be read or written."""


class SyncFailed(ToolkitError):
    """A sync could not be done; what was there before stands."""

    status = 1


class SourceError(ToolkitError):
    """A source cannot be read: its server, its history or our copy of it; other sources are not affected.

    `damaged` says that the copy on this host is at fault: discard it and fetch anew.
    """

    def __init__(self, what: str, *, fix: str = "", damaged: bool = False) -> None:
        super().__init__(what, fix=fix)
        self.damaged = damaged
