"""Boots kernels and writes their facts and what every tool did there: `scripts/kernel-matrix [KERNEL...]`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tarfile
from pathlib import Path
from typing import Any

from scripts.kernel_matrix.classify import write_line
from scripts.kernel_matrix.machine import Machine, boot, write_job
from scripts.kernel_matrix.roots import make_image, prepare_kernel, read_release
from scripts.kernel_matrix.table import CACHE, Kernel, Table, read_table
from scripts.kernel_matrix.tasks import Task, list_tasks
from toolkit.model import Engine

# The programs that it starts, and Debian's packages of them.
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "debootstrap": "debootstrap",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
    "dpkg-deb": "dpkg",
}
BOOTS = 3


def main() -> None:
    """The command."""
    table = read_table()
    parser = argparse.ArgumentParser(prog="kernel-matrix", description=__doc__)
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="of " + ", ".join(table.kernels))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where roots, images and truth go")
    parser.add_argument("--engines", default="native,bpftrace", help="native,bpftrace,bcc,shell; bcc compiles: slow")
    parser.add_argument("--only", default="", metavar="PATTERN", help="tools by stem")
    parser.add_argument("--tree", action="append", default=[], metavar="NAME@COMMIT=FOLDER", help="more .bt files")
    parser.add_argument("--silence", type=float, default=900, help="seconds after which a guest counts as hung")
    parser.add_argument("--accelerator", default="tcg", choices=("tcg", "kvm"), help="of QEMU; tcg needs no hardware")
    options = parser.parse_args()
    problem = find_problem(table, options)
    if problem:
        parser.error(problem)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the machine is ended too
    try:
        for name in options.kernels or table.kernels:
            take_truth(table, table.kernels[name], options)
    except KeyboardInterrupt:
        sys.exit(130)


def find_problem(table: Table, options: argparse.Namespace) -> str:
    """Why this cannot be done, or nothing."""
    unknown = [name for name in options.kernels if name not in table.kernels]
    if unknown:
        return f"no kernel {unknown[0]}: choose of {', '.join(table.kernels)}"
    wrong = [name for name in options.engines.split(",") if name not in tuple(Engine)]
    if wrong:
        return f"no engine {wrong[0]}: choose of {', '.join(Engine)}"
    if any("@" not in one.partition("=")[0] or not Path(one.partition("=")[2]).is_dir() for one in options.tree):
        return "a tree is NAME@COMMIT=FOLDER"
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        return f"install first: apt-get install {' '.join(missing)}"
    return "" if os.geteuid() == 0 else "needs root, for debootstrap and chroot"


def take_truth(table: Table, kernel: Kernel, options: argparse.Namespace) -> None:
    """All that has not been seen yet of what is asked for on one kernel; it may take several boots."""
    suite = table.suites[kernel.suite]
    root = prepare_kernel(options.cache, suite, kernel)
    image = options.cache / "images" / f"{kernel.name}.ext4"
    make_image(root, image)
    folder = options.cache / "runs" / kernel.name
    folder.mkdir(parents=True, exist_ok=True)
    machine = Machine(root, image, folder, options.cache / "facts" / kernel.name, options.accelerator)
    trees = {name: Path(place) for name, _, place in (one.partition("=") for one in options.tree)}
    engines = {Engine(one) for one in options.engines.split(",")}
    seen = folder / f"{suite.engines}.seen.jsonl"
    done = {json.loads(line)["id"] for line in seen.read_text().splitlines()} if seen.exists() else set()
    waiting = [task for task in list_tasks(root, trees, engines, options.only) if task.id not in done]
    fruitless = 0  # boots in a row that told of no tool
    try:
        while waiting:
            print(f"{kernel.name}: booting {read_release(root)} for {len(waiting)} tools", flush=True)
            write_job(folder / "job.tar", [task.to_json() for task in waiting], trees)
            left, last = run_guest(machine, waiting, seen, options.silence)
            fruitless = fruitless + 1 if len(left) == len(waiting) else 0
            waiting = left
            if fruitless == BOOTS and not last:
                sys.exit(f"{kernel.name}: the guest tells nothing; see {folder / 'console'}")
            if fruitless == BOOTS:  # it is this tool that no guest survives
                write_seen(seen, waiting.pop(0), {"id": last, "failed": "the guest died or hung"})
                fruitless = 0
    finally:
        write_truth(seen, options.cache / "truth" / f"{kernel.name}.{suite.engines}.jsonl")


def write_truth(seen: Path, truth: Path) -> None:
    """The verdicts on all that was seen of a kernel, in this run and in earlier ones."""
    lines = [json.dumps(write_line(json.loads(line))) + "\n" for line in seen.read_text().splitlines()]
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_text("".join(lines))


def run_guest(machine: Machine, tasks: list[Task], seen: Path, silence: float) -> tuple[list[Task], str]:
    """Boot once and append what is seen of each tool; what is left when the guest ended early, and what it died of."""
    waiting = {task.id: task for task in tasks}
    last = ""
    for told in boot(machine, silence):
        if "starts" in told:
            if not last:
                unpack_facts(machine.folder / "facts.tar", machine.facts)
            last = told["starts"]
        elif "id" in told:
            write_seen(seen, waiting.pop(told["id"]), told)
            print(f"  {told.get('seconds', 0):6.1f} s {told['id']}", flush=True)
    return list(waiting.values()), last


def write_seen(seen: Path, task: Task, told: dict[str, Any]) -> None:
    """Append what was seen of a tool, with what names it in a line of truth."""
    kept = {key: getattr(task, key) for key in ("source", "file", "stem", "engine", "args")}
    with seen.open("a") as file:
        file.write(json.dumps({**kept, **told}) + "\n")


def unpack_facts(disk: Path, into: Path) -> None:
    """The facts that a guest wrote to its disk, as files of one folder."""
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(disk) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream:
                (into / Path(member.name).name).write_bytes(stream.read())


if __name__ == "__main__":
    main()
