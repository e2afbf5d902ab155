"""How these tests say what an analysis found: needs as `kind:name`, alternatives joined by ` | `."""

from __future__ import annotations

from toolkit.model import Analysis


def essential(analysis: Analysis) -> list[str]:
    """The requirements without which the variant gives up."""
    return [" | ".join(map(str, one.any_of)) for one in analysis.requirements if one.essential]


def optional(analysis: Analysis) -> list[str]:
    """The requirements without which it goes on, incomplete."""
    return [" | ".join(map(str, one.any_of)) for one in analysis.requirements if not one.essential]


def probes(analysis: Analysis) -> list[str]:
    """The attach points."""
    return [str(need) for need in analysis.probes]
