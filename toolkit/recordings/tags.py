"""A person's words on a recording: a file in its folder, so that the index can be made anew from the folders."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from toolkit.errors import StateError, UsageError
from toolkit.paths import advise_writing, write_atomically
from toolkit.recordings.files import open_folder
from toolkit.recordings.index import forget_recording
from toolkit.recordings.layout import MOST_TAGS, TAG
from toolkit.recordings.read import read_tags


def check_tags(tags: tuple[str, ...]) -> None:
    """Raises UsageError for what cannot be a tag."""
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise UsageError(f"{tag!r} cannot be a tag", fix="letters, digits and _.:/@+- make one, 64 at most")


def add_tags(path: Path, index: Path, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tag a recording; gives all of its tags. Raises StateError and UsageError."""
    check_tags(tags)
    return _change(path, index, lambda before: before | set(tags))


def remove_tags(path: Path, index: Path, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Take tags off a recording; gives those that are left. Raises StateError."""
    return _change(path, index, lambda before: before - set(tags))


def _change(path: Path, index: Path, change: Callable[[set[str]], set[str]]) -> tuple[str, ...]:
    try:
        with open_folder(path) as place:
            fcntl.flock(place, fcntl.LOCK_EX)  # two at once: neither loses the other's
            after = tuple(sorted(change(set(read_tags(place)))))
            if len(after) > MOST_TAGS:
                raise UsageError(f"a recording has at most {MOST_TAGS} tags")
            forget_recording(index, path.name)
            if after:
                write_atomically(path / "tags", "".join(f"{tag}\n" for tag in after).encode())
            else:
                (path / "tags").unlink(missing_ok=True)
            # Once more: a question in between has read the tags of before.
            forget_recording(index, path.name)
    except OSError as error:
        raise StateError(f"cannot write {path / 'tags'}: {error.strerror}", fix=advise_writing(error)) from error
    return after
