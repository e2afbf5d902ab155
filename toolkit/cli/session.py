"""What nearly every command starts from: the places, the settings, the catalog and the facts of this host."""

from __future__ import annotations

import msgspec

from toolkit.cli.places import own_paths
from toolkit.cli.remembered import recall_settings
from toolkit.config import Settings
from toolkit.host import load_facts
from toolkit.model import Facts, Index, Value
from toolkit.paths import Paths
from toolkit.runs import Trial
from toolkit.snapshot.index import load_index
from toolkit.verified import load_trials


class Session(Value, frozen=True, kw_only=False):
    """Loaded once a command; nothing in it changes."""

    paths: Paths
    settings: Settings
    index: Index
    facts: Facts
    trials: dict[str, Trial] = {}  # results of this kernel, by their names


def open_session(name: str = "") -> Session:
    """Load everything for this user on this host. Raises ToolkitError.

    With a `name`, as a person types it, variants of other tools than the one that it is about may be missing.
    """
    paths = own_paths()
    index = load_index(paths, name=name)
    return join_session(paths, recall_settings(paths), index, load_facts(paths.facts))


def join_session(paths: Paths, settings: Settings, index: Index, facts: Facts) -> Session:
    """A session of these, with the facts about what the catalog's variants name outside of the kernel."""
    if index.outside:
        from toolkit.host.looked import look_up  # here, because most tools name nothing outside of the kernel

        facts = msgspec.structs.replace(facts, looked=look_up(index.outside, cache=paths.looked))
    return Session(paths, settings, index, facts, load_trials(paths.verified))
