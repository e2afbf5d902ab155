"""A first sync against the ancestor's way: full clones of the three upstreams, then a copy of every tool.

Both from the same server, in turn, each from nothing, with the disk's caches warm; the bytes are those that cross the
socket. The clones are made one after the other, as `git submodule update` makes them, and without bcc's own submodules.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.bench.measure import TOOLKIT, Options, find_peak, judge, print_line, print_ratio, take_turns, time_command
from scripts.bench.server import FAR, Server, serve
from scripts.bench.upstreams import copy_upstreams, list_upstreams, run_git
from toolkit.sources.select import select_files

BYTES_BUDGET = 0.1
TIME_BUDGET = 0.3


def measure(options: Options) -> None:
    """On loopback, where bytes cost nothing, and as far away as a forge is."""
    served = copy_upstreams(options)
    if served is None:
        print_line("skipped", "there is nothing to serve")
        return
    for round_trip in (0.0, FAR):
        with serve(served, round_trip) as server:
            _measure_against(server, served, max(3, options.runs // 5))


@dataclass
class Way:
    """A way to get the tools from nothing, and what its last run took."""

    server: Server
    folder: Path
    command: tuple[str, ...]
    received: int = 0  # bytes

    def take(self) -> float:
        """Take it, and give the seconds."""
        _set_aside(self.folder)
        os.sync()  # what the other way left to be written is not for this one to wait for
        before = self.server.received
        seconds = time_command(self.command)
        self.received = self.server.received - before
        return seconds


def _measure_against(server: Server, served: Path, runs: int) -> None:
    home = Path(os.environ["TOOLKIT_HOME"])
    write_settings(home, server)
    ancestor = Way(server, home / "ancestor", ("sh", "-e", str(_write_ancestor(home, server, served))))
    own = Way(server, home / "state", (TOOLKIT, "sync", "--quiet"))  # as silent as the other
    inside: list[float] = []

    def take_own() -> float:
        seconds = own.take()
        inside.append(json.loads((own.folder / "sync.json").read_bytes())["last"]["seconds"])
        return seconds

    ours, theirs = take_turns(runs, take_own, ancestor.take)
    where = f"{server.round_trip * 1000:.0f} ms away" if server.round_trip else "on loopback"
    ratio = own.received / ancestor.received
    print_ratio(f"first sync {where}, and the ancestor's way", ours, theirs, TIME_BUDGET)
    print_ratio("  of which fetch, build and swap", median(inside), theirs)
    if not server.round_trip:
        megabytes = f"{own.received / 1e6:9.2f} MB  against {ancestor.received / 1e6:9.2f} MB"
        print_line("  bytes received", f"{megabytes}  ratio {ratio:6.3f}{judge(ratio, BYTES_BUDGET)}")
        _set_aside(own.folder)
        peak, child = find_peak(own.command)
        print_line(
            "  peak memory of the first sync", f"{peak / 1e6:9.1f} MB  and {child / 1e6:.1f} MB of a git below it"
        )
    for aside in home.glob("aside-*"):
        shutil.rmtree(aside)


def _set_aside(folder: Path) -> None:
    """Out of the way, to be removed later: ext4 without a journal looks long for an inode after many were freed."""
    if folder.exists():
        folder.rename(folder.with_name(f"aside-{time.monotonic_ns()}"))


def write_settings(home: Path, server: Server) -> None:
    """Settings that take every upstream from this server."""
    urls = {source.name: {"url": server.url(source.name)} for source in list_upstreams()}
    (home / "config.yaml").write_text(json.dumps({"sources": urls}))  # JSON is YAML


def _write_ancestor(home: Path, server: Server, served: Path) -> Path:
    """A script that clones everything and copies each tool of today to one folder, a `cp` each."""
    folder = home / "ancestor"
    lines = [f"mkdir -p {folder}/bin", f"cd {folder}"]
    for source in list_upstreams():
        listed = run_git(served / f"{source.name}.git", "ls-tree", "-r", "-z", "--name-only", "HEAD").decode()
        tools = select_files(source, tuple(filter(None, listed.split("\0")))).tools
        lines.append(f"git clone --quiet {server.url(source.name)} {source.name}")
        lines += [f"cp {shlex.quote(f'{source.name}/{tool.path}')} bin/" for tool in tools]
    script = home / "ancestor.sh"
    script.write_text("\n".join(lines) + "\n")
    return script
