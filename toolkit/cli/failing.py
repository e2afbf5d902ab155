"""Exit statuses of a command that tells failing at its work from being called wrongly."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from toolkit.errors import SettingsError, SyncFailed, ToolkitError, UsageError

P = ParamSpec("P")
T = TypeVar("T")


def fail_with_one(function: Callable[P, T]) -> Callable[P, T]:
    """Let a command exit with 1 where it failed at its work, and with 125 only where it was called wrongly."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (UsageError, SettingsError):
            raise
        except ToolkitError as error:
            raise SyncFailed(error.what, fix=error.fix) from error

    return call
