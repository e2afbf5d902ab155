"""Where this user's settings and state are, checked before anything in them is believed."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.paths import Paths, check_state_owner, find_paths

OWN_HOME = "TOOLKIT_HOME"


def own_home(paths: Paths) -> str:
    """The folder that TOOLKIT_HOME names, or an empty text when it is not set."""
    return str(paths.state.parent) if os.environ.get(OWN_HOME) else ""


def own_paths() -> Paths:
    """This user's places. Raises StateError for state that others can write."""
    paths = find_paths(dict(os.environ), os.getuid())
    home = own_home(paths)
    for place in (*((Path(home),) if home else ()), paths.state, paths.settings):
        check_state_owner(place, os.getuid())
    return paths
