"""The hold of a rollback: sync lets a snapshot that a person went back to stand until the person says otherwise.

A file names the held snapshot, and counts only while `current` names the same one: a crash between the two writes,
or a sync that went forward, leaves nothing held.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import StateError
from toolkit.paths import advise_writing, write_atomically
from toolkit.snapshot.layout import current_name


def find_held(hold: Path, current: Path) -> str:
    """The id of the current snapshot if a rollback holds it, else an empty text."""
    try:
        name = hold.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
    return name if name and name == current_name(current) else ""


def hold_snapshot(hold: Path, name: str) -> None:
    """Hold this snapshot once it is the current one. Raises StateError."""
    try:
        write_atomically(hold, f"{name}\n".encode())
    except OSError as error:
        raise StateError(f"cannot write {hold}: {error.strerror}", fix=advise_writing(error)) from error


def end_hold(hold: Path) -> None:
    """Hold nothing any more. Raises StateError."""
    try:
        hold.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"cannot remove {hold}: {error.strerror}", fix=advise_writing(error)) from error
