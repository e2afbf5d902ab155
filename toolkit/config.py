"""The settings file, as one typed value; a bad key is an error that names file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from toolkit.errors import SettingsError
from toolkit.model import Risk, Value
from toolkit.recordings.retain import Rules
from toolkit.runs import Limits

if TYPE_CHECKING:
    from toolkit.documents import Entry

# A source's name becomes a folder, and stands before the slash in `acme/slowio`.
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
RESERVED = frozenset({"inhouse", "packages", "libbpf-tools"})
KEYS = ("limits", "allow", "sources", "keep", "textfile", "verify", "recordings")
LOGIN = re.compile(r"https?://[^/]*@", re.ASCII | re.IGNORECASE)
LEAST_MEMORY = 16  # MiB; below it not even Python starts
Keep = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)]


class LimitSettings(Value, frozen=True):
    """The `limits:` section; what is not given keeps the program's default."""

    duration: Positive = Limits().duration
    grace: Annotated[float, msgspec.Meta(ge=0, le=600)] = Limits().grace
    output_mib: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)] = Limits().output_bytes >> 20
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = Limits().nice
    output_rate_kib: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = Limits().output_rate >> 10
    memory_mib: Annotated[int, msgspec.Meta(ge=LEAST_MEMORY, le=1 << 24)] = Limits().memory_bytes >> 20
    cpu: Annotated[float, msgspec.Meta(ge=0, le=100_000)] = Limits().cpu
    processes: Annotated[int, msgspec.Meta(ge=1, le=1 << 22)] = Limits().processes
    bpf_cost: Annotated[float, msgspec.Meta(ge=0, le=100_000)] = Limits().bpf_cost
    runs: Annotated[int, msgspec.Meta(ge=0, le=1000)] = Limits().runs
    runs_of_tool: Annotated[int, msgspec.Meta(ge=0, le=1000)] = Limits().runs_of_tool


class RecordingSettings(Value, frozen=True):
    """The `recordings:` section: what may stay of them, 0 for no bound, and the space that their disk keeps free."""

    days: Annotated[float, msgspec.Meta(ge=0, le=36500)] = 30.0
    count: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 1000
    mib: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 10240
    min_free_mib: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = Limits().free_bytes >> 20

    @property
    def rules(self) -> Rules:
        """What may stay."""
        return Rules(seconds=self.days * 86400, count=self.count, bytes=self.mib << 20)


class SourceSettings(Value, frozen=True):
    """One entry of the `sources:` section: a repository of one's own, or what differs for one of the catalog's."""

    url: str = ""
    revisions: str | tuple[str, ...] = ()
    licence: str = ""
    summary: str = ""


class Settings(Value, frozen=True):
    """What an administrator can set; every field has a default."""

    limits: Limits = Limits()
    allow: tuple[Risk, ...] = ()  # risk classes that need no --allow
    sources: dict[str, SourceSettings] = {}
    keep: Keep = 5  # snapshots
    textfile: str | None = None  # node_exporter's folder; "": none; None: the usual one, if it is there
    verify: bool = False  # whether a sync tries what it changed
    recordings: RecordingSettings = RecordingSettings()


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
        if entry.value is None and entry.key in KEYS:
            continue  # an empty section keeps the defaults
        if entry.key == "limits":
            settings = msgspec.structs.replace(settings, limits=_read_limits(convert_entry(entry, LimitSettings)))
        elif entry.key == "allow":
            settings = msgspec.structs.replace(settings, allow=convert_entry(entry, tuple[Risk, ...]))
        elif entry.key == "sources":
            settings = msgspec.structs.replace(settings, sources=_read_sources(entry))
        elif entry.key == "keep":
            settings = msgspec.structs.replace(settings, keep=convert_entry(entry, Keep))
        elif entry.key == "textfile":
            settings = msgspec.structs.replace(settings, textfile=_read_folder(entry))
        elif entry.key == "verify":
            settings = msgspec.structs.replace(settings, verify=convert_entry(entry, bool))
        elif entry.key == "recordings":
            settings = msgspec.structs.replace(settings, recordings=convert_entry(entry, RecordingSettings))
        else:
            raise point_at(entry, f"no such setting; there are {', '.join(f'`{key}`' for key in KEYS)}")
    free = settings.recordings.min_free_mib << 20
    return msgspec.structs.replace(settings, limits=msgspec.structs.replace(settings.limits, free_bytes=free))


def _read_limits(given: LimitSettings) -> Limits:
    return Limits(
        duration=given.duration,
        grace=given.grace,
        output_bytes=given.output_mib << 20,
        nice=given.nice,
        output_rate=given.output_rate_kib << 10,
        memory_bytes=given.memory_mib << 20,
        cpu=given.cpu,
        processes=given.processes,
        bpf_cost=given.bpf_cost,
        runs=given.runs,
        runs_of_tool=given.runs_of_tool,
    )


def _read_sources(entry: Entry) -> dict[str, SourceSettings]:
    from toolkit.documents import convert_entry, list_entries, point_at

    each = list_entries(entry)
    given = {one.key.removeprefix(f"{entry.key}."): convert_entry(one, SourceSettings) for one in each}
    for name in given:
        if not SOURCE_NAME.fullmatch(name) or name in RESERVED:
            raise point_at(entry, f"{name!r} cannot be the name of a source", name)
        if LOGIN.match(given[name].url) and entry.file.stat().st_mode & 0o077:
            raise SettingsError(
                f"{entry.file}: the url of {name} holds a token, and other users may read this file",
                fix=f"chmod 600 {entry.file}",
            )
    return given


def _read_folder(entry: Entry) -> str:
    from toolkit.documents import convert_entry, point_at

    if entry.value is False:  # `off`, `no` and `false` of YAML
        return ""
    given = convert_entry(entry, str)
    if not given.startswith("/") or not given.isprintable():
        raise point_at(entry, "give the absolute path of a folder, or `off`")
    return given
