"""Exit statuses of a command that tells failing at its work from being called wrongly."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from toolkit.errors import SettingsError, SyncFailed, ToolkitError, UsageError

P = ParamSpec("P")
T = TypeVar("T")

NO_THREAD = "can't start new thread"  # what Python calls it, for which it has no class of error


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
        except RuntimeError as error:
            if str(error) != NO_THREAD:
                raise
            raise SyncFailed(
                "this host lets no more threads begin", fix="look at `ulimit -u`, and at pids.max of the cgroup"
            ) from error

    return call
