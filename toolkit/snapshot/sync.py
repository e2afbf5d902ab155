"""The sync: ask every source, fetch what is new, build a snapshot aside, swap it in. The old one stands until then.

A source that fails keeps the revisions that the current snapshot holds of it; the others go on. Nothing is written
but the sources' bare repositories until everything is in memory: all tools of today's upstreams are 3 MB.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from toolkit.errors import ToolkitError
from toolkit.lock import hold_lock
from toolkit.model import Source, Value
from toolkit.paths import Paths, make_folder
from toolkit.snapshot.asking import AT_ONCE, Answers, ask_source
from toolkit.snapshot.collect import Collected, fetch_origins, reuse_origins
from toolkit.snapshot.compare import Difference, compare_manifests
from toolkit.snapshot.hold import end_hold, find_held
from toolkit.snapshot.layout import SHAPE, Manifest, Origin, Snapshot
from toolkit.snapshot.origins import Version, Wanted, resolve_revisions
from toolkit.snapshot.progress import Phase, Progress, Step
from toolkit.snapshot.store import (
    Derive,
    collect_garbage,
    make_current,
    mend_files,
    read_current,
    sweep_unfinished,
    write_snapshot,
)
from toolkit.snapshot.tree import TreeRules, mend_tree, plant_tree
from toolkit.sources.git_names import redact
from toolkit.sources.git_process import stoppable_git
from toolkit.sources.git_store import discard_others, open_store

LONGEST_WAIT = 1.0  # seconds for the lock, after which what was asked before is asked again


class SourceReport(Value, frozen=True, omit_defaults=False):
    """What came of one source."""

    source: str
    origins: tuple[Origin, ...]
    fetched: int  # revisions that were not here
    received: int  # bytes
    seconds: float
    asked: bool = True
    why: dict[str, str] = {}  # why a revision was chosen; empty for a source that stays as it was
    problem: str = ""  # why it failed; its origins are then those that were held before
    fix: str = ""
    notes: tuple[str, ...] = ()


class SyncReport(Value, frozen=True, omit_defaults=False):
    """What came of a sync; `snapshot` is the current one after it, "" when there is none."""

    snapshot: str
    before: str
    difference: Difference
    sources: tuple[SourceReport, ...]
    removed: tuple[str, ...]
    seconds: float
    held: bool = False  # by a rollback: nothing was asked

    @property
    def failed(self) -> bool:
        """Whether any source failed."""
        return any(one.problem for one in self.sources)


class Request(Value, frozen=True):
    """What to sync: the sources, the engines' versions for `match`, exact commits for some sources, and the bounds.

    Versions and tree are asked for when they are needed: the servers can be asked without.
    """

    sources: tuple[Source, ...]
    asked: frozenset[str]  # the sources to ask; the others stay as they are
    version: Version
    pins: dict[str, tuple[Origin, ...]] = {}
    keep: int = 5
    seconds: float = 300.0  # for each source
    lock_wait: float = 10.0
    tree: Callable[[], TreeRules] | None = None  # None: without the browsable tree
    answers: Answers = {}  # of sources that were asked before
    fetched: Callable[[Collected], None] = lambda _: None  # gets the files of each revision that was not here


def sync(paths: Paths, request: Request, progress: Progress) -> SyncReport:
    """Bring the snapshots up to date. Raises Busy, StateError; what a source does wrong is in the report."""
    started = time.monotonic()
    make_folder(paths.state)
    with hold_lock(paths.state / "sync.lock", request.lock_wait):
        if time.monotonic() - started > LONGEST_WAIT:  # another sync may have got newer answers meanwhile
            request = msgspec.structs.replace(request, answers={})
        sweep_unfinished(paths.snapshots, paths.current)
        before = read_current(paths.snapshots, paths.current)
        if before and find_held(paths.hold, paths.current):
            return _stay_held(before, request, started)
        outcomes = _sync_sources(paths, request, before, progress)
        reports = tuple(report for report, _ in outcomes)
        held = {origin: files for _, found in outcomes for origin, files in found.items()}
        pairs = zip(request.sources, reports, strict=True)
        rules = {source.name: _tell_rules(source, report, before) for source, report in pairs}
        after = _build(paths, request, held, rules, before, progress)
        if after and request.tree:
            mend_tree(after, request.tree())
        removed: tuple[str, ...] = ()
        if after is not before:
            removed = collect_garbage(paths.snapshots, paths.current, request.keep)
            discard_others(paths.sources, tuple(rules))
    empty = Manifest(shape=SHAPE, rules={}, origins=(), entries=())
    return SyncReport(
        snapshot=after.id if after else "",
        before=before.id if before else "",
        difference=compare_manifests(before.manifest if before else None, after.manifest if after else empty),
        sources=reports,
        removed=removed,
        seconds=round(time.monotonic() - started, 3),
    )


def _stay_held(before: Snapshot, request: Request, started: float) -> SyncReport:
    """A rollback holds its snapshot: no source is asked. Its tree is mended all the same."""
    if request.tree:
        mend_tree(before, request.tree())
    return SyncReport(
        snapshot=before.id,
        before=before.id,
        difference=compare_manifests(before.manifest, before.manifest),
        sources=(),
        removed=(),
        seconds=round(time.monotonic() - started, 3),
        held=True,
    )


def name_rules(source: Source) -> str:
    """A name for the rules by which a source's files are chosen: other rules, another name."""
    documents = (source.examples, source.man, source.parts, source.compiled)
    rules = (source.tools, documents, source.hints, source.follows, source.tags)
    return hashlib.sha256(msgspec.json.encode(rules, order="deterministic")).hexdigest()


