"""Hold what somebody wants to run against this host's policy."""

from __future__ import annotations

import os

from toolkit.cli.session import Session
from toolkit.launch.attempt import Attempt
from toolkit.launch.audit import find_person
from toolkit.launch.policy import Request
from toolkit.model import Risk, Tool
from toolkit.policies import load_policy


def open_attempt(
    session: Session,
    tool: Tool,
    arguments: tuple[str, ...],
    accepted: tuple[Risk, ...],
    *,
    force: bool = False,
    record: bool | None = None,
) -> Attempt:
    """An attempt of whoever asks, before anything of it is decided. Raises PolicyError."""
    person = find_person(os.environ)
    request = Request(
        user=person.user,
        uid=person.uid,
        tool=tool,
        arguments=arguments,
        accepted=accepted,
        force=force,
        record=record,
    )
    return Attempt(session.paths, load_policy(session.paths.policy), person, request)
