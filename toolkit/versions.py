"""The engines of a host by their versions: which are here, and how a version is read and compared. Pure."""

from __future__ import annotations

from toolkit.distributions import install_command
from toolkit.model import Engine, Facts, Need, NeedKind, Reason


def find_missing_engine(engine: Engine, facts: Facts) -> Reason | None:
    """Why an engine cannot start anything here, or None when it can."""
    if engine is Engine.SHELL or any(one.name is engine for one in facts.engines):
        return None
    why = facts.missing_engines.get(engine, "it was not found")
    fix = install_command(facts.distribution, engine)
    return Reason(text=f"no {engine} engine: {why}", fix=fix, need=Need(kind=NeedKind.ENGINE, name=engine))


def engine_version(engine: Engine, facts: Facts) -> tuple[int, ...]:
    """The version of an engine as numbers, () when it is not there or says nothing readable."""
    text = next((one.version for one in facts.engines if one.name is engine), "")
    return parse_version(text)


def parse_version(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version up to the first part that is none: 'v0.17.0-1' gives (0, 17, 0)."""
    numbers: list[int] = []
    for part in text.lstrip("v").split("."):
        digits = part[: next((at for at, sign in enumerate(part) if sign not in "0123456789"), len(part))]
        if not digits:
            break
        numbers.append(int(digits[:9]))
        if digits != part:
            break
    return tuple(numbers)
