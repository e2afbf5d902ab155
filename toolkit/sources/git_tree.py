"""The files of one commit: which there are, which of them can be taken, and where its symbolic links lead.

A tree is input from outside: git stores any name that has no slash and no NUL in it. Every entry that we do not take
stays in the list with the reason, so that a person can see it.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from enum import StrEnum

import msgspec

from toolkit.errors import SourceError
from toolkit.model import Value
from toolkit.sources.git_limits import GitLimits
from toolkit.sources.git_names import check_commit, check_folder, tidy
from toolkit.sources.git_process import run_git
from toolkit.sources.git_store import GitStore

MOST_ENTRIES = 100_000
MOST_HOPS = 8
LONGEST_PATH = 1024
LONGEST_NAME = 255
MOST_PARTS = 32  # between slashes
LISTING = GitLimits(output_bytes=32 << 20)

_LINE = re.compile(rb"([0-7]{6}) ([a-z]+) ([0-9a-f]{40})\t(.+)", re.DOTALL)


class EntryKind(StrEnum):
    """What a tree's entry is."""

    FILE = "file"
    LINK = "link"
    SUBMODULE = "submodule"
    OTHER = "other"


class TreeEntry(Value, frozen=True):
    """One path of a commit; not to be taken when there is a problem."""

    path: str  # from the repository's root; with escapes when it is not UTF-8
    kind: EntryKind
    blob: str
    executable: bool = False
    link: str = ""  # it was a symbolic link, and this is the file that it leads to; blob is that file's
    problem: str = ""


def list_tree(store: GitStore, commit: str, folders: Iterable[str], *, seconds: float) -> tuple[TreeEntry, ...]:
    """Every path below these folders ("" is the root) in byte order; a folder that the commit lacks is no error.

    Links are not resolved yet: their targets are in blobs. Raises SourceError when the commit or a tree is missing
    here, or when there are more than 100,000 paths.
    """
    wanted = tuple(folder for folder in map(check_folder, folders) if folder)
    arguments = ("ls-tree", "-r", "-z", "--full-tree", check_commit(commit), "--", *wanted)
    said = run_git(arguments, seconds=seconds, repository=store.path, limits=LISTING, asks=True)
    if not said.ok:
        raise SourceError(
            f"commit {commit} is not whole in {store.path}: {tidy(said.stderr)}",
            fix=f"remove {store.path}; the next sync fetches it anew",
            damaged=True,
        )
    return read_tree(said.stdout)


def read_tree(listing: bytes) -> tuple[TreeEntry, ...]:
    """Read what ls-tree printed and judge each name; pure."""
    lines = listing.split(b"\0")[:-1]
    if len(lines) > MOST_ENTRIES:
        raise SourceError(
            f"there are more than {MOST_ENTRIES:,} files in its folders",
            fix="give its tools a repository of their own; one of tools has some hundreds of files",
        )
    entries = tuple(_read_entry(line) for line in lines)
    clashing = _find_clashes([entry.path for entry in entries if not entry.problem])
    return tuple(
        msgspec.structs.replace(
            entry, problem="its name differs from another's only in case or form, or is its folder's"
        )
        if not entry.problem and entry.path in clashing
        else entry
        for entry in entries
    )


def _read_entry(line: bytes) -> TreeEntry:
    match = _LINE.fullmatch(line)
    if match is None:
        return TreeEntry(path=tidy(ascii(line)), kind=EntryKind.OTHER, blob="", problem="git lists it strangely")
    mode, what, blob, name = match[1], match[2], match[3].decode(), match[4]
    path = name.decode("utf-8", "backslashreplace")
    kind = EntryKind.OTHER
    if mode == b"160000" or what == b"commit":
        kind = EntryKind.SUBMODULE
    elif mode == b"120000":
        kind = EntryKind.LINK
    elif what == b"blob" and mode.startswith(b"100"):
        kind = EntryKind.FILE
    problem = _find_problem(name, kind)
    return TreeEntry(path=path, kind=kind, blob=blob, executable=mode == b"100755", problem=problem)


