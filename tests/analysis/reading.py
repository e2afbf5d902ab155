"""How these tests say what an analysis found: needs as `kind:name`, alternatives joined by ` | `.

What depends on the engine's version is told for one version, bpftrace 0.23 unless a test says otherwise.
"""

from __future__ import annotations

from toolkit.model import Analysis, Requirement
from toolkit.versions import parse_version


def essential(analysis: Analysis, version: str = "0.23.2") -> list[str]:
    """The requirements without which the variant gives up."""
    return [_say(one) for one in analysis.requirements if one.essential and counts(one, version)]


def optional(analysis: Analysis, version: str = "0.23.2") -> list[str]:
    """The requirements without which it goes on, incomplete."""
    return [_say(one) for one in analysis.requirements if not one.essential and counts(one, version)]


def probes(analysis: Analysis) -> list[str]:
    """The attach points."""
    return [str(need) for need in analysis.probes]


def counts(requirement: Requirement, version: str) -> bool:
    """Whether a requirement counts for this version of the engine."""
    have = parse_version(version)
    return (not requirement.since or have >= parse_version(requirement.since)) and (
        not requirement.until or have < parse_version(requirement.until)
    )


def _say(requirement: Requirement) -> str:
    return " | ".join(map(str, requirement.any_of))
