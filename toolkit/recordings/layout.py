"""The files of a recording, as types: `run.json` is written before the start and `result.json` last.

A recording without result.json is one whose launcher died. `stdout` and `stderr` hold the raw bytes; `timing` says
when they came, one line `O|E delay bytes` each (seconds since the line before; the advanced format of script(1));
`frames.jsonl` holds what was understood of stdout; `cost.jsonl` the meter's samples.
"""

from __future__ import annotations

from toolkit.model import Value, Verdict
from toolkit.runs import Enforcement, Limits, Result

SHAPE = 1  # of run.json and result.json; raised when a field changes its meaning


class RunRecord(Value, frozen=True, omit_defaults=False):
    """run.json: everything that was decided, before anything started. Times are seconds since the epoch."""

    shape: int
    id: str
    started: float
    host: str
    user: str
    kernel: str
    tool: str
    category: str
    variant: str
    engine: str
    revision: str
    path: str
    sha256: str
    argv: tuple[str, ...]
    arguments: tuple[str, ...]  # as the person typed them
    why: str
    verdict: Verdict
    deadline: float
    asked: bool
    output_bytes: int
    grace: float
    nice: int
    limits: Limits = Limits()  # all of them, and what held them
    enforcement: Enforcement = Enforcement()


class ResultRecord(Value, frozen=True, omit_defaults=False):
    """result.json: how it ended."""

    shape: int
    ended: float
    result: Result


class Recording(Value, frozen=True, omit_defaults=False):
    """One recording as it is read back; `result` is None when it has none, and the run may still be going on."""

    path: str
    run: RunRecord
    result: Result | None
