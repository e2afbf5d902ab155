"""Numbers on the command line. Their bounds are said to who breaks them: in a help they would hide what matters."""

from __future__ import annotations

from typing import Any

import click


class Number(click.ParamType):  # type: ignore[type-arg]  # which click 8.1 does not have
    """A whole number from `least` to `most`."""

    name = "N"
    kind: type[float] = int
    none = "no whole number"

    def __init__(self, least: float, most: float | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click.BadParameter."""
        try:
            number = self.kind(value)
        except ValueError:
            self.fail(f"{value!r} is {self.none}", param, ctx)
        if not fits(number, self.least, self.most):
            self.fail(f"{value} is not {describe_bounds(self.least, self.most)}", param, ctx)
        return number


class Amount(Number):
    """A number from `least` to `most`, also with a fraction."""

    kind = float
    none = "no number"


def fits(number: float, least: float, most: float | None) -> bool:
    """Whether a number is within its bounds; `nan` never is."""
    return number >= least and (most is None or number <= most)


def describe_bounds(least: float, most: float | None) -> str:
    """`at least 1`, `between 0 and 19`."""
    return f"at least {least:g}" if most is None else f"between {_show(least)} and {_show(most)}"


def _show(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:g}"
