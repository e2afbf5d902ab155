"""Fetch from a git server exactly what a source of tools needs: one commit's trees, then the blobs of some files.

bcc's tools and man pages at one tag are 0.7 MB this way, where a clone is 24 MB. Both requests go to a remote that
exists in git's environment only, as a promisor: git then accepts that blobs are missing, writes no configuration, and
later reads never fetch by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from toolkit.errors import SourceError
from toolkit.model import Value
from toolkit.sources.git_access import REMOTE, reach_remote
from toolkit.sources.git_blobs import find_sizes, read_blobs
from toolkit.sources.git_errors import at_source, explain, is_refusal
from toolkit.sources.git_names import check_commit, check_ref, redact, tidy
from toolkit.sources.git_process import DEFAULT_LIMITS, GitLimits, Said, run_git
from toolkit.sources.git_store import GitStore, damaged, sweep_store
from toolkit.sources.git_tree import (
    LONGEST_PATH,
    MOST_HOPS,
    EntryKind,
    TreeEntry,
    find_targets,
    list_tree,
    resolve_links,
)

ENDLESS = 2147483647  # git's own number for a depth without end; also undoes an earlier shallow fetch
FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
FILTER = ("--filter=blob:none",)


class Place(Value, frozen=True):
    """A commit at a source: the url, the commit, and the full name of a ref that holds it, if one is known.

    The ref is asked for when the server gives out nothing by id.
    """

    url: str
    commit: str
    ref: str = ""


def has_commit(store: GitStore, commit: str) -> bool:
    """Whether the commit is in the store; asks no network. Raises SourceError when it is there but unreadable."""
    check = ("cat-file", "-e", f"{check_commit(commit)}^{{commit}}")
    said = run_git(check, seconds=30, repository=store.path)
    if "expected commit type" in said.stderr:
        raise SourceError(f"{commit} is not a commit", fix="name a commit, or a tag of one")
    # Of a commit that is not there git says one "fatal: Not a valid object name", and no error before it.
    if not said.ok and ("error: " in said.stderr or "Not a valid object name" not in said.stderr):
        raise damaged(store, tidy(said.stderr.strip().splitlines()[0] if said.stderr.strip() else "git died"))
    return said.ok


def fetch_commit(store: GitStore, place: Place, *, seconds: float, limits: GitLimits = DEFAULT_LIMITS) -> int:
    """Have the commit and its trees in the store; returns the bytes received, 0 when it was there.

    Tries the commit by its id, then the ref at its tip, then the ref with its history. A server that does not filter
    sends the blobs too. Raises SourceError.
    """
    if has_commit(store, place.commit):
        return 0
    before, end = store.count_bytes(), time.monotonic() + seconds
    attempts = [(place.commit, ("--depth=1", *FILTER))]
    if place.ref:
        ref = check_ref(place.ref)
        attempts += [(ref, ("--depth=1", *FILTER)), (ref, (f"--depth={ENDLESS}", *FILTER))]
    refused = ""
    for what, options in attempts:
        said = _fetch(store, place, options, (what,), end, limits)
        if not said.ok and not is_refusal(said.stderr):
            raise explain(f"cannot fetch {_short(place)} from", place.url, said.stderr)
        if has_commit(store, place.commit):
            return store.count_bytes() - before
        if said.ok and what == place.commit:
            raise damaged(store, f"{_short(place)} came, and cannot be read")
        refused = refused or said.stderr
    raise _gone(place, refused)


def fetch_blobs(
    store: GitStore, place: Place, ids: Iterable[str], *, seconds: float, limits: GitLimits = DEFAULT_LIMITS
) -> int:
    """Have these blobs in the store, in one request; returns the bytes received. Raises SourceError.

    A server that gives out no blob by id sends the whole commit instead.
    """
    missing = _find_missing(store, ids)
    if not missing:
        return 0
    before, end = store.count_bytes(), time.monotonic() + seconds
    said = _fetch(store, place, (*FILTER, "--stdin"), (), end, limits, "".join(f"{one}\n" for one in missing))
    if not said.ok and is_refusal(said.stderr):
        # --refetch (git 2.36), since git would not ask again for a commit that it has.
        what = check_ref(place.ref) if place.ref else place.commit
        again = _fetch(store, place, ("--refetch", "--no-filter", "--depth=1"), (what,), end, limits)
        said = again if again.ok else said
    if not said.ok:
        raise explain(f"cannot fetch the files of {_short(place)} from", place.url, said.stderr)
    lost = _find_missing(store, missing)
    if lost:
        raise SourceError(
            f"{tidy(redact(place.url))} does not send {len(lost)} files of {_short(place)}, such as blob {lost[0]}",
            fix="run git fsck on the server: its repository is not whole",
            damaged=True,
        )
    return store.count_bytes() - before


class Fetched(Value, frozen=True):
    """Paths of one commit, and the bytes that it took to get there."""

    entries: tuple[TreeEntry, ...]
    received: int


def list_files(
    store: GitStore, place: Place, folders: Collection[str], *, seconds: float, limits: GitLimits = DEFAULT_LIMITS
) -> Fetched:
    """Have the commit in the store, and name every path below these folders; no file comes. Raises SourceError."""
    end = time.monotonic() + seconds
    received = fetch_commit(store, place, seconds=seconds, limits=limits)
    return Fetched(entries=list_tree(store, place.commit, folders, seconds=end - time.monotonic()), received=received)


def fetch_files(
    store: GitStore,
    place: Place,
    listed: tuple[TreeEntry, ...],
    paths: Collection[str],
    *,
    seconds: float,
    limits: GitLimits = DEFAULT_LIMITS,
) -> Fetched:
    """Have these of the listed paths in the store, and what their links lead to. Raises SourceError.

    Gives the paths with their links resolved; the content of one without a problem can be read by its `blob`.
    """
    end = time.monotonic() + seconds
    chosen = frozenset(paths)
    missing = tuple(entry for entry in listed if entry.path in chosen and not entry.problem)
    had: set[str] = set()
    targets: dict[str, bytes] = {}
    received = 0
    # What a link leads to is known when it is here: one request, and one more for each hop to what was not chosen.
    for _ in range(MOST_HOPS + 1):
        if not missing:
            break
        blobs = tuple(entry.blob for entry in missing)
        received += fetch_blobs(store, place, blobs, seconds=end - time.monotonic(), limits=limits)
        links = tuple(entry for entry in missing if entry.kind is EntryKind.LINK)
        contents = read_blobs(store, (link.blob for link in links), largest=LONGEST_PATH)
        targets |= {blob.id: blob.data for blob in contents if not blob.problem}
        had |= {entry.path for entry in missing}
        missing = tuple(entry for entry in find_targets(links, listed, targets) if entry.path not in had)
    resolved = zip(listed, resolve_links(listed, targets), strict=True)
    return Fetched(
        entries=tuple(after for before, after in resolved if before.path in chosen and not before.problem),
        received=received,
    )


def _find_missing(store: GitStore, ids: Iterable[str]) -> list[str]:
    return [blob for blob, size in find_sizes(store, ids).items() if size is None]


def _fetch(
    store: GitStore,
    place: Place,
    options: tuple[str, ...],
    wanted: tuple[str, ...],
    end: float,
    limits: GitLimits,
    stdin: str = "",
) -> Said:
    promises = {f"remote.{REMOTE}.promisor": "true", f"remote.{REMOTE}.partialCloneFilter": "blob:none"}
    try:
        said = run_git(
            (*FETCH, *options, "--", REMOTE, *wanted),
            stdin=stdin.encode(),
            repository=store.path,
            environ=reach_remote(place.url, promises),
            seconds=end - time.monotonic(),
            limits=limits,
        )
    except KeyboardInterrupt:
        sweep_store(store)
        raise
    except SourceError as error:
        sweep_store(store)
        raise at_source(f"cannot fetch {_short(place)} from", place.url, error) from error
    if not said.ok:
        sweep_store(store)
    return said


def _short(place: Place) -> str:
    return f"commit {place.commit[:12]}"


def _gone(place: Place, refused: str) -> SourceError:
    if not place.ref:
        return explain(f"cannot fetch {_short(place)} from", place.url, refused)
    return SourceError(
        f"{tidy(redact(place.url))} does not hold commit {place.commit} in {place.ref} any more: its history was "
        "rewritten, or the tag moved",
        fix="see what happened there; then pin the commit that it has now",
    )
