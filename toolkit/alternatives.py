"""What to use instead: another variant of the same tool that runs, or a tool that answers a similar question. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from toolkit.answers import answer_need
from toolkit.choose import NO_TRIALS, judge_all
from toolkit.compat import list_requirements
from toolkit.model import ATTACH_KINDS, Facts, Index, Judged, Need, NeedKind, Status, Tool, Value, Variant
from toolkit.runs import Trial

# What a variant attaches to, in words: of one and of several. Kinds that are told alike stand together.
WORDS: tuple[tuple[frozenset[NeedKind], str, str], ...] = (
    (frozenset({NeedKind.TRACEPOINT}), "the tracepoint {}", "the tracepoints {}"),
    (frozenset({NeedKind.RAW_TRACEPOINT, NeedKind.TP_BTF}), "the raw tracepoint {}", "the raw tracepoints {}"),
    (frozenset({NeedKind.KPROBE}), "a kprobe on {}", "kprobes on {}"),
    (frozenset({NeedKind.FENTRY}), "fentry on {}", "fentry on {}"),
    (frozenset({NeedKind.UPROBE}), "a uprobe on {}", "uprobes on {}"),
    (frozenset({NeedKind.USDT}), "the USDT probe {}", "the USDT probes {}"),
    (frozenset({NeedKind.PERF_EVENT}), "the event {}", "the events {}"),
)
MOST_NAMES = 2


class Alternative(Value, frozen=True, kw_only=False):
    """A variant that runs where another does not; `same` tells whether it is one of the same tool."""

    tool: str
    variant: str
    through: str  # what it attaches to, in words; empty when it names nothing
    same: bool

    def __str__(self) -> str:
        through = f" through {self.through}" if self.through else ""
        if self.same:
            return f"`{self.variant}` answers the same{through}"
        return f"`{self.tool}` answers a similar question: {self.variant} runs{through}"


def find_alternative(
    tool: Tool, variants: Iterable[Variant], index: Index, facts: Facts, trials: Mapping[str, Trial] = NO_TRIALS
) -> Alternative | None:
    """The nearest one that runs where these variants of a tool do not: of the tool itself, else of its like."""
    unwanted = {(one.id, one.found.path) for one in variants}
    every = (one for one in index.variants if one.tool == tool.name)
    own = tuple(one for one in every if (one.id, one.found.path) not in unwanted)
    found = _take_running(judge_all(own, facts, trials), facts, same=True)
    for other in () if found else tool.instead:
        others = tuple(one for one in index.variants if one.tool == other)
        found = _take_running(judge_all(others, facts, trials), facts, same=False)
        if found:
            break
    return found


def make_alternative(variant: Variant, facts: Facts, *, same: bool) -> Alternative:
    """A variant that runs, as what to use instead."""
    return Alternative(variant.tool, variant.id, describe_attachment(variant, facts), same)


def describe_attachment(variant: Variant, facts: Facts) -> str:
    """What a variant attaches to on this host, in words: "the tracepoint sock:inet_sock_set_state"."""
    met = tuple(dict.fromkeys(_list_attached(variant, facts)))
    for kinds, one, several in WORDS:
        names = tuple(dict.fromkeys(need.name for need in met if need.kind in kinds))
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            joined = (", " if more else " and ").join(names[:MOST_NAMES])
            return (one if len(names) == 1 else several).format(joined + more)
    return ""


def _list_attached(variant: Variant, facts: Facts) -> Iterable[Need]:
    """Of each requirement that is an event, the first way that is there."""
    for requirement in list_requirements(variant, facts):
        if all(need.kind in ATTACH_KINDS for need in requirement.any_of):
            ways = (need for need in requirement.any_of if need.name and answer_need(need, facts).met)
            yield from (need for _, need in zip(range(1), ways, strict=False))


def _take_running(judged: tuple[Judged, ...], facts: Facts, *, same: bool) -> Alternative | None:
    if not judged or judged[0].verdict.status is not Status.RUNS:
        return None
    return make_alternative(judged[0].variant, facts, same=same)
