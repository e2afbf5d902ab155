"""The settings file, as one typed value; a bad key is an error that names file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from toolkit.errors import SettingsError
from toolkit.model import Limits, Risk, Value

Positive = Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)]


class LimitSettings(Value, frozen=True):
    """The `limits:` section; what is not given keeps the program's default."""

    duration: Positive = Limits().duration
    grace: Annotated[float, msgspec.Meta(ge=0, le=600)] = Limits().grace
    output_mib: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)] = Limits().output_bytes >> 20
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = Limits().nice


class Settings(Value, frozen=True):
    """What an administrator can set; every field has a default."""

    limits: Limits = Limits()
    allow: tuple[Risk, ...] = ()  # risk classes that need no --allow


def load_settings(file: Path) -> Settings:
    """Read the settings file; one that does not exist means defaults. Raises SettingsError."""
    try:
        if not file.exists():
            return Settings()
    except OSError as error:  # a folder on the way that this user may not enter
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    return _read_settings(file)


def _read_settings(file: Path) -> Settings:
    # Imported here because most hosts have no settings file, and YAML would cost every command 20 ms.
    from toolkit.documents import convert_entry, point_at, read_entries

    settings = Settings()
    for entry in read_entries(file):
        if entry.key == "limits":
            given = convert_entry(entry, LimitSettings)
            limits = Limits(
                duration=given.duration, grace=given.grace, output_bytes=given.output_mib << 20, nice=given.nice
            )
            settings = msgspec.structs.replace(settings, limits=limits)
        elif entry.key == "allow":
            settings = msgspec.structs.replace(settings, allow=convert_entry(entry, tuple[Risk, ...]))
        else:
            raise point_at(entry, "no such setting; there are `limits` and `allow`")
    return settings
