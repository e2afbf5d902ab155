"""Reads all tools that a release is tested with, and writes `vendored/analyses.msgpack.gz`: `make analyses`.

Those of the pinned revisions and of the newest releases, out of git, and those of the distributions' packages in the
roots that are named. Made anew after a change of the code that reads them, and for a release.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.bench.measure import TOOLKIT
from scripts.bench.upstreams import find_mirror, list_upstreams
from toolkit.analysis import analyze
from toolkit.catalog.curated import Curated
from toolkit.catalog.load import load_curated
from toolkit.model import Analysis, Engine
from toolkit.paths import Paths, data_folder, find_paths
from toolkit.snapshot.build import Reader, analysis_key, build_index, hash_text
from toolkit.snapshot.index import load_index
from toolkit.snapshot.pins import load_pins
from toolkit.snapshot.shipped import find_file, load_shipped, write_shipped
from toolkit.sources.registry import PACKAGES


def main() -> None:
    parser = argparse.ArgumentParser(prog="analyses", description=__doc__)
    parser.add_argument(
        "--mirrors", type=Path, help="a folder of bcc.git, bpftrace.git, book.git; else they are cloned"
    )
    parser.add_argument("--roots", type=Path, nargs="*", default=[Path("/")], help="roots with the packages' tools")
    options = parser.parse_args()
    file, curated = find_file(), load_curated(data_folder())
    file.unlink(missing_ok=True)  # so that all is read anew
    notes = Notes(curated)
    with tempfile.TemporaryDirectory(prefix="toolkit-analyses-") as home:
        os.environ["TOOLKIT_HOME"] = home
        paths = find_paths(dict(os.environ), os.getuid())
        sync_upstreams(paths, options.mirrors)
        paths.index.unlink()  # what sync read is in it
        load_index(paths, Reader(notes.analyze))
    for root in options.roots:
        build_index(curated, PACKAGES.discover(root), Reader(notes.analyze))
    file.write_bytes(write_shipped(notes.made))
    print(f"{len(load_shipped())} analyses, {file.stat().st_size:,} bytes: {file}")


class Notes:
    """Analyses what a reader asks for, and keeps what came of tools that are curated."""

    def __init__(self, curated: Curated) -> None:
        self._curated = {name for tool in curated.tools for name in (tool.name, *tool.aliases)}
        self.made: dict[str, Analysis] = {}

    def analyze(self, engine: Engine, data: bytes, stem: str, parts: Mapping[str, bytes]) -> Analysis:
        """The analysis of a text, whose interpreter the reader has hidden."""
        made = analyze(engine, data, stem, parts)
        if stem in self._curated and not made.problem:
            self.made[analysis_key(engine, stem, hash_text(data), parts)] = made
        return made


def sync_upstreams(paths: Paths, mirrors: Path | None) -> None:
    """Fetch the pinned revisions, the one that fits the engine here, and the newest."""
    pins = load_pins(data_folder())
    sources = {
        one.name: {
            "url": f"file://{find_mirror(mirrors, one).resolve()}",
            "revisions": [*one.revisions, *(pin.revision if one.tags else pin.commit for pin in pins[one.name])],
        }
        for one in list_upstreams()
    }
    paths.settings.write_text(json.dumps({"sources": sources}))  # JSON is YAML
    subprocess.run([TOOLKIT, "sync", "--quiet"], check=True)


if __name__ == "__main__":
    main()
