"""What the steps of a command cost inside one process: index, facts, verdicts."""

from __future__ import annotations

import os

from scripts.bench.measure import Options, measure_once
from toolkit.catalog.query import list_tools
from toolkit.choose import judge_all
from toolkit.host import fingerprint, load_facts, probe_facts
from toolkit.paths import find_paths
from toolkit.snapshot.index import load_index


def measure(options: Options) -> None:
    paths = find_paths(dict(os.environ), os.getuid())
    few, many = max(3, options.runs // 5), options.runs
    measure_once("index: first build", lambda: load_index(paths), few, lambda: paths.index.unlink(missing_ok=True))
    measure_once("index: load", lambda: load_index(paths), many)
    measure_once("facts: fingerprint", fingerprint, many)
    measure_once("facts: asked of the host", probe_facts, few)
    load_facts(paths.facts)
    measure_once("facts: from this boot's cache", lambda: load_facts(paths.facts), many)
    index, facts = load_index(paths), load_facts(paths.facts)
    title = f"judge all {len(index.variants)} variants of {len(list_tools(index, None))} tools"
    measure_once(title, lambda: judge_all(index.variants, facts), many)
