"""A comparison of two recordings as lines that are read in seconds: what was run, then what was printed."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from toolkit.cli.render import format_duration
from toolkit.model import Value
from toolkit.output.chart import Style, cut, draw_bar, format_value, label_slot, show_safely
from toolkit.output.compare import Seconds
from toolkit.output.comparison import (
    Comparison,
    FramePair,
    HistogramPair,
    Measure,
    Numbers,
    RowPair,
    SlotPair,
    StackPair,
    StacksPair,
    TablePair,
)
from toolkit.output.frames import Slot
from toolkit.recordings.facts import Change
from toolkit.recordings.layout import Recording

MOST_SHOWN = 10  # rows, stacks, values and histograms; --json has more
MOST_SLOTS = 32
MOST_FRAMES = 5
TELLING = 0.001  # a change of share that is worth a line
FEW = 100  # values: of fewer, a p99 is one of them
NEAR = 1.05  # a factor up to this, or its inverse, is no change
TOLD = 1.5  # a factor from which on a second measure is worth a line


class DiffReport(Value, frozen=True, omit_defaults=False):
    """The document of `recordings diff --json`."""

    shape: int
    before: Recording
    after: Recording
    seconds: Seconds  # how long each took
    changes: tuple[Change, ...]  # of what was run, and where
    doubts: tuple[str, ...]  # why they may not be comparable
    comparison: Comparison


class Scale(NamedTuple):
    """How counts are shown: as they are where both runs took as long, else a second."""

    seconds: Seconds
    style: Style

    @property
    def by_second(self) -> bool:
        before, after = self.seconds
        return before > 0 and after > 0 and not 1 / NEAR <= after / before <= NEAR

    @property
    def suffix(self) -> str:
        return "/s" if self.by_second else ""

    def show(self, before: float | None, after: float | None) -> tuple[str, str]:
        """Both counts."""
        by = self.seconds if self.by_second else (1.0, 1.0)
        pairs = zip((before, after), by, strict=True)
        old, new = ("-" if count is None else show_number(count / seconds) for count, seconds in pairs)
        return old, new


def describe(report: DiffReport, *, width: int, unicode: bool) -> Iterator[str]:
    """All of it, in lines of at most `width` columns."""
    style = Style(width=width, unicode=unicode)
    scale = Scale(report.seconds, style)
    lines = (*_describe_runs(report, scale), *_describe_contents(report.comparison, scale))
    return (cut(line, style) for line in lines)


def _describe_runs(report: DiffReport, scale: Scale) -> Iterator[str]:
    runs = (report.before.run, report.after.run)
    times = tuple(map(format_duration, report.seconds))
    names, hosts, took = (max(map(len, column)) for column in ([r.id for r in runs], [r.host for r in runs], times))
    for side, run, time in zip(("before", "after"), runs, times, strict=True):
        command = f"{run.tool} {shlex.join(run.arguments)}".rstrip()
        yield show_safely(f"{side:<9} {run.id:<{names}}  {run.host:<{hosts}}  {time:>{took}}  {command}")
    for change in report.changes:
        yield show_safely(f"{change.name:<9} {change.before or 'none'} -> {change.after or 'none'}")
    for doubt in report.doubts:
        yield from wrap(show_safely(f"mind      {doubt}"), scale.style.width)
    if scale.by_second:
        yield "mind      they took different times: counts are a second, factors too"


def wrap(text: str, width: int) -> list[str]:
    """A sentence in the width that there is, below its first word."""
    return textwrap.wrap(text, width=width, subsequent_indent=" " * 10, break_on_hyphens=False)


def _describe_contents(comparison: Comparison, scale: Scale) -> Iterator[str]:
    parts: list[Sequence[str]] = [
        *(tuple(_describe_histogram(one, scale)) for one in _choose_histograms(comparison)),
        *_describe_tables(comparison, scale),
        *(tuple(_describe_stacks(one, scale)) for one in comparison.stacks[:MOST_SHOWN]),
        tuple(_describe_values(comparison)),
        tuple(_describe_rest(comparison)),
    ]
    told = [part for part in parts if part]
    for part in told:
        yield ""
        yield from part
    if not told:
        yield ""
        yield "Nothing in either was understood as data: `recordings show` has what they printed."


def _choose_histograms(comparison: Comparison) -> list[HistogramPair]:
    """Those that moved most, and counted most."""

    def weigh(pair: HistogramPair) -> float:
        # A shift of three values is none; what counts a thousand times as much is not a thousand times as telling.
        counts = [one.count if one else 0 for one in (pair.before, pair.after)]
        return -abs(pair.shift or 0.0) * math.log1p(max(min(counts), 0)) - math.log1p(max(*counts, 0)) / 100

    several = sorted(comparison.histograms, key=weigh) if len(comparison.histograms) > 3 else comparison.histograms
    return list(several[:MOST_SHOWN])


def _describe_histogram(pair: HistogramPair, scale: Scale) -> Iterator[str]:
    unit = f"({pair.unit})" if pair.unit else ""
    yield show_safely(" ".join(part for part in (pair.title or "histogram", unit) if part))
    if pair.before is None or pair.after is None:
        only = pair.before or pair.after
        side = "before" if pair.before else "after"
        yield f"  only {side}: {only.count:,} values" if only else f"  not compared: {pair.problem}"
        return
    old, new = pair.before, pair.after
    if pair.problem:
        yield show_safely(f"  not compared: {pair.problem}")
    rows = [
        ("", "before", "after", ""),
        ("count" + scale.suffix, *scale.show(old.count, new.count), show_factor(pair.factor)),
    ]
    rows += [_row_of_percentile(name, old, new, pair.unit) for name in ("p50", "p90", "p99")]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    for name, first, second, factor in rows:
        yield f"  {name:<{widths[0]}}  {first:>{widths[1]}}  {second:>{widths[2]}}  {factor}".rstrip()
    yield from _describe_shift(pair, old, new)
    yield from _draw_slots(pair.slots, scale.style)


def _row_of_percentile(name: str, before: Numbers, after: Numbers, unit: str) -> tuple[str, str, str, str]:
    old, new = (getattr(one, name) for one in (before, after))
    shown = ["?" if one is None else f"~{format_value(one, unit)}" for one in (old, new)]
    return name, shown[0], shown[1], show_factor(new / old if old and new is not None else None)


def _describe_shift(pair: HistogramPair, before: Numbers, after: Numbers) -> Iterator[str]:
    if pair.shift is not None:
        way = "right, to higher values," if pair.shift > 0 else "left, to lower values,"
        amount = f"{abs(pair.shift):.1f} slot{'s' * (f'{abs(pair.shift):.1f}' != '1.0')}"
        yield f"  moved {way} by about {amount}" if abs(pair.shift) >= 0.1 else "  did not move as a whole"
    for side, one in (("before", before), ("after", after)):
        if one.count < FEW:
            yield f"  only {one.count:,} values {side}: p99 says little"


def _draw_slots(slots: Sequence[SlotPair], style: Style) -> Iterator[str]:
    """The share of all that lies in each slot, side by side."""
    shown = _thin_out(slots)
    totals = [sum(slot.before for slot in shown), sum(slot.after for slot in shown)]
    if not all(total > 0 for total in totals):
        return
    shares = [(slot.before / totals[0], slot.after / totals[1]) for slot in shown]
    most = max(max(pair) for pair in shares)
    labels = [label_slot(Slot(low=slot.low, high=slot.high, count=0)) for slot in shown]
    left = max(map(len, labels))
    room = max((style.width - left - 26) // 2, 4)  # what stands beside the bars takes 26 columns
    for label, pair in zip(labels, shares, strict=True):
        bars = [f"{show_share(share)} |{draw_bar(share / most, room, style)}|" for share in pair]
        yield f"  {label:>{left}}  {bars[0]} {bars[1]}".rstrip()


def _thin_out(slots: Sequence[SlotPair]) -> list[SlotPair]:
    each = -(-len(slots) // MOST_SLOTS) or 1
    joined = (slots[at : at + each] for at in range(0, len(slots), each))
    return [
        SlotPair(
            low=some[0].low, high=some[-1].high, before=sum(s.before for s in some), after=sum(s.after for s in some)
        )
        for some in joined
    ]


def _describe_tables(comparison: Comparison, scale: Scale) -> Iterator[Sequence[str]]:
    """Those in which something changed, and how many there are beside them."""
    described = [tuple(_describe_table(pair, scale)) for pair in comparison.tables[:MOST_SHOWN]]
    yield from described
    same = described.count(())
    if same:
        yield (f"{same} {'tables' if same > 1 else 'table'}: no row changed by more than 5 %",)


def _describe_table(pair: TablePair, scale: Scale) -> Iterator[str]:
    measures = [(row, row.measures[0]) for row in pair.rows if row.weight]
    if not pair.keys:  # all rows are one: each column is worth a line
        measures = [(row, measure) for row in pair.rows for measure in row.measures]
    changed = [(row, measure) for row, measure in measures if _has_changed(measure)]
    if not changed:
        return
    news = [f"{count:,} {word}" for count, word in ((pair.added, "added"), (pair.gone, "gone")) if count and pair.keys]
    by = f"by {' '.join(pair.keys)}" if pair.keys else "all rows together"
    yield show_safely(f"{pair.title or 'table'}  {'; '.join((by, *((', '.join(news),) if news else ())))}")
    room = max(scale.style.width - 36, 16)
    lead = _entitle(changed[0][1], scale) if pair.keys else ""
    yield f"  {'':<{room}} {'before':>11} {'after':>11}  {show_safely(lead)}".rstrip()
    for row, measure in changed[:MOST_SHOWN]:
        name = show_safely(" ".join(row.key)) if pair.keys else _entitle(measure, scale)
        old, new = scale.show(measure.before, measure.after) if not measure.mean else _show_means(measure)
        yield f"  {cut(name, Style(width=room)):<{room}} {old:>11} {new:>11}  {_show_change(measure)}"
        yield from _describe_means(row, "    ") if pair.keys else ()
    left = len(changed) - MOST_SHOWN
    if left > 0:
        yield f"  … and {left + pair.more:,} more that changed"


def _has_changed(measure: Measure) -> bool:
    return measure.before != measure.after and not _is_near(measure.factor)


def _entitle(measure: Measure, scale: Scale) -> str:
    return show_safely(f"{measure.name}, mean" if measure.mean else f"{measure.name}{scale.suffix}")


def _show_means(measure: Measure) -> tuple[str, str]:
    old, new = ("-" if mean is None else show_number(mean) for mean in (measure.before, measure.after))
    return old, new


def _describe_means(row: RowPair, indent: str) -> Iterator[str]:
    """The measure that changed most beside the first, where it did by much."""
    told = [one for one in row.measures[1:] if one.mean and one.factor and _distance(one.factor) >= math.log(TOLD)]
    if told:
        one = max(told, key=lambda measure: _distance(measure.factor or 1.0))
        old, new = _show_means(one)
        yield show_safely(f"{indent}{one.name}, mean: {old} -> {new}  {show_factor(one.factor)}")


def _describe_stacks(pair: StacksPair, scale: Scale) -> Iterator[str]:
    old, new = scale.show(pair.before, pair.after)
    factor = show_factor(pair.factor)
    unit = f" {pair.unit}" if pair.unit else ""
    yield show_safely(f"{pair.title or 'stacks'}  {old} -> {new}{unit}{scale.suffix}  {factor}".rstrip())
    several = f"{len(pair.stacks) + pair.more:,} stacks, {pair.added:,} added, {pair.gone:,} gone"
    yield f"  {several}; shares of all that was counted:"
    for frame in [one for one in pair.frames if abs(one.weight) >= TELLING][:MOST_FRAMES]:
        yield show_safely(f"  {_show_shares(frame, pair)}  anywhere in {frame.name}")
    for stack in [one for one in pair.stacks if abs(one.weight) >= TELLING][:MOST_SHOWN]:
        frames = " < ".join(reversed(stack.frames))
        key = f"[{stack.key}] " if stack.key else ""
        yield show_safely(f"  {_show_shares(stack, pair)}  {key}{frames}")


def _show_shares(one: FramePair | StackPair, pair: StacksPair) -> str:
    counts = ((one.before, pair.before), (one.after, pair.after))
    old, new = (show_share(count / whole if whole > 0 else 0.0) for count, whole in counts)
    return f"{old} -> {new}"


def _describe_values(comparison: Comparison) -> Iterator[str]:
    several = [one for one in comparison.values if not _is_near(one.factor)]
    several.sort(key=lambda one: -_distance(one.factor or math.inf))
    if several:
        yield "values"
    for one in several[:MOST_SHOWN]:
        old, new = ("-" if value is None else show_number(value) for value in (one.before, one.after))
        name = " ".join(part for part in (one.title, one.name) if part)
        yield show_safely(f"  {name}  {old} -> {new}  {show_factor(one.factor)}".rstrip())


def _describe_rest(comparison: Comparison) -> Iterator[str]:
    if any(comparison.lost):
        yield f"lost events  {comparison.lost[0]:,} -> {comparison.lost[1]:,}: what lost some counted too few"
    for name, pairs in (("histograms", comparison.histograms), ("tables", comparison.tables)):
        if len(pairs) > MOST_SHOWN:
            yield f"and {len(pairs) - MOST_SHOWN:,} more {name}: --json has them"
    if comparison.left_out:
        yield f"too much to compare all of it: {comparison.left_out:,} rows, stacks or titles are not in this"


def _show_change(measure: Measure) -> str:
    if measure.before is None:
        return "added"
    return "gone" if measure.after is None else show_factor(measure.factor)


def _is_near(factor: float | None) -> bool:
    return factor is not None and 1 / NEAR <= factor <= NEAR


def _distance(factor: float) -> float:
    """How far from no change, the same for twice and half."""
    return abs(math.log(factor)) if factor > 0 else math.inf


def show_factor(factor: float | None) -> str:
    """`x2.3`, `same`, or nothing where there is none."""
    if factor is None:
        return ""
    if _is_near(factor):
        return "same"
    digits = 0 if factor >= 100 else 1 if factor >= 2 else 2
    return f"x{factor:,.{digits}f}" if factor >= 0.1 else f"x{factor:.2g}"


def show_number(number: float) -> str:
    """Whole where it is, else with three digits."""
    if number == int(number) or abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def show_share(share: float) -> str:
    """A share in percent, in seven columns."""
    return f"{share * 100:5.1f} %"
