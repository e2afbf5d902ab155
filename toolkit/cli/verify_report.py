"""What `verify` says: a line a trial, the summary, the JSON document, and proposed entries of known.yaml."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from toolkit.cli import render
from toolkit.cli.session import Session
from toolkit.cli.trying import Candidate, Course, Tried
from toolkit.model import Status, Value
from toolkit.runs import Observed
from toolkit.trials import differs
from toolkit.verified import name_kernel
from toolkit.versions import parse_version

STATUS_WIDTH = 8
TOOK_WIDTH = 6
LONGEST_NAME = 40
MOST_SHOWN = 10


class TrialRow(Value, frozen=True, omit_defaults=False):
    """One variant of `verify --json`; the fields up to `saw_events` are those of a line of observed truth."""

    source: str
    file: str
    args: tuple[str, ...]
    verdict: Observed
    reason: str
    object: str
    silent: bool
    programs: int
    attached: int
    saw_events: bool
    symptom: str
    predicted: Status
    predicted_why: str
    differs: bool
    variant: str
    tool: str
    engine: str
    revision: str
    sha256: str
    seconds: float


class TrialDocument(Value, frozen=True, omit_defaults=False):
    """The document of `verify --json`."""

    shape: int
    kernel: str
    build: str
    engines: dict[str, str]
    seconds: float
    cut_short: str
    trials: tuple[TrialRow, ...]


def make_document(course: Course, session: Session) -> TrialDocument:
    """Everything that the trials showed."""
    return TrialDocument(
        shape=render.SHAPE,
        kernel=session.facts.release,
        build=name_kernel().partition(" ")[2],
        engines={str(one.name): one.version for one in session.facts.engines},
        seconds=round(course.seconds, 1),
        cut_short=course.cut_short,
        trials=tuple(_make_row(one) for one in course.tried),
    )


def _make_row(one: Tried) -> TrialRow:
    found, seen = one.candidate.variant.found, one.trial.seen
    return TrialRow(
        source=found.source,
        file=found.path,
        args=one.trial.arguments,
        verdict=seen.observed,
        reason=seen.reason,
        object=",".join(seen.lacking) or seen.symptom,
        silent=seen.blind,
        programs=seen.programs,
        attached=seen.attached,
        saw_events=seen.saw_events,
        symptom=seen.symptom,
        predicted=one.trial.predicted,
        predicted_why=render.first_reason(one.candidate.predicted),
        differs=differs(one.trial),
        variant=one.candidate.variant.id,
        tool=one.candidate.tool.name,
        engine=str(found.engine),
        revision=found.revision,
        sha256=one.candidate.variant.sha256,
        seconds=one.trial.seconds,
    )


def measure_names(candidates: tuple[Candidate, ...]) -> int:
    """How many columns the names of these take."""
    return min(LONGEST_NAME, max((len(_name(one)) for one in candidates), default=0))


def format_row(one: Tried, names: int, width: int | None) -> Iterator[str]:
    """One trial: what was seen, how long it took, and what of it was predicted otherwise; below, where it is long."""
    seen = one.trial.seen
    text = f"predicted {one.trial.predicted}: {seen.reason}" if differs(one.trial) else seen.reason
    if differs(one.trial) and not seen.reason:
        text = f"predicted {one.trial.predicted}: {render.first_reason(one.candidate.predicted)}"
    took = f"{one.trial.seconds:.1f} s" if one.trial.seconds else ""
    indent = STATUS_WIDTH + 1 + TOOK_WIDTH + 2
    line = f"{took:>{TOOK_WIDTH}}  {_name(one.candidate):<{names}}"
    beside = width is None or indent + names + 2 + len(text) <= width
    yield f"{_paint(seen.observed)} {line}  {text if beside else ''}".rstrip()
    yield from () if beside else render.wrap(text, indent, width)


def _name(one: Candidate) -> str:
    return f"{one.variant.id} {one.variant.found.revision}" if one.named else one.variant.id


def _paint(observed: Observed) -> str:
    padded = f"{observed:<{STATUS_WIDTH}}"
    if observed is Observed.UNTESTED:
        return render.paint(padded, dim=True)
    return render.paint_status(Status(observed), STATUS_WIDTH)


def format_summary(course: Course, asked: int, width: int | None) -> Iterator[str]:
    """How many were tried, what came of them, and which predictions were wrong."""
    counts = Counter(one.trial.seen.observed for one in course.tried)
    words = {
        Observed.RUNS: "run",
        Observed.PARTIAL: "partial",
        Observed.BLOCKED: "blocked",
        Observed.UNTESTED: "untested",
    }
    told = ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key]) or "nothing to try"
    of = f"{len(course.tried)} of {asked}" if len(course.tried) < asked else f"{asked}"
    noun = "variant" if asked == 1 else "variants"
    yield from render.wrap(f"{of} {noun} in {render.format_duration(course.seconds)}: {told}.", 0, width)
    if not course.differing:
        if len(course.tried) > counts[Observed.UNTESTED]:
            yield "All is as predicted."
        return
    names = tuple(dict.fromkeys(one.candidate.variant.id for one in course.differing))
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    text = f"{len(course.differing)} not as predicted: {', '.join(names[:MOST_SHOWN])}{more}."
    yield from render.wrap(f"{text} `toolkit verify --propose` prints them for catalog/known.yaml.", 0, width)


def format_proposal(one: Tried, session: Session) -> Iterator[str]:
    """An entry for catalog/known.yaml; a person still says why it is so, and under which condition."""
    trial, variant = one.trial, one.candidate.variant
    version = ".".join(map(str, parse_version(variant.found.revision)))
    if trial.seen.observed is Observed.RUNS:
        yield f"# {variant.id} runs, and was predicted {trial.predicted}: no trouble to know, but worth a report"
        return
    yield f"# seen {trial.seen.observed}, predicted {trial.predicted}; sha256 {trial.sha256}"
    yield f"# on {session.facts.release}" + (f" with {trial.engines}" if trial.engines else "")
    yield f"{variant.id.replace('/', '-')}:"
    yield f"  variants: [{variant.id}]"
    if version:
        yield f'  revisions: "={version}"'
    yield "  when: {}  # the cause, as facts: has: [...], lacks: [...]"
    yield f"  verdict: {trial.seen.observed}"
    if trial.seen.blind:
        yield "  blind: true"
    yield f"  symptom: {json.dumps(trial.seen.symptom or trial.seen.reason, ensure_ascii=False)}"
    yield '  why: ""'
    yield '  link: ""'
