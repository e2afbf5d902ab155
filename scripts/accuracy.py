"""Hold predicted verdicts against observed truth: every variant x kernel x engine set, as a confusion matrix."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from toolkit.analysis import analyze
from toolkit.catalog.load import load_troubles
from toolkit.compat import judge
from toolkit.host.capture import read_capture
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.model import Engine, EngineFact, Facts, Found, Variant
from toolkit.paths import data_folder
from toolkit.snapshot.build import list_needs
from toolkit.sources import PACKAGES
from toolkit.troubles import find_troubles

ENGINES = {
    "debian12": {Engine.BPFTRACE: "0.17.0", Engine.BCC: "0.26.0"},
    "debian13": {Engine.BPFTRACE: "0.23.2", Engine.BCC: "0.31.0"},
}


def set_engines(facts: Facts, name: str) -> Facts:
    found = tuple(
        EngineFact(name=one.name, version=ENGINES[name].get(one.name, one.version), argv=one.argv)
        for one in facts.engines
    )
    return msgspec.structs.replace(facts, engines=found)


def extract(mirror: Path, commit: str, into: Path) -> Path:
    if not into.exists():
        data = subprocess.run(["git", f"--git-dir={mirror}", "archive", commit], capture_output=True, check=True).stdout
        into.mkdir(parents=True)
        tarfile.open(fileobj=io.BytesIO(data)).extractall(into)
    return into


def load(source: str, line: dict[str, Any], roots: Path, engines: str) -> tuple[str, Engine, str]:
    """Path of the file, its engine, and its stem."""
    file, args = line["file"], line["args"]
    if file == "--unsafe":
        file = args[0]
    if source.startswith("packages:"):
        return str(roots / engines) + file, Engine.SHELL, Path(file).name
    tail = file.removeprefix("/x/book/").removeprefix("/x/bthead/")
    repo = "book" if "book" in source else "bpftrace"
    path = roots / repo / tail
    return str(path), Engine.BCC if path.suffix == ".py" else Engine.BPFTRACE, path.stem


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernels", type=Path, default=Path("../shared/kernels"))
    parser.add_argument("--roots", type=Path, default=Path("/tmp/roots"))
    parser.add_argument("--mirrors", type=Path, default=Path("/tmp/mirrors"))
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--without-known", action="store_true", help="do without catalog/known.yaml")
    options = parser.parse_args()
    troubles = () if options.without_known else load_troubles(data_folder())
    extract(options.mirrors / "book.git", "09f8a3a", options.roots / "book")
    extract(options.mirrors / "bpftrace.git", "e1b7c3934", options.roots / "bpftrace")
    total: Counter[str] = Counter()
    for truth in sorted((options.kernels / "truth").glob("*.jsonl")):
        kernel, engines = truth.stem.rsplit(".", 1)
        facts = set_engines(read_capture(options.kernels / "facts" / kernel), engines)
        packaged = {one.path: one for one in PACKAGES.discover(options.roots / engines)}
        matrix: Counter[tuple[str, str]] = Counter()
        for text in truth.read_text().splitlines():
            line = json.loads(text)
            if line["verdict"] == "untested":
                continue
            path, engine, stem = load(line["source"], line, options.roots, engines)
            found = packaged.get(path)
            if found is None:
                if line["source"].startswith("packages:"):
                    print("not found", path)
                    continue
                upstream = "book" if "book" in line["source"] else "bpftrace"
                found = Found(upstream=upstream, source=upstream, stem=stem, engine=engine, path=path)
            data = Path(path).read_bytes()
            read = analyze(found.engine, data, found.stem)
            variant = Variant(tool=found.stem, found=found, analysis=read, troubles=find_troubles(troubles, found))
            looked = look_up(list_needs(variant), Tree(options.roots / engines), Path("/tmp/looked-" + engines))
            verdict = judge(variant, msgspec.structs.replace(facts, looked=looked))
            matrix[line["verdict"], str(verdict.status)] += 1
            untroubled = msgspec.structs.replace(variant, troubles=())
            bare = judge(untroubled, msgspec.structs.replace(facts, looked=looked))
            total["right without known.yaml"] += line["verdict"] == bare.status
            if line["verdict"] != verdict.status and options.show:
                why = "; ".join(reason.text for reason in verdict.reasons)[:150]
                print(
                    f"  {found.engine:8} {path[-44:]:44} truth {line['verdict']} ({line['reason']}: {line['object'][:60]}) said {verdict.status}: {why}"
                )
        right = sum(count for (true, said), count in matrix.items() if true == said)
        total["right"] += right
        total["all"] += sum(matrix.values())
        print(
            f"{truth.stem}: {right} of {sum(matrix.values())} = {right / max(1, sum(matrix.values())):.1%}  {dict(matrix)}"
        )
    without = total["right without known.yaml"] / total["all"]
    print(f"all: {total['right'] / total['all']:.2%}; without known.yaml {without:.2%}")


if __name__ == "__main__":
    main()
