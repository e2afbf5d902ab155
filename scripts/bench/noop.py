"""A sync that finds nothing new, against the slowest single `git ls-remote` of what it asks: whole processes, in turn.

On loopback an answer takes no time, so the difference is what the sync itself costs. The budget is held against a
server as far away as a forge is. git's own protocol needs 3 round trips, https 4 or 5: that would flatter us.
"""

from __future__ import annotations

import os
from pathlib import Path

from scripts.bench.measure import TOOLKIT, Options, print_line, print_ratio, take_turns, time_command
from scripts.bench.server import FAR, serve
from scripts.bench.sync import write_settings
from scripts.bench.upstreams import copy_upstreams, list_upstreams

BUDGET = 1.5


def measure(options: Options) -> None:
    """First what the sync costs by itself, then the ratio."""
    served = copy_upstreams(options)
    if served is None:
        print_line("skipped", "there is nothing to serve")
        return
    names = [source.name for source in list_upstreams()]
    for round_trip in (0.0, FAR):
        with serve(served, round_trip) as server:
            write_settings(Path(os.environ["TOOLKIT_HOME"]), server)
            ours = (TOOLKIT, "sync", "--quiet")
            whole = [("git", "ls-remote", server.url(name)) for name in names]
            same = [("git", "ls-remote", "--heads", "--tags", server.url(name)) for name in names]
            time_command(ours)  # the first one takes everything
            sync, *each = take_turns(
                options.runs, *(lambda one=one: time_command(one) for one in (ours, *whole, *same))
            )
        slowest, alike = max(each[: len(names)]), max(each[len(names) :])
        of = f"of {names[each.index(slowest)]}"
        if round_trip:
            print_ratio(f"no-op sync {round_trip * 1000:.0f} ms away, and ls-remote {of}", sync, slowest, BUDGET)
            print_ratio("  and ls-remote of branches and tags, as we ask", sync, alike)
        else:
            print_ratio(f"no-op sync on loopback, and ls-remote {of}", sync, slowest)
            print_line("  of which not the network", f"{(sync - alike) * 1000:9.1f} ms")
