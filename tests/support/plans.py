"""Plans for programs of our own, so that the launcher can be tried on every kind of misbehaviour."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace

from toolkit.model import Analysis, Choice, Engine, Found, Status, Variant, Verdict
from toolkit.runs import Enforcement, Limits, Plan

WATCHED = Enforcement()
FAKE_TOOLS = Path(__file__).parent.parent / "fake_tools"


def plan_for(
    *argv: str,
    deadline: float = 20.0,
    asked: bool = False,
    grace: float = 20.0,  # more than a tool that obeys takes on a busy machine
    output_bytes: int = 1 << 20,
    enforcement: Enforcement = WATCHED,
    **limits: float,
) -> Plan:
    """A plan that runs argv as it is; `limits` are more of those of Limits, by name."""
    found = Found(upstream="test", source="inhouse", stem="fake", engine=Engine.SHELL, path=argv[0])
    variant = Variant(tool="fake", found=found, analysis=Analysis())
    return Plan(
        tool="fake",
        category="app",
        choice=Choice(variant=variant, verdict=Verdict(status=Status.RUNS), arguments=argv[1:], why="a test"),
        argv=argv,
        env={"PATH": "/usr/bin:/bin"},
        limits=replace(Limits(duration=deadline, grace=grace, output_bytes=output_bytes), **limits),
        deadline=deadline,
        asked=asked,
        enforcement=enforcement,
    )


def fake_tool(name: str, *arguments: str) -> tuple[str, ...]:
    """The argv of a program of tests/fake_tools."""
    return (sys.executable, str(FAKE_TOOLS / f"{name}.py"), *arguments)
