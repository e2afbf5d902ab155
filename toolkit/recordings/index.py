"""Which recordings may be wanted, in milliseconds for 100,000 of them: an index in SQLite, never the truth.

It holds what is asked for and nothing else; what is shown is read from the folders. Each question brings it up to date
first: the names when the folder of all recordings changed, and those recordings that have no result yet. It can be
removed at any time; one that is missing, damaged or of another shape is made anew, and where it cannot be written
(a disk that is full or read-only, another process that holds it) a copy in memory answers.

Its journal is SQLite's own rollback journal: WAL needs memory that processes share, which NFS has not.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from toolkit.model import Value
from toolkit.paths import make_folder
from toolkit.recordings.layout import ID, Query, State
from toolkit.recordings.read import list_raw_names, read_recording

if TYPE_CHECKING:
    import sqlite3

SHAPE = 3  # of the tables
PATIENCE = 2.0  # seconds for another process that writes
CHUNK = 2000  # recordings written at once, so that nobody waits long for us
# The kernel's clock for files ticks every few milliseconds, NFS servers' every second: a folder that changed just now
# may change again and look the same.
SETTLED = 2_000_000_000  # nanoseconds
DAMAGED = "damaged"  # the state of a folder that holds no recording, or not yet
UNFINISHED = f"state IN ('{State.RUNNING}', '{State.CRASHED}', '{State.UNKNOWN}', '{DAMAGED}')"  # these may change

TABLES = f"""
CREATE TABLE IF NOT EXISTS recordings (
    id TEXT PRIMARY KEY, started REAL, tool TEXT, category TEXT, variant TEXT, host TEXT, user TEXT,
    state TEXT, tags TEXT, changed INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON recordings (state) WHERE {UNFINISHED};
CREATE TABLE IF NOT EXISTS folder (one INTEGER PRIMARY KEY, stamp TEXT, newest TEXT, older INTEGER);
"""

Row = tuple[str, float, str, str, str, str, str, str, str, int]


def find_ids(folder: Path, file: Path, query: Query, limit: int) -> tuple[str, ...]:
    """The names of at most `limit` recordings in a folder that are wanted, newest first. Raises StateError.

    `file` is that of the index. A recording whose files changed behind its back may be among them or missing.
    """
    import sqlite3

    for _ in range(2):
        try:
            return _ask(_open(file), folder, query, limit)
        except sqlite3.OperationalError:
            break  # it cannot be written now
        except sqlite3.DatabaseError:
            _remove(file)
        except OSError:
            break
    try:
        return _ask(_copy(file), folder, query, limit)
    except sqlite3.DatabaseError:
        return _ask(_make(":memory:"), folder, query, limit)


def find_damaged(file: Path) -> tuple[str, ...]:
    """The folders that hold no recording that can be read, newest first, as the last question saw them."""
    import sqlite3

    try:
        db = _open(file)
        try:
            found = db.execute("SELECT id FROM recordings WHERE state = ? ORDER BY id DESC", (DAMAGED,)).fetchall()
        finally:
            db.close()
    except (sqlite3.Error, OSError):
        return ()  # it cannot be written now, and another time tells
    return tuple(name for (name,) in found)


def forget_recording(file: Path, name: str) -> None:
    """Have a recording read anew by the next question: call it before its tags change."""
    import sqlite3

    if not file.exists():
        return
    try:
        db = _open(file)
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM recordings WHERE id = ?", (name,))
            db.execute("DELETE FROM folder")
            db.execute("COMMIT")
        finally:
            db.close()
    except (sqlite3.Error, OSError):
        _remove(file)


def _ask(db: sqlite3.Connection, folder: Path, query: Query, limit: int) -> tuple[str, ...]:
    try:
        _refresh(db, folder)
        wanted, values = _make_condition(query)
        found = db.execute(f"SELECT id FROM recordings WHERE {wanted} ORDER BY id DESC LIMIT ?", (*values, limit))  # noqa: S608
        return tuple(name for (name,) in found)
    finally:
        db.close()


def _make_condition(query: Query) -> tuple[str, tuple[str | float, ...]]:
    """The WHERE of a query, and its values; only our own words become part of the text."""
    parts: list[tuple[str, str | float]] = [("state != ?", DAMAGED)]
    parts += [
        (f"{column} = ?", value)
        for column in ("tool", "category", "variant", "host", "user", "state")
        if (value := getattr(query, column))
    ]
    parts += [("instr(tags, ?)", f" {tag} ") for tag in query.tags]
    parts += [("started >= ?", query.since)] if query.since is not None else []
    parts += [("started < ?", query.until)] if query.until is not None else []
    return " AND ".join(text for text, _ in parts), tuple(value for _, value in parts)


# --- Bringing it up to date -------------------------------------------------------------------------------------------


class Seen(Value, frozen=True, kw_only=False):
    """The folder as it was last listed: its stamp, if that tells the next change; and what tells that only names later
    than all before came since: the newest recording's, and the sum of the checksums of all names up to it."""

    stamp: str = ""
    newest: str = ""
    older: int = 0


def _refresh(db: sqlite3.Connection, folder: Path) -> None:
    now = time.time_ns()
    stamp, settled = _read_stamp(folder, now)
    held = Seen(*(db.execute("SELECT stamp, newest, older FROM folder").fetchone() or ()))
    gone: set[str] = set()
    new: set[str] = set()
    seen = held
    if held.stamp != stamp or not settled:
        new, gone, seen = _compare(db, list_raw_names(folder), held)
        seen = replace(seen, stamp=stamp if settled else "")
    new.update(_find_changed(db, folder, gone))
    ordered = sorted(new)  # rows that come in their order leave no page half empty
    for start in range(0, len(ordered), CHUNK):
        rows = [_read_row(folder, name) for name in ordered[start : start + CHUNK]]
        _write(db, "INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    if gone:
        _write(db, "DELETE FROM recordings WHERE id = ?", ((name,) for name in gone))
    if seen != held:
        _write(db, "INSERT OR REPLACE INTO folder VALUES (1, ?, ?, ?)", ((seen.stamp, seen.newest, seen.older),))


def _compare(db: sqlite3.Connection, there: list[bytes], held: Seen) -> tuple[set[str], set[str], Seen]:
    """The names of recordings that are new and that are gone, and what was seen.

    Most often there are only some later than all before. To tell that takes 10 ms for 100,000, to hold all against
    those that the index has 70.
    """
    last = held.newest.encode()
    later = [name for name in there if name > last]
    if held.newest and _sum_up(there) - _sum_up(later) == held.older:
        new = set(filter(ID.fullmatch, map(os.fsdecode, later)))
        newest = max((held.newest, *new))
        return new, set(), Seen("", newest, held.older + _sum_up(one for one in later if one <= newest.encode()))
    names, known = set(map(os.fsdecode, there)), _read_known(db)
    gone, new = known - names, set(filter(ID.fullmatch, names - known))
    newest = max((known - gone) | new, default="")
    return new, gone, Seen("", newest, _sum_up(one for one in there if one <= newest.encode()))


def _sum_up(names: Iterable[bytes]) -> int:
    """A sum that differs where names do, in whatever order they come."""
    return sum(map(zlib.crc32, names))


def _read_known(db: sqlite3.Connection) -> set[str]:
    # As one text, since fetching 100,000 rows takes three times as long.
    (names,) = db.execute("SELECT group_concat(id, '/') FROM recordings").fetchone()
    return set(names.split("/")) if names else set()


def _read_stamp(folder: Path, now: int) -> tuple[str, bool]:
    """What changes when a name comes or goes, and whether that is long enough ago to be told from the next change."""
    try:
        found = folder.stat()
    except OSError:
        return "", False
    return f"{found.st_dev}:{found.st_ino}:{found.st_ctime_ns}", found.st_ctime_ns < now - SETTLED


def _find_changed(db: sqlite3.Connection, folder: Path, gone: set[str]) -> list[str]:
    """Those without a result whose folder changed, and those that were running: they may have died."""
    rows = db.execute(f"SELECT id, state, changed FROM recordings WHERE {UNFINISHED}").fetchall()  # noqa: S608
    open_ones = [row for row in rows if row[0] not in gone]
    return [
        name for name, state, changed in open_ones if state == State.RUNNING or _read_change(folder, name) != changed
    ]


def _read_row(folder: Path, name: str) -> Row:
    changed = _read_change(folder, name)  # before the files: what changes meanwhile is read again
    one = read_recording(f"{folder}/{name}")
    if one is None:
        return (name, 0.0, "", "", "", "", "", DAMAGED, "", changed)
    run = one.run
    tags = f" {' '.join(one.tags)} " if one.tags else ""
    return (name, run.started, run.tool, run.category, run.variant, run.host, run.user, one.state, tags, changed)


def _read_change(folder: Path, name: str) -> int:
    try:
        found = os.lstat(f"{folder}/{name}").st_ctime_ns
    except OSError:
        return 0
    return found if found < time.time_ns() - SETTLED else 0


def _write(db: sqlite3.Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.executemany(statement, rows)
    db.execute("COMMIT")


# --- The file ---------------------------------------------------------------------------------------------------------


def _open(file: Path) -> sqlite3.Connection:
    """The index in its file, made if need be. Raises OSError and sqlite3.Error."""
    try:
        regular = stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:
        make_folder(file.parent)
    else:
        if not regular:
            file.unlink()
    return _make(str(file))


def _make(name: str) -> sqlite3.Connection:
    import sqlite3

    db = sqlite3.connect(name, timeout=PATIENCE, isolation_level=None)
    try:
        _make_tables(db)
    except BaseException:
        db.close()
        raise
    return db


def _make_tables(db: sqlite3.Connection) -> None:
    import sqlite3

    (shape,) = db.execute("PRAGMA user_version").fetchone()
    if shape == 0:
        db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SHAPE}; COMMIT")
    elif shape != SHAPE:
        raise sqlite3.DatabaseError("it has another shape")


def _copy(file: Path) -> sqlite3.Connection:
    """The index in memory, as far as it can be read from its file."""
    import sqlite3

    memory = sqlite3.connect(":memory:", isolation_level=None)
    with suppress(sqlite3.Error):
        held = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            held.backup(memory)
        finally:
            held.close()
    (shape,) = memory.execute("PRAGMA user_version").fetchone()
    if shape != SHAPE:
        memory.close()
        return _make(":memory:")
    return memory


def _remove(file: Path) -> None:
    for name in (file, file.with_name(f"{file.name}-journal")):
        with suppress(OSError):
            name.unlink()
