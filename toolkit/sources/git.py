"""Fetch from a git server exactly what a source of tools needs: the trees of some commits, then some files' blobs.

bcc's tools and man pages at one tag are 0.7 MB this way, where a clone is 24 MB. Both requests go to a remote that
exists in git's environment only, as a promisor: git then accepts that blobs are missing, writes no configuration, and
later reads never fetch by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Set

from toolkit.errors import SourceError
from toolkit.model import Value
from toolkit.sources.git_access import REMOTE, reach_remote
from toolkit.sources.git_blobs import LARGEST, Blob, find_sizes, read_blobs
from toolkit.sources.git_errors import at_source, explain, is_refusal
from toolkit.sources.git_limits import DEFAULT_LIMITS, GitLimits
from toolkit.sources.git_names import check_commit, check_ref, redact, tidy
from toolkit.sources.git_process import Said, run_git
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
# Bytes of files at one time, all of which are held in memory: a pack of 64 KB can hold gigabytes of empty lines.
MOST_BYTES = 256 << 20


class Place(Value, frozen=True):
    """A commit at a source: the url, the commit, and the full name of a ref that holds it, if one is known.

    The ref is asked for when the server gives out nothing by id.
    """

    url: str
    commit: str
    ref: str = ""


def find_commits(store: GitStore, commits: Iterable[str]) -> frozenset[str]:
    """Those of these commits that are in the store; asks no network.

    Raises SourceError for one that is there but unreadable, and for what is no commit.
    """
    asked = tuple(map(check_commit, commits))
    if not store.has_packs():
        return frozenset()
    told = "".join(f"{one}^{{commit}}\n" for one in asked).encode()
    said = run_git(("cat-file", "--batch-check"), stdin=told, seconds=30, repository=store.path, asks=True)
    complaints = [line for line in said.stderr.splitlines() if line.startswith(("error: ", "fatal: "))]
    if "expected commit type" in said.stderr:
        raise SourceError(f"{_name(asked)} is not a commit", fix="name a commit, or a tag of one")
    lines = said.stdout.splitlines()
    if complaints or not said.ok or len(lines) != len(asked):
        raise damaged(store, tidy(complaints[0] if complaints else "git died"))
    return frozenset(one for one, line in zip(asked, lines, strict=True) if not line.endswith(b" missing"))


def fetch_commits(
    store: GitStore, places: tuple[Place, ...], *, seconds: float, limits: GitLimits = DEFAULT_LIMITS
) -> int:
    """Have these commits of a source and their trees in the store; returns the bytes received, 0 when all were there.

    Asks for all of them by their ids at once; where a server does not give these out, for each alone: by its id, by
    the ref at its tip, and by the ref with its history. A server that does not filter sends the blobs too. Raises
    SourceError.
    """
    missing = _leave_out(places, find_commits(store, (one.commit for one in places)))
    if not missing:
        return 0
    before, end = store.count_bytes(), time.monotonic() + seconds
    said = _fetch(store, missing, ("--depth=1", *FILTER), tuple(one.commit for one in missing), end, limits)
    if not said.ok and not is_refusal(said.stderr):
        raise explain(f"cannot fetch {_short(missing)} from", missing[0].url, said.stderr)
    rest = _leave_out(missing, find_commits(store, (one.commit for one in missing)))
    if rest and said.ok:
        raise damaged(store, f"{_short(rest)} came, and cannot be read")
    for place in rest:
        _fetch_alone(store, place, said.stderr if len(missing) == 1 else "", end, limits)
    return store.count_bytes() - before


def _fetch_alone(store: GitStore, place: Place, refused: str, end: float, limits: GitLimits) -> None:
    """Have a commit that did not come with the others; `refused` is what the server said of its id, if it was asked."""
    attempts = [] if refused else [(place.commit, ("--depth=1", *FILTER))]
    if place.ref:
        ref = check_ref(place.ref)
        attempts += [(ref, ("--depth=1", *FILTER)), (ref, (f"--depth={ENDLESS}", *FILTER))]
    for what, options in attempts:
        said = _fetch(store, (place,), options, (what,), end, limits)
        if not said.ok and not is_refusal(said.stderr):
            raise explain(f"cannot fetch {_short((place,))} from", place.url, said.stderr)
        if find_commits(store, (place.commit,)):
            return
        refused = refused or said.stderr
    raise _gone(place, refused)


class Sized(Value, frozen=True):
    """The size of each blob that was asked for, all of which are in the store, and the bytes that it took."""

    sizes: dict[str, int]
    received: int


def fetch_blobs(
    store: GitStore,
    places: tuple[Place, ...],
    ids: Iterable[str],
    *,
    seconds: float,
    limits: GitLimits = DEFAULT_LIMITS,
    fresh: bool = False,
) -> Sized:
    """Have these blobs of a source in the store, in one request. Raises SourceError.

    A server that gives out no blob by id sends the whole commits instead.
    """
    sizes = dict[str, int | None].fromkeys(ids) if fresh else find_sizes(store, ids)
    missing = _find_missing(sizes)
    before, end = store.count_bytes(), time.monotonic() + seconds
    if missing:
        _fetch_missing(store, places, missing, end, limits)
        sizes |= find_sizes(store, missing)
    lost = _find_missing(sizes)
    if lost:
        server = tidy(redact(places[0].url))
        raise SourceError(
            f"{server} does not send {len(lost)} files of {_short(places)}, such as blob {lost[0]}",
            fix="run git fsck on the server: its repository is not whole",
            damaged=True,
        )
    known = {blob: size for blob, size in sizes.items() if size is not None}
    return Sized(sizes=known, received=store.count_bytes() - before)


def _fetch_missing(
    store: GitStore, places: tuple[Place, ...], missing: list[str], end: float, limits: GitLimits
) -> None:
    told = "".join(f"{one}\n" for one in missing)
    said = _fetch(store, places, (*FILTER, "--stdin"), (), end, limits, told)
    if not said.ok and is_refusal(said.stderr):
        # --refetch (git 2.36), since git would not ask again for a commit that it has.
        wanted = tuple(check_ref(one.ref) if one.ref else one.commit for one in places)
        again = _fetch(store, places, ("--refetch", "--no-filter", "--depth=1"), wanted, end, limits)
        said = again if again.ok else said
    if not said.ok:
        raise explain(f"cannot fetch the files of {_short(places)} from", places[0].url, said.stderr)


class Listed(Value, frozen=True):
    """The paths of each commit, in the order asked, and the bytes that it took to get there."""

    entries: tuple[tuple[TreeEntry, ...], ...]
    received: int
    fresh: bool  # nothing was in the store before


def list_files(
    store: GitStore,
    places: tuple[Place, ...],
    folders: Collection[str],
    *,
    seconds: float,
    limits: GitLimits = DEFAULT_LIMITS,
) -> Listed:
    """Have the commits in the store, and name every path below these folders; no file comes. Raises SourceError."""
    end, fresh = time.monotonic() + seconds, not store.has_packs()
    received = fetch_commits(store, places, seconds=seconds, limits=limits)
    listed = tuple(list_tree(store, one.commit, folders, seconds=end - time.monotonic()) for one in places)
    return Listed(entries=listed, received=received, fresh=fresh)


class Wish(Value, frozen=True):
    """Which of the listed paths of a commit to take."""

    listed: tuple[TreeEntry, ...]
    paths: tuple[str, ...]


class Fetched(Value, frozen=True):
    """Paths of each commit with their links resolved, the content of their blobs, and the bytes that it took."""

    entries: tuple[tuple[TreeEntry, ...], ...]
    blobs: dict[str, Blob]
    received: int


def fetch_files(
    store: GitStore,
    places: tuple[Place, ...],
    wishes: tuple[Wish, ...],
    *,
    seconds: float,
    limits: GitLimits = DEFAULT_LIMITS,
    fresh: bool = False,
) -> Fetched:
    """Have what is wished of each place in the store, and what its links lead to, and read it. Raises SourceError.

    An entry without a problem has its content in the blob that it names. In a store that was `fresh` when the commits
    came there are no blobs yet; from a server that does not filter they came, too, and git then asks for none again.
    """
    end = time.monotonic() + seconds
    chosen = tuple(frozenset(wish.paths) for wish in wishes)
    wanted = [
        tuple(one for one in wish.listed if one.path in paths and not one.problem)
        for wish, paths in zip(wishes, chosen, strict=True)
    ]
    blobs: dict[str, Blob] = {}
    targets: dict[str, bytes] = {}
    received = 0
    # What a link leads to is known when it is here: one request, and one more for each hop to what was not chosen.
    for _ in range(MOST_HOPS + 1):
        new = {entry.blob for entries in wanted for entry in entries} - blobs.keys()
        if new:
            left = end - time.monotonic()
            sized = fetch_blobs(store, places, sorted(new), seconds=left, limits=limits, fresh=fresh)
            _check_amount(places, (*(len(one.data) for one in blobs.values()), *sized.sizes.values()))
            read = {blob.id: blob for blob in read_blobs(store, sized.sizes)}
            received += sized.received
            blobs |= read
            targets |= {one.id: one.data for one in read.values() if not one.problem and len(one.data) <= LONGEST_PATH}
        links = [tuple(entry for entry in entries if entry.kind is EntryKind.LINK) for entries in wanted]
        wanted = [find_targets(ours, wish.listed, targets) for ours, wish in zip(links, wishes, strict=True)]
    entries = tuple(
        tuple(
            after
            for before, after in zip(wish.listed, resolve_links(wish.listed, targets), strict=True)
            if before.path in paths and not before.problem
        )
        for wish, paths in zip(wishes, chosen, strict=True)
    )
    # A blob counts as often as it becomes a file: behind thousands of names, or links, may be the same one.
    _check_amount(places, (len(blobs[one.blob].data) for each in entries for one in each if one.blob in blobs))
    return Fetched(entries=entries, blobs=blobs, received=received)


def _check_amount(places: tuple[Place, ...], sizes: Iterable[int]) -> None:
    """Refuse what would fill the memory or the disk; what alone is too large to be taken does not count."""
    total = sum(size for size in sizes if size <= LARGEST)
    if total > MOST_BYTES:
        raise SourceError(
            f"the files to take of {_short(places)} have {total >> 20:,} MiB, and those of a source of tools have at "
            f"most {MOST_BYTES >> 20} MiB",
            fix="take out of its folders what is no tool; all tools of bcc have 2 MiB",
        )


def _leave_out(places: tuple[Place, ...], here: Set[str]) -> tuple[Place, ...]:
    return tuple(one for one in places if one.commit not in here)


def _find_missing(sizes: Mapping[str, int | None]) -> list[str]:
    return [blob for blob, size in sizes.items() if size is None]


def _fetch(
    store: GitStore,
    places: tuple[Place, ...],
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
            environ=reach_remote(places[0].url, promises),
            seconds=end - time.monotonic(),
            limits=limits,
        )
    except KeyboardInterrupt:
        sweep_store(store)
        raise
    except SourceError as error:
        sweep_store(store)
        raise at_source(f"cannot fetch {_short(places)} from", places[0].url, error) from error
    if not said.ok:
        sweep_store(store)
    return said


def _short(places: tuple[Place, ...]) -> str:
    return _name(tuple(place.commit[:12] for place in places))


def _name(commits: tuple[str, ...]) -> str:
    return f"{'commit' if len(commits) == 1 else 'commits'} {', '.join(commits)}"


def _gone(place: Place, refused: str) -> SourceError:
    if not place.ref:
        return explain(f"cannot fetch {_short((place,))} from", place.url, refused)
    return SourceError(
        f"{tidy(redact(place.url))} does not hold commit {place.commit} in {place.ref} any more: its history was "
        "rewritten, or the tag moved",
        fix="see what happened there; then pin the commit that it has now",
    )
