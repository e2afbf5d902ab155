"""The index on disk: loaded in milliseconds while nothing changed, built again by itself when something did."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from toolkit import __version__
from toolkit.catalog.query import name_tool
from toolkit.errors import DAMAGED
from toolkit.model import Index, Value, Variant
from toolkit.outside import find_outside
from toolkit.paths import Paths, check_state_owner, data_folder, write_atomically
from toolkit.stamps import Stamp, take_stamp

if TYPE_CHECKING:
    from toolkit.snapshot.build import Local, Reader

DECODER = msgspec.msgpack.Decoder(tuple[Variant, ...])
LAYOUT = 3  # raise it when the meaning of a stored index changes without its types changing


class Stored(Value, frozen=True):
    """An index with the stamps that must still hold for it to be true."""

    written_by: str
    state: str  # the state folder that it speaks of: a copy of it elsewhere has another snapshot
    stamps: tuple[Stamp, ...]
    index: Index  # without its variants
    variants: dict[str, memoryview]  # those of each tool, packed: a run unpacks no others


def load_index(paths: Paths, reader: Reader | None = None, name: str = "") -> Index:
    """The catalog of this host: the stored one while every stamp holds, else built now and stored.

    `reader` keeps what it reads, for who loads twice. With a `name`, as a person types it, variants of other tools than
    the one that it is about may be missing. Raises SettingsError for a mistake in the curated catalog and StateError
    for state that is not ours to trust.
    """
    check_state_owner(paths.state, os.getuid())
    stored = _read_stored(paths.index)
    mine = stored is not None and stored.state == str(paths.state)
    if stored is not None and mine and all(take_stamp(stamp.path) == stamp for stamp in stored.stamps):
        with suppress(*DAMAGED):
            return _unpack(stored, name)
    return _build(paths, stored, reader)


def _unpack(stored: Stored, name: str = "") -> Index:
    """The index with all its variants, or with those of the tool that a name is about. Raises what DAMAGED lists."""
    tool = name_tool(stored.index, name) if name else None
    if tool is None:
        packed = tuple(stored.variants.values())
        return replace(stored.index, variants=tuple(one for part in packed for one in DECODER.decode(part)))
    variants = DECODER.decode(stored.variants[tool.name]) if tool.name in stored.variants else ()
    return replace(stored.index, variants=variants, outside=find_outside(variants))


def _pack(index: Index) -> dict[str, memoryview]:
    grouped = itertools.groupby(index.variants, key=lambda one: one.tool)
    return {tool: memoryview(msgspec.msgpack.encode(tuple(variants))) for tool, variants in grouped}


def _build(paths: Paths, stored: Stored | None, reader: Reader | None) -> Index:
    # Building reads YAML and ELF; none of it is imported on the way that `list` takes when nothing changed.
    from toolkit.snapshot.build import Reader, analysis_key, build_index
    from toolkit.snapshot.found import discover_snapshot, document_packages
    from toolkit.snapshot.store import use_current

    data, reader = data_folder(), reader or Reader()
    # Behind the link: another snapshot has another. A snapshot's files never change, so its receipt stands for them;
    # 10,000 stat calls would cost 25 ms.
    receipt = take_stamp(str(paths.current / "receipt.json"))
    local = reader.local = _look_around(data, reader.local)
    curated = local.curated
    if stored and _same_code(stored, data):
        with suppress(*DAMAGED):
            earlier = _unpack(stored).variants
            whole = (one for one in earlier if not one.analysis.parts)
            reader.learn({analysis_key(one.engine, one.found.stem, one.sha256): one.analysis for one in whole})
    with use_current(paths.snapshots, paths.current) as snapshot:
        synced = discover_snapshot(snapshot) if snapshot else ()
        found = (*document_packages(local.found, snapshot, curated.sources), *synced)
        index = build_index(curated, found, reader)
    parts = _stamp_parts(index, {one.path for one in local.found})
    built = Stored(
        written_by=_writer(),
        state=str(paths.state),
        stamps=(receipt, *local.stamps, *parts),
        index=replace(index, variants=()),
        variants=_pack(index),
    )
    try:
        write_atomically(paths.index, msgspec.msgpack.encode(built))
    except OSError:
        # A full disk or a read-only state costs the next start its speed, not this one its answer.
        return index
    return index


def _look_around(data: Path, before: Local | None) -> Local:
    """What lies on this host; what was seen of it before while that still holds."""
    from toolkit.catalog.load import load_curated
    from toolkit.snapshot.build import Local
    from toolkit.sources.registry import INHOUSE, PACKAGES

    if before and all(take_stamp(stamp.path) == stamp for stamp in before.stamps):
        return before
    watched = (*_own_files(data), *INHOUSE.watched(data), *PACKAGES.watched(Path("/")))
    # Stamped before anything is read: what changes meanwhile has another stamp then.
    stamps = [take_stamp(str(path)) for path in watched]
    curated = load_curated(data)
    found = (*INHOUSE.discover(data), *PACKAGES.discover(Path("/")))
    stamps += [take_stamp(one.path) for one in found]
    return Local(tuple(stamps), curated, found, dict.fromkeys(one.path for one in found))


def _stamp_parts(index: Index, paths: set[str]) -> list[Stamp]:
    """The stamps of what the files at these paths compile and do not hold themselves."""
    from toolkit.analysis.parts import locate_part

    found = (one for one in index.variants if one.analysis.parts and one.found.path in paths)
    return [take_stamp(locate_part(one.found.path, name)) for one in found for name in one.analysis.parts]


def _own_files(data: Path) -> tuple[Path, ...]:
    """The files of ours that an index is made from: the curated data, and the code that reads variants."""
    from toolkit.snapshot.shipped import PACKAGE, list_code

    code = (PACKAGE / "sources", PACKAGE / "catalog")
    return (
        *(data / name for name in ("categories.yaml", "sources.yaml", "known.yaml", "tools")),
        *sorted((data / "tools").glob("*.yaml")),
        *(PACKAGE / f"{name}.py" for name in ("troubles", "answers", "outside", "trust")),
        *list_code(),
        *(path for folder in code for path in sorted(folder.glob("*.py"))),
    )


def _same_code(stored: Stored, data: Path) -> bool:
    """Whether earlier analyses can be taken over: the code that made them is the code that would make them now."""
    before = {stamp.path: stamp for stamp in stored.stamps}
    return all(before.get(str(path)) == take_stamp(str(path)) for path in _own_files(data) if path.suffix == ".py")


def _read_stored(file: Path) -> Stored | None:
    """The stored index, or None for one that is not there, not whole, or written by another version."""
    try:
        stored = msgspec.msgpack.decode(file.read_bytes(), type=Stored)
    except (OSError, *DAMAGED):
        return None
    return stored if stored.written_by == _writer() else None


def _writer() -> str:
    return f"{__version__}/{LAYOUT}"
