"""What a sync says at its end: what was taken of each source and why, what changed, and what runs here now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from toolkit.cli import render
from toolkit.model import Value
from toolkit.snapshot.sync import SourceReport, SyncReport
from toolkit.sources.git_names import tidy

MOST_SHOWN = 20  # names of one kind
FAILED = "FAILED"


class Trials(Value, frozen=True, omit_defaults=False):
    """What was tried after a sync; `problem` says why not all, or nothing, was."""

    tried: int
    differing: tuple[str, ...]
    problem: str = ""


class Outcome(Value, frozen=True, omit_defaults=False):
    """The document of `sync --json`; the tools that run here since this sync, and those that ran here until then."""

    shape: int
    report: SyncReport
    runs_now: tuple[str, ...]
    runs_no_more: tuple[str, ...]
    trials: Trials | None = None  # None: a sync that tries nothing


def describe_problems(report: SyncReport) -> Iterator[tuple[str, str]]:
    """What a person should know even when they asked for quiet, each with its fix or an empty text."""
    for source in report.sources:
        yield from ((note, "") for note in source.notes)
        if source.problem:
            yield f"{source.source}: {source.problem}", source.fix


def format_log(outcome: Outcome) -> Iterator[str]:
    """What the log keeps of a sync: every note and problem, and the summary as a pipe gets it."""
    for what, fix in describe_problems(outcome.report):
        yield what
        if fix:
            yield f"  {fix}"
    yield from (line for line in format_outcome(outcome, None) if line)


def format_outcome(outcome: Outcome, width: int | None) -> Iterator[str]:
    """The summary, for a terminal of this width or, unbroken, for a pipe."""
    report = outcome.report
    if report.held:
        text = f"Snapshot {report.snapshot} is held by a rollback: no source was asked."
        yield from render.wrap(f"{text} To let sync go on: toolkit snapshots unhold", 0, width)
        return
    yield from _format_sources(report.sources, width)
    if report.sources:
        yield ""
    if report.snapshot == report.before:
        yield from render.wrap(_describe_rest(report), 0, width)
        return
    yield from render.wrap(_describe_snapshot(report), 0, width)
    yield from _format_changes(outcome, width)
    received = render.format_bytes(sum(one.received for one in report.sources))
    yield f"Received {received} in {render.format_duration(report.seconds)}."


def format_trials(trials: Trials, width: int | None) -> Iterator[str]:
    """What was tried, if anything was to be."""
    if trials.tried or trials.problem:
        problem = f", and then no more: {trials.problem}" if trials.problem else ""
        noun = "variant" if trials.tried == 1 else "variants"
        yield from render.wrap(f"Tried {trials.tried} {noun} on this kernel{problem}.", 0, width)
        yield from (line for one in trials.differing for line in render.wrap(one, 2, width))


def _format_sources(sources: tuple[SourceReport, ...], width: int | None) -> Iterator[str]:
    """Aligned columns: a line a revision, with the reason why it was chosen."""
    names = max((len(one.source) for one in sources), default=0)
    revisions = max((len(origin.revision) for one in sources for origin in one.origins), default=0)
    for source in sources:
        amount = render.format_bytes(source.received) if source.fetched else ""
        head = f"{source.source:<{names}}  {_name_state(source):<9}  {amount:>8}  "
        lines = [line for text in _describe_origins(source, revisions) for line in _hang(head, *text, width)]
        yield lines[0].replace(FAILED, render.paint(FAILED, "red"), 1)
        yield from (" " * len(head) + line[len(head) :] for line in lines[1:])


def _describe_origins(source: SourceReport, revisions: int) -> Iterator[tuple[str, str]]:
    if not source.origins:
        yield "", "nothing is held of it"
    for origin in source.origins:
        yield f"{origin.revision:<{revisions}}  ", source.why.get(origin.revision, "kept as it was")


def _name_state(source: SourceReport) -> str:
    if source.problem:
        return FAILED
    if not source.asked:
        return "not asked"
    return "fetched" if source.fetched else "no news"


def _describe_rest(report: SyncReport) -> str:
    if not report.snapshot:
        return "There is no snapshot: nothing could be fetched." if report.failed else "There is no snapshot."
    what = "Nothing is new"
    if report.failed:
        others = any(one.asked and not one.problem for one in report.sources)
        what = "Of the others nothing is new" if others else "Nothing could be fetched"
    return f"{what}: snapshot {report.snapshot} stands. It took {render.format_duration(report.seconds)}."


def _describe_snapshot(report: SyncReport) -> str:
    if report.before:
        return f"Snapshot {report.snapshot} is the current one; before it was {report.before}."
    new = report.difference.new
    by_source = Counter(name.split("/")[0] for name in new)
    counts = ", ".join(f"{count} of {source}" for source, count in sorted(by_source.items()))
    tools = "1 tool" if len(new) == 1 else f"{len(new)} tools"
    return f"Snapshot {report.snapshot} is the first. It has {tools}{f': {counts}' if counts else ''}."


def _format_changes(outcome: Outcome, width: int | None) -> Iterator[str]:
    change, before = outcome.report.difference, outcome.report.before
    kinds: list[tuple[str, tuple[str, ...], str]] = []
    if before:
        show = "" if before in outcome.report.removed else f"toolkit snapshots diff {before}"
        kinds = [("new", change.new, show), ("changed", change.changed, show), ("gone", change.gone, show)]
        if not (change.new or change.changed or change.gone):
            yield "  no tool is new, changed or gone"
    kinds.append(("run here now", outcome.runs_now, "toolkit list --runs"))
    kinds.append(("run here no more", outcome.runs_no_more, "toolkit list"))
    told = [(f"  {len(names):>4} {word}", names, show) for word, names, show in kinds if names]
    column = max((len(label) for label, _, _ in told), default=0) + 2
    for label, names, show in told:
        yield from _format_names(f"{label:<{column}}", names, show, width)
    if outcome.runs_no_more:
        yield f"{'':<{column}}why: toolkit info {tidy(outcome.runs_no_more[0])}"


def _format_names(label: str, names: tuple[str, ...], show: str, width: int | None) -> Iterator[str]:
    # Where the snapshot before is removed already, nothing could show the rest later.
    shown = names[:MOST_SHOWN] if show else names
    yield from _hang("", label, ", ".join(map(tidy, shown)), width)
    if len(shown) < len(names):
        yield f"{'':<{len(label)}}and {len(names) - len(shown)} more: {show}"


def _hang(head: str, label: str, text: str, width: int | None) -> Iterator[str]:
    """Text behind a head and a label, its further lines below its first one."""
    before = head + label
    first, *rest = render.wrap(text, len(before), width)
    yield before + first[len(before) :]
    yield from rest
