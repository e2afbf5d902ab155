"""What a run cost, over its time, as lines on a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from toolkit.output.html.markup import escape, section, tag
from toolkit.runs import Cost

WIDTH, HEIGHT = 600, 90  # units of the drawing, which is stretched to the width of the page
MOST_POINTS = 600
Point = tuple[float, float]


class Costs:
    """Samples of the meter, thinned out as they become many."""

    def __init__(self) -> None:
        self.samples: list[Cost] = []
        self._each = 1
        self._seen = 0

    def add(self, sample: Cost) -> None:
        """Take the next."""
        if self._seen % self._each == 0:
            self.samples.append(sample)
        self._seen += 1
        if len(self.samples) > MOST_POINTS:
            self.samples = self.samples[::2]
            self._each *= 2


def draw_costs(samples: Sequence[Cost]) -> str:
    """A curve for each thing that was measured more than nothing."""
    curves = (
        ("BPF programs, % of one CPU", _rate(samples, lambda one: one.run_ns / 1e7)),
        ("Events a second", _rate(samples, lambda one: one.run_count)),
        ("Its processes, % of one CPU", _rate(samples, lambda one: one.cpu * 100)),
        ("Memory, MiB", [(one.time, one.memory / (1 << 20)) for one in samples]),
    )
    drawn = [_draw_curve(name, points) for name, points in curves if any(value > 0 for _, value in points)]
    return section("What it cost", tag("div", "".join(drawn), class_="curves") if drawn else "")


def _show(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rate(samples: Sequence[Cost], read: Callable[[Cost], float]) -> list[Point]:
    """How much a second between two samples; what was reset or read out of order counts as nothing."""
    return [
        (after.time, max((read(after) - read(before)) / (after.time - before.time), 0.0))
        for before, after in pairwise(samples)
        if after.time > before.time
    ]


def _draw_curve(name: str, points: Sequence[Point]) -> str:
    if len(points) < 2:
        return ""
    begin, end = points[0][0], points[-1][0]
    most = max(value for _, value in points)
    places = " ".join(
        f"{(time - begin) / (end - begin) * WIDTH:.1f},{HEIGHT - value / most * (HEIGHT - 4):.1f}"
        for time, value in points
    )
    line = tag("polyline", points=places, class_="line", vector_effect="non-scaling-stroke")
    picture = tag(
        "svg",
        line,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
        role="img",
        class_="field",
    )
    caption = f"{escape(name)}: max {_show(most)}"
    axis = tag("div", tag("span", f"{begin:.1f} s") + tag("span", f"{end:.1f} s"), class_="axis")
    return tag("figure", tag("figcaption", caption) + picture + axis)
