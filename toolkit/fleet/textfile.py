"""Put toolkit.prom where node_exporter's textfile collector reads it: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from toolkit.config import Settings
from toolkit.errors import StateError
from toolkit.paths import Paths

NAME = "toolkit.prom"


def choose_folder(settings: Settings, paths: Paths) -> Path | None:
    """The folder that the settings name, or the distribution's where it is there; None: nobody asked for metrics."""
    if settings.textfile is not None:
        return Path(settings.textfile) if settings.textfile else None
    return paths.textfile if paths.textfile and paths.textfile.is_dir() else None


def write_textfile(folder: Path, text: str) -> None:
    """Replace toolkit.prom by one rename. Raises StateError.

    The folder may be another user's, node_exporter's own: no link in it, nor one in its place, is followed, and no
    file that was there is written to.
    """
    aside = f".{NAME}.{os.getpid()}"  # node_exporter reads all files whose name ends in .prom
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _fail(folder, error) from error
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=place)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=place)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        os.rename(aside, NAME, src_dir_fd=place, dst_dir_fd=place)
    except OSError as error:
        raise _fail(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside, dir_fd=place)
        os.close(place)


def _fail(folder: Path, error: OSError) -> StateError:
    why = "it is a link" if folder.is_symlink() else error.strerror
    return StateError(
        f"cannot write metrics to {folder}: {why}", fix="mend the folder, or the setting `textfile` (a folder, or off)"
    )
