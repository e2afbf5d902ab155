"""What a guest is to start: every tool of a root's packages and of the upstreams' trees, with its arguments."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from toolkit.model import Engine, Found
from toolkit.sources import PACKAGES

ARGUMENTS = Path(__file__).with_name("arguments.yaml")
LIMITS = {Engine.NATIVE: 60, Engine.BPFTRACE: 150, Engine.BCC: 400, Engine.SHELL: 400}  # seconds, emulated


def list_tasks(root: Path, trees: dict[str, Path], engines: set[Engine], only: str) -> list[dict[str, Any]]:
    """The tasks in order of what starts fastest; `only` is a pattern of stems, or empty."""
    arguments: dict[str, Any] = yaml.safe_load(ARGUMENTS.read_text())
    tasks = []
    for one in PACKAGES.discover(root):
        if one.upstream != "inhouse":
            file = "/" + str(Path(one.path).relative_to(root))
            tasks += _list_calls(one, f"packages:{one.upstream}", file, file, arguments)
    for name, tree in trees.items():
        for path in sorted(tree.rglob("*.bt")):
            if "tests" not in path.relative_to(tree).parts:
                found = Found(upstream=name, source=name, stem=path.stem, engine=Engine.BPFTRACE, path=str(path))
                file = str(path.relative_to(tree))
                tasks += _list_calls(found, f"git:{name}", file, f"/job/trees/{name}/{file}", arguments)
    chosen = [one for one in tasks if one["engine"] in engines and fnmatchcase(one["stem"], only or "*")]
    order = list(LIMITS)
    return sorted(chosen, key=lambda one: order.index(one["engine"]))


def _list_calls(found: Found, source: str, file: str, place: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """A task for each way in which the table calls it; none for what is not to be started."""
    key = f"{found.engine}/{found.stem}"
    if found.stem in arguments["skip"]:
        return []
    calls = arguments["calls"].get(key, arguments["calls"].get(found.stem, [[]]))
    tasks = []
    for words in calls:
        argv = [place, *words]
        if found.engine is Engine.BPFTRACE:
            unsafe = ["--unsafe"] if found.stem in arguments["unsafe"] else []
            argv = ["/usr/bin/bpftrace", *unsafe, place, *words]
        tasks.append(
            {
                "id": f"{source} {file} {' '.join(words)}".strip(),
                "source": source,
                "file": file,
                "stem": found.stem,
                "engine": str(found.engine),
                "args": words,
                "argv": argv,
                "limit": LIMITS[found.engine],
            }
        )
    return tasks
