"""The arithmetic of a confusion matrix and its page; and the agreement itself, where captured kernels are at hand."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path

import pytest

from scripts.accuracy import SHOWN, Place, compare, read_truth
from scripts.accuracy_report import Outcome, Set, agreement, count, count_false_runs, write_matrix, write_report
from scripts.kernel_matrix.roots import read_versions
from tests.conftest import ROOT
from toolkit.catalog.load import load_troubles

KERNELS = Path(os.environ.get("TOOLKIT_KERNELS") or ROOT.parent / "shared" / "kernels")
HELD = {"bpftrace": "0.17.0-1", "libbpf-tools": "0.26.0+ds-1", "python3-bpfcc": "0.26.0+ds-1"}


def make_outcome(truth: str, said: str, bare: str = "") -> Outcome:
    return Outcome(
        kernel="k",
        engines="e",
        release="6.1.0",
        engine="bpftrace",
        file="book/x.bt",
        truth=truth,
        said=said,
        bare=bare or said,
    )


OUTCOMES = (
    *[make_outcome("runs", "runs")] * 5,
    *[make_outcome("blocked", "blocked", "runs")] * 2,
    make_outcome("partial", "runs"),
    make_outcome("runs", "unknown"),
    make_outcome("blocked", "runs"),
)


def test_the_agreement_is_the_share_of_the_diagonal() -> None:
    assert agreement(count(OUTCOMES)) == 0.7
    assert agreement(Counter()) == 1.0


def test_false_runs_are_those_that_did_not() -> None:
    assert count_false_runs(OUTCOMES) == 2


def test_a_matrix_is_a_table() -> None:
    assert write_matrix(count(OUTCOMES)) == [
        "| observed | said runs | said partial | said blocked | said unknown |",
        "|---|---|---|---|---|",
        "| runs | 5 | 0 | 0 | 1 |",
        "| partial | 1 | 0 | 0 | 0 |",
        "| blocked | 1 | 0 | 2 | 0 |",
    ]
    assert "unknown" not in write_matrix(count(OUTCOMES[:5]))[0]


def test_the_page_tells_figures_and_misses() -> None:
    one = Set("k", "e", "6.1.0", "bpftrace 0.17.0", (("not tested there", 3),))
    page = write_report((one, dataclasses.replace(one, release="6.1.9")), OUTCOMES)
    assert "| k (6.1.0) | e | 10 | 70.0% | 50.0% | 2 |\n| k (6.1.9) | e | 0 |" in page
    assert "Not compared: 3 not tested there." in page
    assert "**partial, said runs** (1)" in page
    assert "- `book/x.bt` on k, e" in page


def test_lines_of_truth_are_read(tmp_path: Path) -> None:
    path = tmp_path / "k.e.jsonl"
    path.write_text(
        '{"source": "git:book@09f8a3a", "file": "--unsafe", "args": ["/x/book/a.bt"], "verdict": "runs", '
        '"reason": "", "object": ""}\n'
        '{"source": "packages:x", "file": "/usr/sbin/x", "args": ["2"], "verdict": "blocked", "reason": "no headers", '
        '"object": "net/sock.h"}\n'
    )
    lines = list(read_truth(path))
    assert [(line.file, line.cause) for line in lines] == [
        ("/x/book/a.bt", ""),
        ("/usr/sbin/x", "no headers: net/sock.h"),
    ]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """The installed packages' variants, judged for the kernel whose truth was taken with these very packages."""
    truth = KERNELS / "truth" / "minimal-6.18.debian12.jsonl"
    if not truth.is_file():
        pytest.skip(f"no observed truth at {truth}: set TOOLKIT_KERNELS")
    versions = read_versions(Path("/"), SHOWN)
    if versions != HELD:
        pytest.skip(f"the truth is of other packages than those installed: {versions}")
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "truth").mkdir()
    (folder / "facts").symlink_to(KERNELS / "facts")
    lines = [line for line in truth.read_text().splitlines() if '"packages:' in line]
    (folder / "truth" / truth.name).write_text("\n".join(lines))
    place = Place(root=Path("/"), cache=folder, mirrors=None)
    return compare(folder / "truth" / truth.name, place, load_troubles(ROOT / "catalog"))[1]


@pytest.mark.packages
def test_verdicts_agree_with_what_was_seen(installed: list[Outcome]) -> None:
    assert len(installed) > 150
    assert agreement(count(installed)) >= 0.97


@pytest.mark.packages
def test_nothing_that_attached_nothing_is_said_to_run(installed: list[Outcome]) -> None:
    assert [one.file for one in installed if one.truth == "partial" and one.said == "runs"] == []
