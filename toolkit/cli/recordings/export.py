"""`toolkit recordings export`: a recording in a form that other programs read."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from toolkit.cli.events import raise_problem
from toolkit.cli.files import NAMED
from toolkit.cli.numbers import Number
from toolkit.cli.places import own_paths
from toolkit.errors import StateError, UsageError
from toolkit.launch.outgoing import write_all
from toolkit.recordings.layout import Recording
from toolkit.recordings.read import find_recording

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FORMATS = ("asciicast", "text", "jsonl", "csv", "folded", "html")


@click.command("export")
@click.argument("name", default="last")
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), required=True, help="What to make of it.")
@click.option("--output", "-o", type=NAMED, metavar="FILE", help="Write this file, for your eyes alone.")
@click.option("--force", is_flag=True, help="Write it also when it exists.")
@click.option("--table", type=Number(1), metavar="N", help="Only table N (csv).")
def command(name: str, form: str, output: str | None, force: bool, table: int | None) -> None:
    """A recording in a form that other programs read. NAME is its name, the beginning of it, or `last`.

    \b
    asciicast  plays in a terminal or a web page (asciinema)
    text       what it printed, control characters made visible
    jsonl      all of it as data: run, frames, stderr, costs, result
    csv        tables and histograms as rows
    folded     stacks for flamegraph.pl or speedscope
    html       one page with charts, which loads nothing from elsewhere
    """
    if table is not None and form != "csv":
        raise UsageError("--table is for --format csv")
    recording = find_recording(own_paths().recordings, name)
    pieces = open_export(recording, form, table)
    if output is None or output == "-":
        for piece in pieces:
            raise_problem(write_all(1, piece))
    else:
        write_file(Path(output), pieces, force=force)


def open_export(recording: Recording, form: str, table: int | None = None) -> Iterator[bytes]:
    """The pieces of a recording in one of FORMATS; a form is loaded when it is asked for."""
    match form:
        case "asciicast":
            from toolkit.recordings.export import asciicast

            return asciicast.export(recording)
        case "text":
            from toolkit.recordings.export import text

            return text.export(recording)
        case "jsonl":
            from toolkit.recordings.export import lines

            return lines.export(recording)
        case "csv":
            from toolkit.recordings.export import rows

            return rows.export(recording, table)
        case "folded":
            from toolkit.recordings.export import folded

            return folded.export(recording)
        case "html":
            from toolkit.recordings.export import page

            return page.export(recording)
        case _:
            raise UsageError(f"there is no format {form!r}")


def write_file(path: Path, pieces: Iterable[bytes], *, force: bool) -> None:
    """Write a file so that it is there whole or not at all; without `force` one that exists stays. StateError."""
    _check_target(path, force=force)
    aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        with _remove_at_the_end(aside):
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if force:
                aside.replace(path)
            else:
                _move_to_free_name(aside, path)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error


@contextlib.contextmanager
def _remove_at_the_end(aside: Path) -> Iterator[None]:
    """Remove a file, if it is still there, when the block ends, and when ^C, SIGTERM or SIGHUP ends it."""

    def remove() -> None:
        with contextlib.suppress(OSError):
            aside.unlink()

    def leave(number: int, _: object) -> None:
        remove()  # at once: there is no instruction at which it could be forgotten
        raise SystemExit(128 + number)

    before = {one: signal.getsignal(one) for one in ENDING}
    for one in ENDING:
        if before[one] is not signal.SIG_IGN:  # nohup, and a job in the background
            signal.signal(one, leave)
    try:
        yield
    finally:
        remove()
        for one, handler in before.items():
            signal.signal(one, handler)


def _check_target(path: Path, *, force: bool) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        # Renaming over it would put a file in the place of /dev/null.
        raise StateError(f"{path} is no file", fix="name a file, or leave -o away and redirect stdout")
    if not force:
        raise StateError(f"{path} exists", fix="--force writes it anew")


def _move_to_free_name(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError as error:
        raise StateError(f"{path} exists", fix="--force writes it anew") from error
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        aside.rename(path)  # a file system without hard links; it did not exist a moment ago
