"""What becomes of a bpftrace program whose attach points are not all there; every few versions decide it anew.

Read from src/bpftrace.cpp, attached_probe.cpp and tracepoint_format_parser.cpp of the tags, and tried with 0.17.0,
0.23.2 and 0.27.1. What a version passes over has no program in the kernel; what it warns of and skips has.

- Before 0.21, a lone attach point must be there, but a function that a traced file lacks is passed over. Of a list
  the missing ones are skipped, unless each attach point gets a program of its own (`probe`, or `args` of tracepoints):
  "Code not generated".
- Since 0.21 (pull request 3246), a lone uprobe must find its function too; a program can ask to give up
  (missing_probes = "error"), which tracepoints ignore. Since 0.22 what would get a program of its own is passed over.
- Since 0.24 (pull request 4097), anything missing ends it, unless missing_probes says otherwise. With "ignore" its
  author says that one of a list will do.

Always: a tracepoint wildcard that matches nothing ends it (until 0.24 even in a list), others match what there is; a
program of which nothing is left ends with "No probes to attach".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from toolkit.analysis.bpftrace_probes import Point
from toolkit.analysis.needs import distinct, function_key, one, unique
from toolkit.model import Need, NeedKind, Requirement

# (since, until) of the versions that treat missing attach points alike.
SPANS = (("", "0.21"), ("0.21", "0.22"), ("0.22", "0.24"), ("0.24", ""))
OLD, LISTED, DROPPING, STRICT = SPANS
FORGIVING = ("ignore", "warn")  # missing_probes
_BY_NAME = frozenset({NeedKind.KPROBE, NeedKind.TRACEPOINT})
_IN_FILES = frozenset({NeedKind.UPROBE, NeedKind.USDT})
Span = tuple[str, str]


@dataclass(frozen=True)
class Block:
    """The attach points of one probe, and what its body makes of them."""

    points: tuple[Point, ...]
    names_itself: bool = False  # it uses `probe`: each attach point gets a program of its own
    reads_arguments: bool = False  # it uses `args`: so do tracepoints, before 0.22

    @property
    def places(self) -> tuple[tuple[Point, Need], ...]:
        """The points that need something of the host and are known beforehand, with what they need."""
        return tuple((one, one.need) for one in self.points if one.need is not None and not one.chosen_at_run_time)


def attach_requirements(blocks: tuple[Block, ...], wish: str) -> Iterator[Requirement]:
    """What a program needs of the places that it attaches to; `wish` is its missing_probes setting, or empty."""
    files = (point.file for block in blocks for point in block.points if point.file)
    yield from (one(NeedKind.PROGRAM, file) for file in dict.fromkeys(files))
    if any(need.kind is NeedKind.RAW_TRACEPOINT for block in blocks for _, need in block.places):
        yield Requirement(any_of=(Need(kind=NeedKind.BTF),), since=STRICT[0])  # pull request 3944
    spans_of: dict[Requirement, list[Span]] = {}
    for span in SPANS:
        of_blocks = (requirement for block in blocks for requirement in _of(block, span, wish))
        for requirement in distinct((*_of_all(blocks, span, wish), *of_blocks)):
            spans_of.setdefault(requirement, []).append(span)
    for requirement, spans in spans_of.items():
        for since, until in _joined(spans):
            yield msgspec.structs.replace(requirement, since=since, until=until)


def _joined(spans: list[Span]) -> list[Span]:
    """The same versions in as few spans as possible."""
    joined = spans[:1]
    for since, until in spans[1:]:
        if joined[-1][1] == since:
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return joined


def _of(block: Block, span: Span, wish: str) -> Iterator[Requirement]:
    optional: dict[str, list[Need]] = {}
    there: set[str] = set()  # what must be there, and so is not missed under another name
    for point, need in block.places:
        if _ends_it(point, need, block, span, wish):
            there.add(_same(point, need, block, span))
            yield Requirement(any_of=(need,))
        else:
            same = "" if span == STRICT and wish == "ignore" else _same(point, need, block, span)
            optional.setdefault(same, []).append(need)
        if need.kind is NeedKind.FENTRY and span != STRICT:
            yield one(NeedKind.FENTRY)  # that there is no such function is forgiven, that there is no fentry is not
    yield from (
        Requirement(any_of=unique(needs), essential=False) for same, needs in optional.items() if same not in there
    )
    if span == STRICT and wish not in FORGIVING and len(block.points) == len(block.places):
        yield Requirement(any_of=unique(need for _, need in block.places))


def _of_all(blocks: tuple[Block, ...], span: Span, wish: str) -> Iterator[Requirement]:
    """A program needs something to attach to: what is passed over is nothing."""
    places = [(block, *place) for block in blocks for place in block.places]
    all_known = len(places) == sum(len(block.points) for block in blocks)
    if all_known and all(_passed_over(point, need, block, span, wish) for block, point, need in places):
        yield Requirement(any_of=unique(need for _, _, need in places))


def _passed_over(point: Point, need: Need, block: Block, span: Span, wish: str) -> bool:
    """Whether a version forgets this point, if it is not there, before it counts what is left."""
    if span == STRICT:
        return wish in FORGIVING
    if need.kind in _IN_FILES and span == OLD:
        return True
    if block.names_itself and span == DROPPING and need.kind in (NeedKind.KPROBE, NeedKind.UPROBE):
        return True
    return point.wild and need.kind is not NeedKind.TRACEPOINT


def _ends_it(point: Point, need: Need, block: Block, span: Span, wish: str) -> bool:
    """Whether a version gives up when this attach point is not there."""
    kind, alone = need.kind, len(block.points) == 1
    if span == STRICT:
        forgiven = wish in FORGIVING or (point.wild and not alone)
        return not forgiven and not (block.names_itself and not alone and kind in _BY_NAME | {NeedKind.UPROBE})
    if point.wild:
        return kind is NeedKind.TRACEPOINT
    if kind in _BY_NAME:
        own = block.names_itself or (block.reads_arguments and kind is NeedKind.TRACEPOINT)
        if own and span in (OLD, LISTED):
            return True
        if kind is NeedKind.KPROBE and block.names_itself and span == DROPPING:
            return False
        return alone or (wish == "error" and kind is NeedKind.KPROBE)
    if kind is NeedKind.UPROBE:
        return span != OLD and (alone or wish == "error") and not (block.names_itself and span == DROPPING)
    if kind is NeedKind.USDT:
        return span != OLD and need.name.count(":") > 1  # without its provider it is looked for, like a wildcard
    return alone or wish == "error" or kind is not NeedKind.FENTRY


def _same(point: Point, need: Need, block: Block, span: Span) -> str:
    """Attach points with the same answer are alternatives when they stand in one list."""
    if need.kind in _IN_FILES:
        # What old versions pass over is a choice of what there is. The same name in two files is two functions.
        return str(need.kind) if span == OLD and len(block.points) > 1 else f"{point.file}:{function_key(need.name)}"
    for direction in ("sys_enter_", "sys_exit_"):
        # A kernel that lacks one of several system calls has no callers of it: nothing is lost.
        if need.kind is NeedKind.TRACEPOINT and need.name.startswith(f"syscalls:{direction}"):
            return direction
    return function_key(need.name)
