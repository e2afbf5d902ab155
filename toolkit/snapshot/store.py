"""Snapshots on disk: built aside, renamed whole, made current by one rename, removed when they are old.

A crash at any instruction leaves what was there, and at most a folder whose name begins with `.building-`, which the
next sync removes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from toolkit import __version__
from toolkit.errors import DAMAGED, StateError
from toolkit.paths import advise_writing, make_folder, write_atomically
from toolkit.snapshot.layout import SHAPE, Manifest, Receipt, Snapshot, current_name
from toolkit.snapshot.use import claim_snapshot, use_snapshot

BUILDING = ".building-"
WRITERS = 8  # files written at the same time: one journal commit of the disk then serves several
TRIES = 5  # a reader that is overtaken by a swap so often is told that there is nothing
ID_LENGTH = 16  # hexadecimal digits of the manifest's SHA-256


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: the same for the same content on every machine."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)


def name_snapshot(manifest: Manifest) -> str:
    """The id of a snapshot: the beginning of its manifest's SHA-256, which holds that of every file."""
    return hashlib.sha256(encode_manifest(manifest)).hexdigest()[:ID_LENGTH]


# Makes something from a snapshot; the call that it is given waits until the snapshot's files are there.
Derive = Callable[[Snapshot, Callable[[], None]], None]