def _tell_rules(source: Source, report: SourceReport, before: Snapshot | None) -> str:
    """The name of the rules by which the files that are held of a source now were chosen, perhaps long ago."""
    if report.asked and not report.problem:
        return name_rules(source)
    return before.manifest.rules.get(source.name, "") if before else ""


def _sync_sources(
    paths: Paths, request: Request, before: Snapshot | None, progress: Progress
) -> list[tuple[SourceReport, dict[Origin, Collected]]]:
    """All sources, some at the same time. When we are interrupted, no git is left when this ends."""
    with stoppable_git() as stop, ThreadPoolExecutor(AT_ONCE + 1) as pool:
        kept = pool.submit(reuse_origins, before)  # while the servers answer: a file is read and hashed
        jobs = [pool.submit(_sync_source, paths, request, one, before, kept, progress) for one in request.sources]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _sync_source(
    paths: Paths,
    request: Request,
    source: Source,
    before: Snapshot | None,
    kept: Future[dict[Origin, Collected]],
    progress: Progress,
) -> tuple[SourceReport, dict[Origin, Collected]]:
    started = time.monotonic()
    notes: list[str] = []
    if source.name not in request.asked:
        return _stay(paths, request, source, before, started)
    try:
        wanted = _resolve(request, source, before, notes, progress)
        # Revisions chosen by other rules are not taken over: the same commit has other entries then.
        held = kept.result() if before and before.manifest.rules.get(source.name) == name_rules(source) else {}
        missing = tuple(one for one in wanted if one.origin not in held)
        found = {one.origin: held[one.origin] for one in wanted if one.origin in held}
        received = 0
        if missing:
            said = ", ".join(f"{one.origin.revision} ({one.why})" for one in missing)
            progress(Step(source=source.name, phase=Phase.FETCHING, text=said))
            store = open_store(paths.sources / f"{source.name}.git")
            gathered = fetch_origins(store, source, missing, seconds=request.seconds)
            found, received = found | gathered.files, gathered.received
            for files in gathered.files.values():
                request.fetched(files)
    except ToolkitError as error:
        progress(Step(source=source.name, phase=Phase.FAILED, text=error.what))
        return _stay(paths, request, source, before, started, error)
    notes += [note for one in missing for note in found[one.origin].notes]
    phase, said = Phase.FETCHED if missing else Phase.NO_NEWS, ", ".join(one.revision for one in found)
    progress(Step(source=source.name, phase=phase, text=said, received=received))
    report = SourceReport(
        source=source.name,
        origins=tuple(one.origin for one in wanted),
        fetched=len(missing),
        received=received,
        seconds=round(time.monotonic() - started, 3),
        why={one.origin.revision: one.why for one in wanted},
        notes=tuple(notes),
    )
    return report, found


def _stay(
    paths: Paths,
    request: Request,
    source: Source,
    before: Snapshot | None,
    started: float,
    error: ToolkitError | None = None,
) -> tuple[SourceReport, dict[Origin, Collected]]:
    """A source that failed, or that was not asked, stays as it was."""
    asked = error is not None
    kept = reuse_origins(before, source.name)
    try:
        kept |= _read_again(paths, request, source, before, kept)
    except ToolkitError as lost:
        error = error or lost
    report = SourceReport(
        source=source.name,
        origins=tuple(sorted(kept, key=lambda one: one.revision)),
        fetched=0,
        received=0,
        seconds=round(time.monotonic() - started, 3),
        asked=asked,
        problem=error.what if error else "",
        fix=error.fix if error else "",
    )
    return report, kept


