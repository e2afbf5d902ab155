"""The pins: which commits of the upstreams this release was tested with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from toolkit.documents import convert_entry, read_entries
from toolkit.model import Value
from toolkit.snapshot.layout import Origin

Commit = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]


class PinEntry(Value, frozen=True):
    """One revision of a source, as pins.yaml has it."""

    revision: Annotated[str, msgspec.Meta(pattern=r"^[\w.+-]{1,100}$")]
    commit: Commit


def load_pins(data: Path) -> dict[str, tuple[Origin, ...]]:
    """The pinned revisions by source. Raises SettingsError."""
    inside = data / "pins.yaml"  # in a wheel; in a checkout they lie where the checkouts of upstreams land
    file = inside if inside.is_file() else data.parent / "vendored" / "pins.yaml"
    pins: dict[str, tuple[Origin, ...]] = {}
    for entry in read_entries(file):
        given = convert_entry(entry, tuple[PinEntry, ...])
        pins[entry.key] = tuple(Origin(source=entry.key, revision=one.revision, commit=one.commit) for one in given)
    return pins
