"""Stacks of a page as a flame graph: each frame as wide as its share of all that was counted, callers below."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from toolkit.output.gather import StackPath
from toolkit.output.html.markup import escape, percent, section, tag

HEIGHT = 18  # pixels of a frame
NARROWEST = 0.0005  # share of the width: what is narrower cannot be seen
DEEPEST = 128
MOST_BOXES = 10_000
HUES = 6


class Node:
    """A frame with all that it called."""

    __slots__ = ("below", "count")

    def __init__(self) -> None:
        self.count = 0
        self.below: dict[str, Node] = {}


class Box(NamedTuple):
    """A frame as it is drawn: shares of the width, and how deep it is."""

    name: str
    left: float
    width: float
    depth: int
    counted: int


def draw_flames(title: str, unit: str, stacks: Mapping[StackPath, list[int]]) -> str:
    """The flame graph of one title."""
    root = _grow(stacks)
    if root.count <= 0:
        return ""
    boxes = _lay_out(root)
    depth = max(box.depth for box in boxes) + 1
    drawn = "".join(_draw_box(box, depth, root.count) for box in boxes)
    picture = tag("svg", drawn, width="100%", height=depth * HEIGHT, class_="flames field", role="img")
    note = (
        f"{len(stacks):,} different stacks, {root.count:,}{f' {unit}' if unit else ''} in all. A click widens a frame."
    )
    return section(title or "Stacks", picture, note=note)


def _grow(stacks: Mapping[StackPath, list[int]]) -> Node:
    root = Node()
    for path, (count,) in stacks.items():
        if count <= 0:
            continue
        node = root
        node.count += count
        for name in (*filter(None, (path.key,)), *path.frames)[:DEEPEST]:
            node = node.below.setdefault(name, Node())
            node.count += count
    return root


def _lay_out(root: Node) -> list[Box]:
    """Every frame that is wide enough to be seen; siblings by name, as flame graphs have them."""
    boxes: list[Box] = []
    waiting = deque([("all", root, 0.0, 0)])
    while waiting and len(boxes) < MOST_BOXES:
        name, node, left, depth = waiting.popleft()
        boxes.append(Box(name, left, node.count / root.count, depth, node.count))
        for below, child in sorted(node.below.items()):
            width = child.count / root.count
            if width >= NARROWEST:
                waiting.append((below, child, left, depth + 1))
            left += width
    return boxes


def _draw_box(box: Box, depth: int, whole: int) -> str:
    shown = tag("title", escape(f"{box.name}: {box.counted:,}, {box.counted / whole * 100:.1f} %"))
    rect = tag("rect", width="100%", height=HEIGHT - 1, class_=f"h{sum(box.name.encode('utf-8', 'replace')) % HUES}")
    text = tag("text", escape(box.name[:200]), x=4, y=HEIGHT - 5)
    y = (depth - 1 - box.depth) * HEIGHT
    return tag("svg", shown + rect + text, x=percent(box.left), y=y, width=percent(box.width), height=HEIGHT)
