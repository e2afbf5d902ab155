"""PURE: outcomes of a comparison as a confusion matrix, figures, and the text of docs/accuracy.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

OBSERVED = ("runs", "partial", "blocked")
PREDICTED = (*OBSERVED, "unknown")


@dataclass(frozen=True)
class Outcome:
    """One variant on one kernel with one engine set: what it did, and what was said before."""

    kernel: str
    engines: str
    engine: str
    file: str
    truth: str
    said: str
    bare: str  # what was said without known.yaml
    release: str = ""  # of the kernel: two folders may hold truth of one name
    cause: str = ""  # of the truth
    why: str = ""  # the prediction's reasons


@dataclass(frozen=True)
class Set:
    """A kernel with an engine set, in words, and how many lines of its truth could not be compared, by reason."""

    kernel: str
    engines: str
    release: str
    versions: str
    left_out: tuple[tuple[str, int], ...] = ()


def count(outcomes: Iterable[Outcome]) -> Counter[tuple[str, str]]:
    """The confusion matrix: how often (truth, said) came."""
    return Counter((one.truth, one.said) for one in outcomes)


def agreement(matrix: Counter[tuple[str, str]]) -> float:
    """The share of a matrix that lies on its diagonal; 1 of an empty one."""
    total = sum(matrix.values())
    return sum(number for (truth, said), number in matrix.items() if truth == said) / total if total else 1.0


def count_false_runs(outcomes: Iterable[Outcome]) -> int:
    """How often "runs" was said of what did not: the worst failure."""
    return sum(one.said == "runs" and one.truth != "runs" for one in outcomes)


def write_matrix(matrix: Counter[tuple[str, str]]) -> list[str]:
    """A matrix as a Markdown table: a row for what was observed, a column for what was predicted."""
    columns = [said for said in PREDICTED if said != "unknown" or any(key[1] == said for key in matrix)]
    lines = [f"| observed | {' | '.join(f'said {said}' for said in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for truth in OBSERVED:
        cells = " | ".join(str(matrix[truth, said]) for said in columns)
        lines.append(f"| {truth} | {cells} |")
    return lines


def write_report(sets: tuple[Set, ...], outcomes: tuple[Outcome, ...]) -> str:
    """The whole page."""
    by_set = {one: tuple(outcome for outcome in outcomes if _is_of(outcome, one)) for one in sets}
    lines = [HEAD, *_write_overview(by_set), "", "## All together", "", *write_matrix(count(outcomes))]
    for one in sets:
        lines += ["", f"## {_name(one)}, {one.engines}", "", f"With {one.versions}.", ""]
        lines += write_matrix(count(by_set[one]))
        left = ", ".join(f"{number} {reason}" for reason, number in one.left_out)
        lines += ["", f"Not compared: {left}."] if left else []
    return "\n".join([*lines, *_write_misses(outcomes)]) + "\n"


def _shorten(release: str) -> str:
    """A release without what whoever built it put behind the numbers; a distribution's suffix is a part of its name."""
    return release if release.endswith(("-amd64", "-arm64")) else release.partition("-")[0]


def _name(one: Set) -> str:
    """A kernel and its release: of one name there may be several."""
    return f"{one.kernel} ({_shorten(one.release)})"


def _is_of(outcome: Outcome, one: Set) -> bool:
    return (outcome.kernel, outcome.engines, outcome.release) == (one.kernel, one.engines, one.release)


HEAD = """# Accuracy

Written by `make accuracy`; CONTRIBUTING.md says how to take it again. A verdict was predicted for every variant from
its text or ELF and the captured facts of a kernel, and held against what happened when it was started there.

**How the truth was taken.** Every tool ran alone for some seconds as root under a light workload: files written and
synced, processes, a loopback TCP connection. What counts is the kernel's word: the programs that were loaded, their
links and perf events, and how often they ran. *runs*: all that it meant to attach was attached. *partial*: it went on
without some of its probes, or without any. *blocked*: it gave up. Kernels called debian ran in QEMU with software
emulation, their headers installed (`scripts/kernel-matrix`); minimal-6.18 is a cloud machine without kprobes, modules
and headers, where fentry is refused. Engines called debian12 are those of Debian 12's packages, and so on.
"""


def _write_overview(by_set: dict[Set, tuple[Outcome, ...]]) -> list[str]:
    lines = [
        "| kernel | engines | variants | agreement | without known.yaml | said runs, did not |",
        "|---|---|---|---|---|---|",
    ]
    every = tuple(outcome for outcomes in by_set.values() for outcome in outcomes)
    rows = [(_name(one), one.engines, outcomes) for one, outcomes in by_set.items()]
    rows += [
        ("all", f"{engine} tools alone", tuple(one for one in every if one.engine == engine))
        for engine in sorted({one.engine for one in every})
    ]
    for kernel, engines, outcomes in [*rows, ("**all**", "", every)]:
        bare = Counter((one.truth, one.bare) for one in outcomes)
        shares = f"{agreement(count(outcomes)):.1%} | {agreement(bare):.1%}"
        lines.append(f"| {kernel} | {engines} | {len(outcomes)} | {shares} | {count_false_runs(outcomes)} |")
    return lines


def _write_misses(outcomes: tuple[Outcome, ...]) -> list[str]:
    """Every miss, by its class: what was observed, and what was said instead."""
    lines = ["", "## Misses by class"]
    misses = [one for one in outcomes if one.truth != one.said]
    for (truth, said), number in sorted(count(misses).items(), key=lambda item: -item[1]):
        lines += ["", f"**{truth}, said {said}** ({number})", ""]
        for one in misses:
            if (one.truth, one.said) == (truth, said):
                why = f"; said: {one.why}" if one.why else ""
                lines.append(f"- `{one.file}` on {one.kernel}, {one.engines}: {one.cause or 'it ran'}{why}")
    return lines if misses else [*lines, "", "None."]
