"""Hold what is predicted of bpftrace programs against what a bpftrace says: every program of some folders, one engine.

For an engine of another distribution give the folder of its root: it is entered with private mounts. The engine starts
each program for real, as far as it has `--dry-run` (0.22), which ends it when all is attached; older ones only compile,
so what could not be attached does not count for them. Root only.

    python scripts/engine_agreement.py 0.17.0 tools/
    python scripts/engine_agreement.py 0.23.2 tools/ --root /var/lib/roots/trixie --show
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec

from toolkit.analysis import analyze
from toolkit.compat import judge
from toolkit.host import probe_facts
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.model import ATTACH_KINDS, Analysis, Engine, EngineFact, Facts, Found, NeedKind, Status, Variant
from toolkit.versions import parse_version

ENTER = (
    'root=$1; shift; mount --make-rprivate /; for one in proc sys dev; do mount --rbind "/$one" "$root/$one"; done; '
    'mkdir -p "$root/$PROGRAMS"; mount --bind "$PROGRAMS" "$root/$PROGRAMS"; exec chroot "$root" "$@"'
)
COMPILED_LATE = ATTACH_KINDS - {NeedKind.TRACEPOINT}  # what an engine that only compiles does not look for
UNSAFE = re.compile(r"unsafe function|--unsafe")


class Said(NamedTuple):
    """What the engine did: whether it took the program, and its last words."""

    takes: bool
    words: str


def ask_engine(program: Path, version: str, root: Path | None) -> Said | None:
    """Start a program shortly; None when it shows nothing: it needs --unsafe, or did not end."""
    option = "--dry-run" if parse_version(version) >= (0, 22) else "-d"
    argv = ["timeout", "-s", "INT", "-k", "3", "20", "bpftrace", option, str(program)]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PROGRAMS": str(program.parent)}
    if root:
        argv = ["unshare", "-m", "sh", "-c", ENTER, "sh", str(root), *argv]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    words = done.stderr.decode(errors="replace")
    if done.returncode in (124, 137) or UNSAFE.search(words):
        return None
    errors = [line for line in words.splitlines() if "ERROR" in line or "error:" in line]
    return Said(done.returncode == 0, (errors or [words[-160:]])[0])


def predict(program: Path, version: str, root: Path | None, facts: Facts) -> tuple[Status, str]:
    """The verdict, with the engine's version and what its root holds put in."""
    analysis = analyze(Engine.BPFTRACE, program.read_bytes(), program.stem)
    if parse_version(version) < (0, 22):
        analysis = leave_out_attaching(analysis)
    needs = (need for one in analysis.requirements for need in one.any_of)
    engine = EngineFact(name=Engine.BPFTRACE, version=version, argv=("bpftrace",))
    here = msgspec.structs.replace(facts, engines=(engine,), looked=look_up(needs, Tree(root) if root else Tree()))
    found = Found(upstream="x", source="x", stem=program.stem, engine=Engine.BPFTRACE, path=str(program))
    verdict = judge(Variant(tool=program.stem, found=found, analysis=analysis), here)
    return verdict.status, "; ".join(reason.text for reason in verdict.reasons)


def leave_out_attaching(analysis: Analysis) -> Analysis:
    """The analysis without the requirements that only attaching shows."""
    kept = (one for one in analysis.requirements if not all(need.kind in COMPILED_LATE for need in one.any_of))
    return msgspec.structs.replace(analysis, requirements=tuple(kept))


def main() -> None:
    """Compare, and print the differences and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    facts = probe_facts()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number, program in enumerate(one for given in asked.folders for one in sorted(given.rglob("*.bt"))):
            copy = Path(folder) / f"{number}.bt"
            copy.write_bytes(program.read_bytes())
            said = ask_engine(copy, asked.version, asked.root)
            if said is None:
                counts["not told"] += 1
                continue
            status, why = predict(program, asked.version, asked.root, facts)
            predicted = "takes" if status in (Status.RUNS, Status.PARTIAL) else str(status)
            happened = "takes" if said.takes else "blocked"
            counts[f"{happened}, said {predicted}"] += 1
            if asked.show and happened != predicted:
                print(f"{program}: {happened} ({said.words.strip()[-160:]}), said {predicted}: {why[:160]}")
    told = sum(count for name, count in counts.items() if name != "not told")
    right = counts["takes, said takes"] + counts["blocked, said blocked"]
    print(f"bpftrace {asked.version}: {right} of {told} = {right / max(1, told):.1%}  {dict(counts)}")


if __name__ == "__main__":
    main()