def _read_again(
    paths: Paths, request: Request, source: Source, before: Snapshot | None, kept: Mapping[Origin, Collected]
) -> dict[Origin, Collected]:
    """What stays although a file of it is damaged: our copy of the repository has it, too. Raises SourceError."""
    held = before.manifest.origins if before else ()
    lost = tuple(one for one in held if one.source == source.name and one not in kept)
    if not lost:
        return {}
    wanted = tuple(Wanted(origin=one, ref=_ref_of(one), why="") for one in lost)
    return fetch_origins(
        open_store(paths.sources / f"{source.name}.git"), source, wanted, seconds=request.seconds
    ).files


def _resolve(
    request: Request, source: Source, before: Snapshot | None, notes: list[str], progress: Progress
) -> tuple[Wanted, ...]:
    """The revisions to hold of a source: the pinned ones, or what its server has now by its policy."""
    pinned = request.pins.get(source.name)
    if pinned is not None:
        return tuple(Wanted(origin=origin, ref=_ref_of(origin), why="pinned") for origin in pinned)
    progress(Step(source=source.name, phase=Phase.ASKING, text=redact(source.url)))
    asked = request.answers.get(source.name)
    answer = asked.result() if asked else ask_source(source, seconds=request.seconds)
    refs = answer.refs
    wanted = resolve_revisions(source, refs.heads, refs.tags, answer.default, request.version)
    notes += [f"{source.name}: {note}" for note in refs.skipped]
    return tuple(_refuse_move(one, before, notes) for one in wanted)


def _ref_of(origin: Origin) -> str:
    """The tag that a pin speaks of; a revision that is the beginning of its commit has no name."""
    return "" if origin.commit.startswith(origin.revision) else f"refs/tags/{origin.revision}"


def _refuse_move(wanted: Wanted, before: Snapshot | None, notes: list[str]) -> Wanted:
    """A tag names one commit for ever; one that names another now is reported, and the commit that is held stays."""
    held = next(
        (
            one
            for one in (before.manifest.origins if before else ())
            if (one.source, one.revision) == (wanted.origin.source, wanted.origin.revision)
        ),
        wanted.origin,
    )
    if held.commit == wanted.origin.commit or not wanted.ref.startswith("refs/tags/"):
        return wanted
    notes.append(
        f"{held.source}: the tag {held.revision} moved from {held.commit[:12]} to {wanted.origin.commit[:12]}: "
        "not followed; to take it, name the commit in the settings"
    )
    return msgspec.structs.replace(wanted, origin=held, ref="", why="its tag moved: this is the commit from before")


def _derive_tree(rules: TreeRules) -> Derive:
    return lambda built, wait: plant_tree(built, rules, wait)


def _build(
    paths: Paths,
    request: Request,
    held: Mapping[Origin, Collected],
    rules: Mapping[str, str],
    before: Snapshot | None,
    progress: Progress,
) -> Snapshot | None:
    """Write and swap in the snapshot of these files, if it is another one than before."""
    if not held:
        return before
    entries = (entry for files in held.values() for entry in files.entries)
    origins = tuple(sorted(held, key=lambda one: (one.source, one.revision)))
    manifest = Manifest(
        shape=SHAPE,
        rules={one.source: rules[one.source] for one in origins},
        origins=origins,
        entries=tuple(sorted(entries, key=lambda one: (one.source, one.revision, one.path))),
    )
    contents = {name: data for files in held.values() for name, data in files.contents.items()}
    if before and manifest == before.manifest:
        if any(files.fetched for files in held.values()):  # though the snapshot has it: a file of it is damaged
            mend_files(before, contents)
        return before
    progress(Step(phase=Phase.BUILDING, text=f"a snapshot of {len(manifest.entries)} files"))
    notes = tuple(note for files in held.values() for note in files.notes)
    derive = _derive_tree(request.tree()) if request.tree else None
    snapshot = write_snapshot(paths.snapshots, manifest, contents, notes, derive)
    end_hold(paths.hold)  # one that does not count, of a snapshot that could become the current one again
    make_current(paths.snapshots, paths.current, snapshot.id)
    progress(Step(phase=Phase.SWAPPED_IN, text=f"snapshot {snapshot.id}"))
    return snapshot