def _find_problem(name: bytes, kind: EntryKind) -> str:
    """Why an entry cannot be taken; empty when it can."""
    if kind is EntryKind.SUBMODULE:
        return "it is a submodule: its files are in another repository"
    if kind is EntryKind.OTHER:
        return "it is neither a file nor a symbolic link"
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    if not path.isprintable():
        return "its name holds a control character"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "its path leads out of the tree"
    if any(part.startswith("-") for part in parts):
        return "its name begins with a dash, which programs take for an option"
    if any(part.casefold() == ".git" for part in parts):
        return "it is below a folder .git"
    if len(name) > LONGEST_PATH or len(parts) > MOST_PARTS or any(len(part.encode()) > LONGEST_NAME for part in parts):
        return "its path is too long"
    return ""


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _find_clashes(paths: Collection[str]) -> frozenset[str]:
    """The paths that cannot be told apart on every file system: from another file, or from a folder.

    Two folders whose names differ only in case or form make all that is below them clash.
    """
    folders = find_folders(paths)
    files = Counter(map(_fold, paths))
    spelled = Counter(map(_fold, folders))
    mixed = {folder for folder in folders if spelled[_fold(folder)] > 1}
    return frozenset(
        path
        for path in paths
        if files[_fold(path)] > 1 or _fold(path) in spelled or (mixed and not mixed.isdisjoint(find_folders((path,))))
    )


def find_folders(paths: Iterable[str]) -> frozenset[str]:
    """Every folder that these paths lie in, at any depth, but for the root."""
    folders: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(folders)


def resolve_links(entries: Iterable[TreeEntry], targets: Mapping[str, bytes]) -> tuple[TreeEntry, ...]:
    """Give each symbolic link the blob of the file that it leads to, or the reason why not; pure.

    `targets` holds the content of the links' blobs, by id. A link may lead to any file among the entries; bcc's
    tools/pythoncalls_example.txt is lib/ucalls_example.txt.
    """
    listed = tuple(entries)
    # A name that is not UTF-8 is shown with escapes, which could be another's real name: that one counts.
    by_path = {entry.path: entry for entry in sorted(listed, key=lambda entry: not entry.problem)}
    folders = find_folders(by_path)
    return tuple(
        _follow(entry, by_path, folders, targets) if entry.kind is EntryKind.LINK and not entry.problem else entry
        for entry in listed
    )


def find_targets(
    links: Iterable[TreeEntry], listed: Iterable[TreeEntry], targets: Mapping[str, bytes]
) -> tuple[TreeEntry, ...]:
    """The listed entries that these links name, one hop on; a link whose target is not known or not listed has none."""
    by_path = {entry.path: entry for entry in listed if not entry.problem}
    paths = dict.fromkeys(_find_target(link.path, targets.get(link.blob, b"")) for link in links)
    return tuple(by_path[path] for path in paths if path in by_path)


def _follow(
    link: TreeEntry, by_path: Mapping[str, TreeEntry], folders: Set[str], targets: Mapping[str, bytes]
) -> TreeEntry:
    at = link
    for _ in range(MOST_HOPS):
        if at.blob not in targets:
            return _refuse(link, "its target could not be read")
        path = _find_target(at.path, targets[at.blob])
        if not path:
            return _refuse(link, "it is a symbolic link out of the tree")
        if path not in by_path:
            what = "a folder" if path in folders else "something that is not in the folders taken"
            return _refuse(link, f"it is a symbolic link to {what}: {tidy(path)}")
        at = by_path[path]
        if at.problem:
            return _refuse(link, f"it is a symbolic link to {tidy(path)}, which is not taken")
        if at.kind is EntryKind.FILE:
            return TreeEntry(path=link.path, kind=EntryKind.FILE, blob=at.blob, executable=at.executable, link=at.path)
    return _refuse(link, f"it is a symbolic link to a link, more than {MOST_HOPS} times over")


def _refuse(link: TreeEntry, problem: str) -> TreeEntry:
    return msgspec.structs.replace(link, problem=problem)


def _find_target(path: str, content: bytes) -> str:
    """The path that a link names, from the repository's root; empty when it is outside or is no name at all.

    Git stores no path below a link, so the parts can be counted without looking.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if not text or text.startswith("/") or not text.isprintable() or len(text) > LONGEST_PATH:
        return ""
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
    return "" if found in (".", "..") or found.startswith(("../", "/")) else found
