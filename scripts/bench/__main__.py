"""`make bench` (PART=…, RUNS=…): every part, or the ones that are named."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.bench import __doc__ as about
from scripts.bench import kill, large, launch, library, meter, noop, recording, recordings, startup, sync
from scripts.bench.measure import Options

# What is measured with what an installed program does: bytecode, and output as it comes to a pipe.
UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")

PARTS: dict[str, tuple[str, Callable[[Options], None]]] = {
    "startup": ("Whole commands, warm", startup.measure),
    "launch": ("A run, beside the tool itself", launch.measure),
    "library": ("Steps of a command, inside one process", library.measure),
    "sync": ("A first sync against full clones and a copy of each tool", sync.measure),
    "noop": ("A sync that finds nothing new", noop.measure),
    "large": ("The index of the real catalog, and of 10,000 tools", large.measure),
    "recordings": ("Lists of 100,000 recordings", recordings.measure),
    "recording": ("1 GiB of output through a run, against tee", recording.measure),
    "meter": ("What it costs a tool and us to watch it", meter.measure),
    "kill": ("A sync that is stopped by SIGKILL: the old state or the new, never half", kill.measure),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=about)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--runs", type=int, default=15, help="of everything that is quick (default: 15)")
    parser.add_argument("--mirrors", type=Path, help="a folder with bcc.git, bpftrace.git and book.git to serve")
    given = parser.parse_args()
    unknown = set(given.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in UNUSUAL:
        os.environ.pop(name, None)
    os.environ.update({"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull})
    for name in given.parts or PARTS:
        title, measure = PARTS[name]
        print(f"{name}: {title}", flush=True)
        with tempfile.TemporaryDirectory(prefix="toolkit-bench-") as home:
            os.environ["TOOLKIT_HOME"] = home
            measure(Options(runs=max(given.runs, 1), mirrors=given.mirrors))


if __name__ == "__main__":
    main()
