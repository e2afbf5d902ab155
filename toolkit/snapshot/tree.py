"""The browsable tree of a snapshot: `tree/<category>/<tool>` are scripts that call `toolkit run`.

It is derived from the snapshot, the curated catalog and where this program lies, and so no part of the snapshot's
identity. `tree` is a link to a folder beside it whose name says what it was made from: another catalog, or a program
that moved, has another name, and is swapped in by one rename.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from toolkit import __version__
from toolkit.errors import StateError
from toolkit.model import Tool, Value
from toolkit.paths import advise_writing
from toolkit.snapshot.found import discover_snapshot
from toolkit.snapshot.layout import Snapshot
from toolkit.snapshot.store import NewFile, swap_link, write_files

if TYPE_CHECKING:
    from toolkit.catalog.curated import Curated

TREE = "tree"
LAYOUT = 1  # raise it when a script is written in another way
# As strict as a name in a shell's prompt should be: no option, no hidden file, nothing that needs quotes.
NAME = re.compile(r"[A-Za-z0-9_][\w.+-]{0,199}", re.ASCII)


class TreeRules(Value, frozen=True):
    """What a tree is made from besides the snapshot."""

    curated: Curated
    command: tuple[str, ...]  # what starts toolkit
    home: str = ""  # TOOLKIT_HOME of the state that the tree lies in; empty: the user's own places


def fits_tree(name: str) -> bool:
    """Whether a tool of this name, which a stranger may have chosen, can be a file of the tree."""
    return NAME.fullmatch(name) is not None


def write_script(tool: Tool, category: str, rules: TreeRules) -> str:
    """The text of one executable. It uses the state that it lies in, whatever TOOLKIT_HOME its caller has."""
    summary = "".join(letter if letter.isprintable() else " " for letter in tool.summary) or "not described"
    home = f"export TOOLKIT_HOME={shlex.quote(rules.home)}" if rules.home else "unset TOOLKIT_HOME"
    here = " && ".join(f"[ -e {shlex.quote(path)} ]" for path in _needed_files(rules.command))
    gone = shlex.quote(f"toolkit: {rules.command[0]} does not start it any more; `toolkit sync` mends this file")
    return (
        f"#!/bin/sh\n# {tool.name}: {summary}\n{home}\n"
        f"{here} || {{ printf '%s\\n' {gone} >&2; exit 127; }}\n"
        f'exec {shlex.join(rules.command)} run {shlex.quote(f"{category}/{tool.name}")} "$@"\n'
    )


def _needed_files(command: tuple[str, ...]) -> Iterator[str]:
    yield command[0]
    if len(command) > 1:  # a Python without our package would only say that there is no such module
        yield _own_main()


@functools.cache
def _own_main() -> str:
    return str(Path(__file__).resolve().parent.parent / "__main__.py")


def name_tree(rules: TreeRules) -> str:
    """The name of the folder that these rules fill: other rules, another name."""
    parts = (LAYOUT, __version__, rules.curated.categories, rules.curated.tools, rules.command, rules.home)
    return f"{TREE}-{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]}"


def plant_tree(snapshot: Snapshot, rules: TreeRules, wait: Callable[[], None] = lambda: None) -> None:
    """Let the snapshot's `tree` be what the rules say; costs one readlink when it is. Raises OSError.

    `wait` waits for the snapshot's files, where these are still being written.
    """
    folder, name = Path(snapshot.path), name_tree(rules)
    if not _is_planted(folder, name):
        if not (folder / name).is_dir():
            _build_tree(folder, name, _list_tools(snapshot, rules, wait), rules)
        swap_link(folder / TREE, name)
    for path in (*folder.glob(f"{TREE}-*"), *folder.glob(f".{TREE}*")):  # of other rules, or of a crash
        if path.name != name:
            path.unlink() if path.is_symlink() else shutil.rmtree(path)


def mend_tree(snapshot: Snapshot, rules: TreeRules) -> None:
    """Like plant_tree, for a snapshot that is there: one built by an older toolkit, or by one that moved since.

    Raises StateError; the tree is then what it was.
    """
    try:
        plant_tree(snapshot, rules)
    except OSError as error:
        raise StateError(
            f"cannot write the tree of {snapshot.path}: {error.strerror}", fix=advise_writing(error)
        ) from error


def _is_planted(folder: Path, name: str) -> bool:
    try:
        return os.readlink(folder / TREE) == name
    except OSError:
        return False


def _list_tools(snapshot: Snapshot, rules: TreeRules, wait: Callable[[], None]) -> tuple[Tool, ...]:
    """The curated tools, and those that only the snapshot has, in the category that the index gives them."""
    known = {name for tool in rules.curated.tools for name in (tool.name, *tool.aliases)}
    found = tuple(one for one in discover_snapshot(snapshot) if one.stem not in known)
    if not found:
        return rules.curated.tools
    from toolkit.snapshot.build import Reader, build_index  # they are read, which most snapshots have no need of

    wait()
    return build_index(rules.curated, found, Reader()).tools


def _build_tree(folder: Path, name: str, tools: tuple[Tool, ...], rules: TreeRules) -> None:
    aside = folder / f".{name}"
    places = tuple(
        (category, tool)
        for tool in tools
        if fits_tree(tool.name)
        for category in dict.fromkeys((tool.category, *tool.also))
    )
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o755)
        for category in dict.fromkeys(category for category, _ in places):
            (aside / category).mkdir(mode=0o755)
        write_files(_make_file(aside, category, tool, rules) for category, tool in places)
        aside.rename(folder / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make_file(aside: Path, category: str, tool: Tool, rules: TreeRules) -> NewFile:
    script = write_script(tool, category, rules).encode(errors="replace")
    # Whatever the umask: it holds no secret, and the folders above decide.
    return NewFile(f"{aside}/{category}/{tool.name}", script, 0o555, masked=False)
