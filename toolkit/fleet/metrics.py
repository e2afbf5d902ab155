"""What monitoring sees of a host's catalog: Prometheus' text format, as node_exporter's textfile collector reads it.

No samples have timestamps: node_exporter refuses a whole file for one. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from toolkit.model import Judged, Status
from toolkit.snapshot.journal import Journal
from toolkit.snapshot.layout import Snapshot


def format_metrics(journal: Journal, snapshot: Snapshot | None, judged: Iterable[Judged]) -> str:
    """The whole of toolkit.prom; `judged` are all variants, the best of each tool first."""
    lines = (*_format_syncs(journal), *_format_sources(journal), *_format_snapshot(snapshot), *_format_counts(judged))
    return "".join(f"{line}\n" for line in lines)


def _format_syncs(journal: Journal) -> Iterator[str]:
    last, success = journal.last, journal.last_success
    if last:
        yield from _format("sync_last_attempt_timestamp_seconds", "When the last sync ended.", last.ended)
        yield from _format("sync_success", "Whether the last sync succeeded.", last.success)
        yield from _format("sync_duration_seconds", "How long the last sync took.", last.seconds)
        text = "What the last sync refused or did not follow; sync.log names it."
        yield from _format("sync_notes", text, len(last.notes))
    if success:
        yield from _format("sync_last_success_timestamp_seconds", "When a sync last ended in success.", success.ended)


def _format_sources(journal: Journal) -> Iterator[str]:
    good = {one.source: not one.problem for one in journal.sources}
    yield from _format_each("sync_source_success", "Whether it could be synced when last asked.", "source", good)
    times = {one.source: one.last_success for one in journal.sources if one.last_success is not None}
    yield from _format_each("sync_source_last_success_timestamp_seconds", "When it was last synced.", "source", times)


def _format_snapshot(snapshot: Snapshot | None) -> Iterator[str]:
    if snapshot is None:
        return
    yield from _format_each("snapshot_info", "The current snapshot.", "id", {snapshot.id: 1})
    built = snapshot.receipt.built
    yield from _format("snapshot_built_timestamp_seconds", "When the current snapshot was built.", built)


def _format_counts(judged: Iterable[Judged]) -> Iterator[str]:
    best: dict[str, Status] = {}
    sources: Counter[str] = Counter()
    for one in judged:
        best.setdefault(one.variant.tool, one.verdict.status)
        sources[one.variant.found.source] += 1
    verdicts = Counter(best.values())
    by_verdict = {str(status): verdicts[status] for status in Status}
    yield from _format_each("tools", "Tools here by the verdict of their best variant.", "verdict", by_verdict)
    by_source = dict(sorted(sources.items()))
    yield from _format_each("variants", "Variants here by the source of their file.", "source", by_source)


def _format(name: str, text: str, value: float) -> Iterator[str]:
    yield f"# HELP toolkit_{name} {text}"
    yield f"# TYPE toolkit_{name} gauge"
    yield f"toolkit_{name} {_number(value)}"


def _format_each(name: str, text: str, label: str, samples: Mapping[str, float]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP toolkit_{name} {text}"
    yield f"# TYPE toolkit_{name} gauge"
    yield from (f'toolkit_{name}{{{label}="{_escape(word)}"}} {_number(value)}' for word, value in samples.items())


def _number(value: float) -> str:
    return f"{float(value):.3f}".removesuffix(".000")


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
