"""In what two recordings differ before anybody reads what was printed: tool, kernel, host, arguments."""

from __future__ import annotations

import shlex

from toolkit.model import Value
from toolkit.recordings.layout import Recording


class Change(Value, frozen=True, omit_defaults=False):
    """One fact that is not the same in both."""

    name: str
    before: str
    after: str


def list_changes(before: Recording, after: Recording) -> tuple[Change, ...]:
    """What was run, and where, as far as it differs; most telling first."""
    same = (before.run.variant, before.run.revision) == (after.run.variant, after.run.revision)
    pairs = zip(_list_facts(before, same_variant=same), _list_facts(after, same_variant=same), strict=True)
    changes = [Change(name=old[0], before=old[1], after=new[1]) for old, new in pairs if old[1] != new[1]]
    return tuple(changes)


def _list_facts(recording: Recording, *, same_variant: bool) -> tuple[tuple[str, str], ...]:
    run = recording.run
    return (
        ("tool", run.tool),
        ("arguments", shlex.join(run.arguments)),
        ("host", run.host),
        ("kernel", run.kernel),
        ("variant", run.variant),
        ("revision", run.revision),
        ("file", run.sha256[:12] if same_variant else ""),
        ("outcome", str(recording.state)),
        ("verdict", str(run.verdict.status)),
    )


def list_doubts(before: Recording, after: Recording) -> tuple[str, ...]:
    """Why the difference may not be one of what was measured."""
    doubts: list[str] = []
    if before.run.tool != after.run.tool:
        doubts.append(f"these are different tools, {before.run.tool} and {after.run.tool}: they may count other things")
    elif before.run.variant != after.run.variant:
        doubts.append("these are different variants: they may count in another way, or attach elsewhere")
    if before.run.id == after.run.id:
        doubts.append("these are the same recording")
    for side, one in (("before", before), ("after", after)):
        doubts += [f"{side}: {doubt}" for doubt in _list_doubts(one)]
    return tuple(doubts)


def describe_open_end(recording: Recording) -> str:
    """Why there is no result of a recording."""
    if recording.running:
        return "it is still running"
    return recording.problem or "its launcher died before it ended"


def _list_doubts(recording: Recording) -> list[str]:
    result = recording.result
    if result is None:
        return [describe_open_end(recording)]
    doubts = [recording.problem] if recording.problem else []
    if result.dropped_bytes:
        doubts.append(f"{result.dropped_bytes:,} bytes of its output were dropped")
    if result.tool_status:
        doubts.append(f"it failed with status {result.tool_status}")
    return doubts
