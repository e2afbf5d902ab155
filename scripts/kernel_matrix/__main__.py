"""Boots kernels and writes their facts and what every tool did there: `scripts/kernel-matrix [KERNEL...]`."""

from __future__ import annotations

import argparse
import json
import tarfile
from pathlib import Path
from typing import Any

from scripts.kernel_matrix.classify import write_line
from scripts.kernel_matrix.machine import Machine, boot, write_job
from scripts.kernel_matrix.roots import make_image, prepare_kernel, read_release
from scripts.kernel_matrix.table import CACHE, Kernel, Table, read_table
from scripts.kernel_matrix.tasks import list_tasks
from toolkit.model import Engine


def main() -> None:
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
    for name in options.kernels:
        if name not in table.kernels:
            parser.error(f"no kernel {name}: choose of {', '.join(table.kernels)}")
    for name in options.kernels or table.kernels:
        take_truth(table, table.kernels[name], options)


def take_truth(table: Table, kernel: Kernel, options: argparse.Namespace) -> None:
    suite = table.suites[kernel.suite]
    root = prepare_kernel(options.cache, suite, kernel)
    image = options.cache / "images" / f"{kernel.name}.ext4"
    make_image(root, image)
    engines = {Engine(one) for one in options.engines.split(",")}
    trees = {name: Path(folder) for name, _, folder in (one.partition("=") for one in options.tree)}
    folder = options.cache / "runs" / kernel.name
    folder.mkdir(parents=True, exist_ok=True)
    seen = folder / f"{suite.engines}.seen.jsonl"
    waiting = list_tasks(root, trees, engines, options.only)
    done = {json.loads(line)["id"] for line in seen.read_text().splitlines()} if seen.exists() else set()
    waiting = [task for task in waiting if task["id"] not in done]
    while waiting:
        print(f"{kernel.name}: booting {read_release(root)} for {len(waiting)} tools", flush=True)
        before = len(waiting)
        machine = Machine(root, image, folder, options.cache / "facts" / kernel.name, options.accelerator)
        waiting = run_guest(machine, waiting, trees, seen, options.silence)
        if len(waiting) == before:
            raise SystemExit(f"{kernel.name}: the guest told nothing; see {folder / 'console'}")
    write_truth(seen, options.cache / "truth" / f"{kernel.name}.{suite.engines}.jsonl")


def write_truth(seen: Path, truth: Path) -> None:
    """The verdicts on all that was seen of a kernel, in this run and in earlier ones."""
    lines = [json.dumps(write_line(json.loads(line))) + "\n" for line in seen.read_text().splitlines()]
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_text("".join(lines))


def unpack_facts(disk: Path, into: Path) -> None:
    """The facts that a guest wrote to its disk, as files of one folder."""
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(disk) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream:
                (into / Path(member.name).name).write_bytes(stream.read())


def run_guest(
    machine: Machine, tasks: list[dict[str, Any]], trees: dict[str, Path], seen: Path, silence: float
) -> list[dict[str, Any]]:
    """Boot once, append what is seen of each tool, and return the tasks that are left when the guest ended early."""
    write_job(machine.folder / "job.tar", tasks, trees)
    waiting = {task["id"]: task for task in tasks}
    started = ""
    with seen.open("a") as file:
        for told in boot(machine, silence):
            if "starts" in told:
                if not started:
                    unpack_facts(machine.folder / "facts.tar", machine.facts)
                started = told["starts"]
            elif "id" in told:
                task = waiting.pop(told["id"])
                write_seen(file, task, told)
                print(f"  {told.get('seconds', 0):6.1f} s {told['id']}", flush=True)
        if started in waiting:  # the guest died of it
            write_seen(file, waiting.pop(started), {"id": started, "failed": "the guest died or hung"})
    return list(waiting.values())


def write_seen(file: Any, task: dict[str, Any], told: dict[str, Any]) -> None:
    kept = {key: task[key] for key in ("source", "file", "stem", "engine", "args")}
    file.write(json.dumps({**kept, **told}) + "\n")
    file.flush()


if __name__ == "__main__":
    main()
