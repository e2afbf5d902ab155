"""Names of files and folders on the command line."""

from __future__ import annotations

from typing import Any

import click


class Named(click.ParamType):  # type: ignore[type-arg]
    """A path that is not empty: an empty one, as of an unset variable, would be the current folder."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself. Raises click.BadParameter."""
        if not value:
            self.fail("an empty text names no file", param, ctx)
        return str(value)


NAMED = Named()