def write_snapshot(
    root: Path,
    manifest: Manifest,
    contents: Mapping[str, bytes],
    notes: tuple[str, ...] = (),
    derive: Derive | None = None,
) -> Snapshot:
    """Write a snapshot below root; `contents` are the files' bytes by SHA-256. One that is there is the newest again.

    `derive` adds what is made from it to its folder while the files are written, before anybody else sees that. Raises
    StateError when it cannot be written; what was there stays.
    """
    name = name_snapshot(manifest)
    present = read_snapshot(root, name)
    if present is not None:
        mend_files(present, contents)
        return _renew(root, present)
    make_folder(root)
    aside = root / f"{BUILDING}{os.getpid()}-{secrets.token_hex(4)}"
    receipt = Receipt(
        shape=SHAPE,
        id=name,
        built=round(time.time(), 3),
        toolkit=__version__,
        host=os.uname().nodename,
        serial=_next_serial(root),
        notes=notes,
    )
    try:
        aside.mkdir(mode=0o755)
        with _writing(_list_files(aside, manifest, contents)) as wait:
            if derive is not None:
                derive(Snapshot(id=name, path=str(aside), manifest=manifest, receipt=receipt), wait)
        write_atomically(aside / "manifest.json", encode_manifest(manifest))
        _sync_folder(aside)
        _write_receipt(aside, receipt)
        _replace_folder(aside, root / name)
    except OSError as error:
        raise StateError(f"cannot write a snapshot in {root}: {error.strerror}", fix=advise_writing(error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Snapshot(id=name, path=str(root / name), manifest=manifest, receipt=receipt)


def _write_receipt(folder: Path, receipt: Receipt) -> None:
    write_atomically(folder / "receipt.json", msgspec.json.format(msgspec.json.encode(receipt), indent=1))


def mend_files(snapshot: Snapshot, contents: Mapping[str, bytes]) -> None:
    """Write again what is not what the manifest says: a disk lost it, or somebody edited it. Raises StateError."""
    for entry in snapshot.manifest.entries:
        file = Path(snapshot.path) / entry.file
        try:
            if hashlib.sha256(_read_if_there(file)).hexdigest() != entry.sha256:
                write_atomically(file, contents[entry.sha256], 0o555 if entry.executable else 0o444)
        except OSError as error:
            raise StateError(f"cannot mend {file}: {error.strerror}", fix=advise_writing(error)) from error


def _read_if_there(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _next_serial(root: Path) -> int:
    return 1 + max((one.receipt.serial for one in list_snapshots(root)), default=0)


def _renew(root: Path, snapshot: Snapshot) -> Snapshot:
    """A source that went back to what it was makes an old snapshot the newest again."""
    if snapshot.receipt.serial and snapshot.receipt.serial == _next_serial(root) - 1:
        return snapshot
    receipt = msgspec.structs.replace(snapshot.receipt, serial=_next_serial(root))
    try:
        _write_receipt(Path(snapshot.path), receipt)
    except OSError as error:
        raise StateError(f"cannot write {snapshot.path}: {error.strerror}", fix=advise_writing(error)) from error
    return msgspec.structs.replace(snapshot, receipt=receipt)


def _list_files(folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> list[NewFile]:
    """The files of a snapshot, and folders for them."""
    for parent in dict.fromkeys(os.path.dirname(entry.file) for entry in manifest.entries):
        os.makedirs(folder / parent, mode=0o755, exist_ok=True)
    # Releases share most of their files: one is written, the others are links to it.
    twins: dict[tuple[str, bool], list[str]] = {}
    for entry in manifest.entries:
        twins.setdefault((entry.sha256, entry.executable), []).append(f"{folder}/{entry.file}")
    return [
        NewFile(paths[0], contents[sha256], 0o555 if executable else 0o444, tuple(paths[1:]))
        for (sha256, executable), paths in twins.items()
    ]


class NewFile(NamedTuple):
    """A file that is not there yet."""

    path: str
    data: bytes
    mode: int
    twins: tuple[str, ...] = ()  # other names of it
    masked: bool = True  # by the umask


def write_files(files: Iterable[NewFile]) -> None:
    """Write files down to the disk. Raises OSError of one that fails."""
    with _writing(files):
        pass


@contextmanager
def _writing(files: Iterable[NewFile]) -> Iterator[Callable[[], None]]:
    """Write files while the block runs, some at a time, since each waits for the disk; gives what waits for all.

    Raises OSError of one that fails.
    """
    every = tuple(files)
    shares = [every[number::WRITERS] for number in range(WRITERS)]  # a task a file would cost more than the writing
    with ThreadPoolExecutor(WRITERS) as pool:
        tasks = [pool.submit(_write_share, share) for share in shares]

        def wait() -> None:
            for task in tasks:
                task.result()

        yield wait
        wait()


def _write_share(files: tuple[NewFile, ...]) -> None:
    for file in files:
        _write_file(file)


def _write_file(file: NewFile) -> None:
    descriptor = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, file.mode)
    try:
        if not file.masked:
            os.fchmod(descriptor, file.mode)
        data = file.data
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for twin in file.twins:
        try:
            os.link(file.path, twin, follow_symlinks=False)
        except OSError:  # a file system without links, or with no room for one more
            _write_file(file._replace(path=twin, twins=()))


def _replace_folder(aside: Path, target: Path) -> None:
    """Rename a built folder into place; what lies there has no receipt, or it would have been taken."""
    if target.exists():
        shutil.rmtree(target)
    aside.rename(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_snapshot(root: Path, name: str) -> Snapshot | None:
    """The snapshot of this id, or None when it is not there, not whole, or not what its name says."""
    folder = root / name
    try:
        receipt = msgspec.json.decode((folder / "receipt.json").read_bytes(), type=Receipt)
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, *DAMAGED):
        return None
    if receipt.id != name or name_snapshot(manifest) != name:
        return None
    return Snapshot(id=name, path=str(folder), manifest=manifest, receipt=receipt)


def list_snapshots(root: Path) -> tuple[Snapshot, ...]:
    """Every whole snapshot, newest first."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"cannot read {root}: {error.strerror}") from error
    found = (read_snapshot(root, name) for name in names if not name.startswith("."))
    return tuple(sorted(filter(None, found), key=lambda one: one.order, reverse=True))


def read_current(root: Path, current: Path) -> Snapshot | None:
    """The current snapshot, or None when there is none or it is broken."""
    name = current_name(current)
    return read_snapshot(root, name) if name else None


@contextmanager
def use_current(root: Path, current: Path) -> Iterator[Snapshot | None]:
    """The current snapshot, which stays while the block runs; None when there is none or it is broken."""
    with ExitStack() as used:
        yield _take_current(root, current, used)


def _take_current(root: Path, current: Path, used: ExitStack) -> Snapshot | None:
    for _ in range(TRIES):
        name = current_name(current)
        snapshot = read_snapshot(root, name) if name else None
        if snapshot is not None:
            try:
                used.enter_context(use_snapshot(root, Path(snapshot.path) / "receipt.json"))
            except StateError:
                continue  # another one became the current one, and this one was removed
            return snapshot
        if current_name(current) == name:
            return None
    return None


def make_current(root: Path, current: Path, name: str) -> None:
    """Let `current` name this snapshot, by one rename: a reader sees the old one or the new. Raises StateError."""
    try:
        swap_link(current, f"{root.name}/{name}")
    except OSError as error:
        raise StateError(
            f"cannot make snapshot {name} the current one: {error.strerror}", fix=advise_writing(error)
        ) from error


def swap_link(link: Path, target: str) -> None:
    """Let a link name another target, by one rename. Raises OSError; the link is then what it was."""
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        aside.unlink(missing_ok=True)
        aside.symlink_to(target)
        aside.replace(link)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(link.parent)


def find_garbage(root: Path, current: Path, keep: int) -> tuple[str, ...]:
    """The names of all but the newest `keep` snapshots and the current one."""
    held = {one.id for one in list_snapshots(root)[: max(keep, 1)]} | {current_name(current)}
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return tuple(name for name in names if name not in held and not name.startswith("."))


def collect_garbage(root: Path, current: Path, keep: int) -> tuple[str, ...]:
    """Remove the garbage and what a crash left; gives what went. A snapshot that a tool is running from stays."""
    removed = tuple(name for name in find_garbage(root, current, keep) if _remove(root / name))
    sweep_unfinished(root, current)
    return removed


def sweep_unfinished(root: Path, current: Path) -> None:
    """Remove what a crash left half built; only while the lock is held, since a running sync builds there too."""
    for path in (*root.glob(".*"), *current.parent.glob(f".{current.name}.*")):
        _remove(path)


def _remove(path: Path) -> bool:
    """Take the receipt away first, so that a crash in between leaves no snapshot that looks whole.

    False when a tool is running from it.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return True
        with claim_snapshot(path) as free:
            if free:
                (path / "receipt.json").unlink(missing_ok=True)
                shutil.rmtree(path)
            return free
    except OSError as error:
        raise StateError(f"cannot remove {path}: {error.strerror}", fix=advise_writing(error)) from error
