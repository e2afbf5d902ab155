"""The settings and the sources as they were read before: YAML takes longer than all else that a quiet night does.

A memory is believed while the file that it was read from, and the code that read it, look as they did then. It is never
more than a saving: whatever is wrong with it, the file is read. Settings that hold a token are read every time: no
other file gets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from toolkit import __version__
from toolkit.config import Settings, load_settings
from toolkit.errors import DAMAGED
from toolkit.model import Source, Value
from toolkit.paths import Paths, check_state_owner, data_folder, write_atomically
from toolkit.stamps import Stamp, take_stamp

T = TypeVar("T")

CODE = ("model", "runs", "config", "documents", "catalog/load", "recordings/retain")


class Memory(Value, frozen=True):
    """What a file said."""

    written_by: str
    stamps: tuple[Stamp, ...]
    said: msgspec.Raw


def recall_settings(paths: Paths) -> Settings:
    """The settings of this host. Raises SettingsError for a mistake in them, StateError for state that is not ours."""
    if not os.path.lexists(paths.settings):
        return load_settings(paths.settings)
    return _recall(paths, paths.settings, Settings, load_settings)


def recall_sources(paths: Paths) -> tuple[Source, ...]:
    """The sources of the curated catalog. Raises SettingsError, StateError."""
    return _recall(paths, data_folder() / "sources.yaml", tuple[Source, ...], _load_sources)


def _load_sources(file: Path) -> tuple[Source, ...]:
    from toolkit.catalog.load import load_sources  # and YAML with it

    return load_sources(file.parent)


def _recall(paths: Paths, file: Path, kind: type[T], read: Callable[[Path], T]) -> T:
    check_state_owner(paths.state, os.getuid())
    memory = paths.state / "cache" / f"{file.stem}.msgpack"
    stamps = _take_stamps(file)
    with suppress(OSError, *DAMAGED):
        held = msgspec.msgpack.decode(memory.read_bytes(), type=Memory)
        if held.written_by == __version__ and held.stamps == stamps:
            return msgspec.msgpack.decode(held.said, type=kind)
    said = read(file)
    if isinstance(said, Settings) and _holds_secret(said):
        return said
    kept = Memory(written_by=__version__, stamps=stamps, said=msgspec.Raw(msgspec.msgpack.encode(said)))
    with suppress(OSError):  # a full disk or a read-only state costs the next start its speed
        write_atomically(memory, msgspec.msgpack.encode(kept))
    return said


def _holds_secret(settings: Settings) -> bool:
    if not settings.sources:
        return False
    from toolkit.sources.git_names import redact  # most hosts have no source of their own

    return any(redact(one.url) != one.url for one in settings.sources.values())


def _take_stamps(file: Path) -> tuple[Stamp, ...]:
    package = Path(__file__).parent.parent
    return tuple(take_stamp(str(path)) for path in (file, *(package / f"{name}.py" for name in CODE)))
