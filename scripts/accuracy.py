"""Holds predicted verdicts against observed truth, over variants, kernels and engine sets: `make accuracy`."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.accuracy_report import Outcome, Set, agreement, count, count_false_runs, write_report
from scripts.bench.upstreams import find_mirror, list_upstreams
from scripts.kernel_matrix.roots import prepare_suite, read_versions
from scripts.kernel_matrix.table import CACHE, find_root, read_table
from toolkit.analysis import analyze
from toolkit.analysis.parts import read_parts
from toolkit.catalog.load import load_troubles
from toolkit.compat import judge
from toolkit.host.capture import read_capture
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.model import Engine, EngineFact, Facts, Found, Trouble, Variant, Verdict
from toolkit.outside import find_outside
from toolkit.paths import data_folder
from toolkit.sources.registry import PACKAGES
from toolkit.troubles import find_troubles

CHECKOUT = Path(__file__).parent.parent
PAGE = CHECKOUT / "docs" / "accuracy.md"
ENGINE_PACKAGES = {Engine.BPFTRACE: "bpftrace", Engine.BCC: "python3-bpfcc"}
SHOWN = (*ENGINE_PACKAGES.values(), "libbpf-tools")
SUFFIXES = {".bt": Engine.BPFTRACE, ".py": Engine.BCC}


@dataclass(frozen=True)
class Line:
    """A line of truth."""

    source: str
    file: str
    verdict: str
    cause: str


@dataclass(frozen=True)
class Place:
    """Where the variants of one file of truth lie."""

    root: Path  # of the engine set
    cache: Path
    mirrors: Path | None


def main() -> None:
    parser = argparse.ArgumentParser(prog="accuracy", description=__doc__)
    parser.add_argument("--kernels", type=Path, nargs="+", required=True, help="folders that hold facts/ and truth/")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where roots and checkouts go")
    parser.add_argument("--mirrors", type=Path, help="a folder of bpftrace.git and book.git; else they are cloned")
    parser.add_argument("--without-known", action="store_true", help="do without catalog/known.yaml")
    parser.add_argument("--only", default="", help="kernel.engines, a pattern of what is compared")
    parser.add_argument("--show", action="store_true", help="print every miss")
    parser.add_argument("--output", type=Path, help="write the page here", metavar="FILE")
    options = parser.parse_args()
    troubles = () if options.without_known else load_troubles(data_folder())
    sets: list[Set] = []
    outcomes: list[Outcome] = []
    for truth in sorted(path for folder in options.kernels for path in (folder / "truth").glob("*.jsonl")):
        if not re.search(options.only, truth.stem) or not truth.stat().st_size:
            continue
        root = find_engines(options.cache, *truth.stem.rsplit(".", 1))
        found, compared = compare(truth, Place(root, options.cache, options.mirrors), troubles)
        sets.append(found)
        outcomes += compared
        if options.show:
            print_misses(compared)
        print_set(truth.stem, compared)
    print_set("all", outcomes)
    if options.output:
        options.output.write_text(write_report(tuple(sets), tuple(outcomes)))


def print_misses(outcomes: list[Outcome]) -> None:
    for one in outcomes:
        if one.truth != one.said:
            print(
                f"  {one.engine:8} {one.file:44} was {one.truth} ({one.cause[:90]}), said {one.said}: {one.why[:150]}"
            )


def print_set(name: str, outcomes: list[Outcome]) -> None:
    matrix, bare = count(outcomes), Counter((one.truth, one.bare) for one in outcomes)
    print(
        f"{name}: {agreement(matrix):.2%} of {len(outcomes)}; without known.yaml {agreement(bare):.2%}; "
        f"said runs, did not: {count_false_runs(outcomes)}"
    )


def compare(truth: Path, place: Place, troubles: tuple[Trouble, ...]) -> tuple[Set, list[Outcome]]:
    """Judge every variant of a file of truth from the facts that belong to it."""
    kernel, engines = truth.stem.rsplit(".", 1)
    versions = read_versions(place.root, SHOWN)
    facts = set_engines(read_capture(truth.parent.parent / "facts" / kernel), versions)
    packaged = {one.path: one for one in PACKAGES.discover(place.root)}
    left_out: Counter[str] = Counter()
    outcomes = []
    for line in read_truth(truth):
        found = None if line.verdict == "untested" else find_variant(line, place, packaged)
        if found is None:
            left_out["not tested there" if line.verdict == "untested" else "not at hand in that version"] += 1
            continue
        said, bare = predict(found, facts, place, troubles)
        outcomes.append(
            Outcome(
                kernel=kernel,
                engines=engines,
                release=facts.release,
                engine=str(found.engine),
                file=f"{line.source.partition(':')[2].partition('@')[0]}/{Path(found.path).name}",
                truth=line.verdict,
                said=str(said.status),
                bare=str(bare.status),
                cause=line.cause,
                why="; ".join(reason.text for reason in said.reasons).replace(str(place.root), ""),
            )
        )
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return Set(kernel, engines, facts.release, told, tuple(sorted(left_out.items()))), outcomes


def predict(found: Found, facts: Facts, place: Place, troubles: tuple[Trouble, ...]) -> tuple[Verdict, Verdict]:
    """The verdict on a file, and the one without what is known of its troubles."""
    data = Path(found.path).read_bytes()
    read = analyze(found.engine, data, found.stem, read_parts(found.engine, data, found.path, str(place.root)))
    variant = Variant(tool=found.stem, found=found, analysis=read, troubles=find_troubles(troubles, found))
    looked = look_up(find_outside((variant,)), Tree(place.root), place.cache / f"looked-{place.root.name}")
    here = msgspec.structs.replace(facts, looked=looked)
    return judge(variant, here), judge(msgspec.structs.replace(variant, troubles=()), here)


def find_engines(cache: Path, kernel: str, engines: str) -> Path:
    """The root that an engine set is read from: that of the kernel in the matrix, else that of the suite."""
    table = read_table()
    suite = next(one for one in table.suites.values() if one.engines == engines)
    root = find_root(cache, kernel)
    known = table.kernels.get(kernel)
    return root if known and known.suite == suite.name and root.is_dir() else prepare_suite(cache, suite)


def set_engines(facts: Facts, versions: dict[str, str]) -> Facts:
    """The facts of a kernel with the engines of a root in the place of those that were captured with it."""
    others = tuple(one for one in facts.engines if one.name not in ENGINE_PACKAGES)
    argv = {Engine.BPFTRACE: ("/usr/bin/bpftrace",), Engine.BCC: ("/usr/bin/python3",)}
    found = tuple(
        EngineFact(name=engine, version=re.split(r"[+-]", versions[package])[0], argv=argv[engine])
        for engine, package in ENGINE_PACKAGES.items()
        if package in versions
    )
    return msgspec.structs.replace(facts, engines=(*found, *others))


def read_truth(path: Path) -> Iterator[Line]:
    """The lines of a file of truth."""
    for text in path.read_text().splitlines():
        line: dict[str, Any] = json.loads(text)
        options = line["file"].startswith("-")  # an option of the engine stands where the file should
        cause = ": ".join(part for part in (line["reason"], line["object"]) if part)
        yield Line(
            source=line["source"],
            file=line["args"][0] if options else line["file"],
            verdict=line["verdict"],
            cause=cause,
        )


def find_variant(line: Line, place: Place, packaged: dict[str, Found]) -> Found | None:
    """The file that a line of truth is about; None when the root's package has it no more."""
    kind, _, name = line.source.partition(":")
    if kind == "packages":
        return packaged.get(str(place.root / line.file.lstrip("/")))
    upstream, _, commit = name.partition("@")
    file = re.sub(r"^/x/\w+/", "", line.file)  # it may be named as it lay in the guest: /x/NAME/tools/runqlat.bt
    engine = SUFFIXES.get(Path(file).suffix)
    path = extract(upstream, commit, place) / file if engine else Path()
    if engine is None or not path.is_file():
        return None
    return Found(upstream=upstream, source=upstream, stem=path.stem, engine=engine, path=str(path))


def extract(upstream: str, commit: str, place: Place) -> Path:
    """A checkout of an upstream's commit, made once."""
    folder = place.cache / "trees" / f"{upstream}@{commit}"
    if not folder.is_dir():
        source = next(one for one in list_upstreams() if one.name == upstream)
        mirror = find_mirror(place.mirrors, source)
        command = ["git", f"--git-dir={mirror}", "archive", commit]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        aside = folder.with_name(f".{folder.name}")
        aside.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(aside)
        aside.rename(folder)
    return folder


if __name__ == "__main__":
    main()
