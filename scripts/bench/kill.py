"""Stop a sync, a whole process, with SIGKILL, each time with something new to take, and look at what stands then.

Once at moments spread evenly over its whole course, as a clock would have it; and once before every single change that
it makes to the disk, since a rename is so short that a clock hardly meets it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.bench.measure import TOOLKIT, Options, print_line, time_command
from scripts.bench.upstreams import make_bare, run_git
from scripts.bench.whole import Seen, find_leftovers, look_at
from toolkit.errors import ToolkitError
from toolkit.paths import Paths, find_paths
from toolkit.snapshot.index import load_index

MOMENTS = 200
STRETCH = 10  # moments until the course is measured again
STRIDE = 83  # has no divisor in common with the moments, so that each comes once
EARLIER = 0.97  # where one ended before its moment came
MANY, FEW = 200, 5  # tools of the repository: with many, building is a good part of the course
SYNC = ("sync", "--quiet", "acme")

# What Python tells an audit hook before it happens; of `open`, what opens a path for writing.
STOP_BEFORE_A_CHANGE = """
import os, signal, sys
left = int(sys.argv.pop(1))
names = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "os.truncate", "subprocess.Popen"}
def watch(event, arguments):
    global left
    opened = event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event in names or opened:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from toolkit.cli.app import main
main()
"""


def measure(options: Options) -> None:
    """Both kinds; how often does not depend on the runs that were asked for."""
    home = Path(os.environ["TOOLKIT_HOME"])
    _stop_at_moments(Host(home / "moments", MANY))
    _stop_before_changes(Host(home / "changes", FEW))


class Host:
    """A home that syncs from a repository of its own, and what stood there after each stop."""

    def __init__(self, home: Path, tools: int) -> None:
        home.mkdir(mode=0o700)
        os.environ["TOOLKIT_HOME"] = str(home)
        self.paths = find_paths(dict(os.environ), os.getuid())
        self.repository = home / "acme.git"
        self.tools = tools
        self.commits: list[str] = []
        self.old = self.new = self.broken = 0
        make_bare(self.repository)
        self.paths.settings.write_text(json.dumps({"sources": {"acme": {"url": f"file://{self.repository}"}}}))

    def time_sync(self) -> float:
        """The seconds of a sync that has something new to take and is not stopped."""
        self._add_commit()
        return time_command((TOOLKIT, *SYNC))

    def stop_sync(self, command: tuple[str, ...], seconds: float | None = None) -> bool:
        """Start a sync that has something new to take, stop it after this time, and judge; False when it had ended."""
        before = look_at(self.paths.state)
        self._add_commit()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        stopped = process.wait() == -signal.SIGKILL
        after = look_at(self.paths.state)
        faults = [*after.faults, *_find_faults_inside(self.paths, after)]
        if after.id != before.id and self.commits[-1] not in after.commits:
            faults.append(f"{after.id} is neither the old snapshot nor the new one")
        for fault in faults[:3]:
            print_line("BROKEN", fault)
        self.broken += bool(faults)
        if stopped and not faults:
            self.old += after.id == before.id
            self.new += after.id != before.id
        return stopped

    def print_result(self, title: str, course: str) -> None:
        """Say what stood, and what is left after one more sync that nobody stops."""
        every = self.old + self.new + self.broken
        mark = "  MISSED" if self.broken else ""
        print_line(title, f"{self.old + self.new} of {every} whole, {self.old} old, {self.new} new{mark}")
        self.time_sync()
        seen = look_at(self.paths.state)
        done = self.commits[-1] in seen.commits and not seen.faults
        left = find_leftovers(self.paths.state)
        print_line(f"  {course}", f"then a sync {'succeeds' if done else 'FAILS'}, and leaves {len(left)} leftovers")
        for name in left[:5]:
            print_line("  MISSED: left over", name)

    def _add_commit(self) -> None:
        """Give every tool another text."""
        lines = ["commit refs/heads/main", "committer A <a@example.com> 1700000000 +0000", "data 1", "x"]
        for number in range(self.tools):
            text = f"/*\n * slow{number} - After {len(self.commits)} others\n */\nBEGIN {{ exit(); }}\n"
            lines += [f"M 100644 inline disk/slow{number}.bt", f"data {len(text)}", text]
        run_git(self.repository, "fast-import", "--quiet", "--force", stdin="\n".join(lines).encode())
        self.commits.append(run_git(self.repository, "rev-parse", "main").decode().strip())


def _find_faults_inside(paths: Paths, seen: Seen) -> Iterator[str]:
    """What toolkit itself makes of it: its index must be of this snapshot, and `toolkit list` must show it."""
    try:
        variants = load_index(paths).variants
    except ToolkitError as error:
        yield f"the index cannot be loaded: {error.what}"
        return
    if {(one.found.stem, one.sha256) for one in variants if one.found.source == "acme"} != seen.tools:
        yield "the index is not that of the snapshot"
    done = subprocess.run((TOOLKIT, "list", "disk", "--json"), capture_output=True, check=False)
    if done.returncode:
        yield f"toolkit list failed: {done.stderr.decode()}"
        return
    missing = {stem for stem, _ in seen.tools} - {one["name"] for one in json.loads(done.stdout)["tools"]}
    yield from (f"toolkit list lacks {name}" for name in sorted(missing))


def _stop_at_moments(host: Host) -> None:
    courses = [host.time_sync() for _ in range(3)]
    late = 0
    for number in range(MOMENTS):
        if number % STRETCH == 0:
            courses.append(host.time_sync())
        # Not in order: what the machine does meanwhile, and packs that add up, shall not fall on the same moments.
        share = (number * STRIDE % MOMENTS + 0.5) / MOMENTS
        moment = median(courses[-3:]) * share
        while not host.stop_sync((TOOLKIT, *SYNC), moment):
            late += 1
            moment *= EARLIER  # of the last moments few are met: a course is now shorter, now longer
    course = f"a course of {min(courses) * 1000:.0f} to {max(courses) * 1000:.0f} ms; {late} came too late"
    host.print_result(f"stopped at {MOMENTS} moments spread over the course", course)


def _stop_before_changes(host: Host) -> None:
    number = 1
    host.time_sync()
    while host.stop_sync((sys.executable, "-c", STOP_BEFORE_A_CHANGE, str(number), *SYNC)):
        number += 1
        host.time_sync()  # sweeps; otherwise the changes would be other ones each time
    host.print_result("stopped before each change to the disk", f"{number - 1} changes")
