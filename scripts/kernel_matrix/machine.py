"""A virtual machine without hardware help: an initramfs of busybox and a few modules, QEMU, and what it tells."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.kernel_matrix.roots import find_kernel, read_release

HERE = Path(__file__).parent
NEEDED = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")  # ext4 asks for crc32c by a soft dependency
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod "$module"; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mkdir -p /root/job
/bin/busybox tar x -C /root/job -f /dev/vdb
exec /bin/busybox switch_root /root /bin/sh /job/start
"""


@dataclass(frozen=True)
class Machine:
    """What is booted: a kernel's root and its image; a folder for its disks and console, and one for its facts."""

    root: Path
    image: Path  # of the root
    folder: Path
    facts: Path
    accelerator: str = "tcg"
    memory: int = 3072  # MiB


def write_cpio(files: dict[str, tuple[int, bytes]], into: Path) -> None:
    """An archive of the kernel's kind ("newc"): names to mode and bytes."""
    with into.open("wb") as stream:
        for number, (name, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
            head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
            stream.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))


def make_initramfs(root: Path, into: Path) -> None:
    """busybox, the modules that lead to the root, and a script that goes there."""
    folder = root / "lib/modules" / read_release(root)
    depends = dict(line.split(":", 1) for line in (folder / "modules.dep").read_text().splitlines())
    paths = {path.name.split(".")[0].replace("-", "_"): key for key in depends for path in (Path(key),)}
    order: dict[str, None] = {}
    for name in NEEDED:
        if name in paths:  # otherwise it is built in
            order |= dict.fromkeys((*reversed(depends[paths[name]].split()), paths[name]))
    files = dict.fromkeys(("bin", "dev", "proc", "root", "lib"), (0o040755, b""))
    files["bin/busybox"] = (0o100755, Path(shutil.which("busybox") or "/bin/busybox").read_bytes())
    for key in order:
        data = (folder / key).read_bytes()
        name = f"lib/{Path(key).name.split('.')[0]}.ko"
        files[name] = (0o100644, lzma.decompress(data) if key.endswith(".xz") else data)
    names = [f"/lib/{Path(key).name.split('.')[0]}.ko" for key in order]
    files["modules"] = (0o100644, "\n".join(names).encode())
    files["init"] = (0o100755, INIT.encode())
    write_cpio(files, into)


def write_job(into: Path, tasks: list[dict[str, object]], trees: dict[str, Path]) -> None:
    """The disk with the work: our scripts, the tasks, and the files of upstreams, as a tar without a file system."""
    with tarfile.open(into, "w") as archive:
        for path in (HERE / "start", HERE / "guest.py", HERE / "load.py", HERE.parent / "capture-facts"):
            archive.add(path, path.name)
        archive.add(shutil.which("busybox") or "/bin/busybox", "busybox")
        data = json.dumps(tasks).encode()
        member = tarfile.TarInfo("tasks.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
        for name, folder in trees.items():
            archive.add(folder, f"trees/{name}")


def boot(machine: Machine, silence: float) -> Iterator[dict[str, Any]]:
    """Boot, and yield each line that the guest writes; the machine is killed when it says nothing for so long."""
    folder = machine.folder
    make_initramfs(machine.root, folder / "initramfs")
    with (folder / "facts.tar").open("wb") as disk:
        disk.truncate(256 << 20)
    stream = folder / "stream"
    stream.write_bytes(b"")
    argv = [
        "qemu-system-x86_64", "-accel", machine.accelerator, "-cpu", "max", "-smp", "1", "-m", str(machine.memory),
        "-nodefaults", "-display", "none", "-no-reboot",
        "-kernel", str(find_kernel(machine.root)),
        "-initrd", str(folder / "initramfs"),
        "-append", "console=ttyS0 panic=-1 quiet",
        "-drive", f"file={machine.image},if=virtio,format=raw,snapshot=on",
        "-drive", f"file={folder / 'job.tar'},if=virtio,format=raw,readonly=on",
        "-drive", f"file={folder / 'facts.tar'},if=virtio,format=raw",
        "-serial", f"file:{folder / 'console'}",
        "-serial", f"file:{stream}",
    ]  # fmt: skip
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process, stream.open("rb") as lines:
        try:
            yield from _follow(process, lines, silence)
        finally:
            process.kill()


def _follow(process: subprocess.Popen[bytes], lines: io.BufferedReader, silence: float) -> Iterator[dict[str, Any]]:
    rest = b""
    heard = time.monotonic()
    while True:
        ended = process.poll() is not None
        data = lines.read()
        if data:
            heard = time.monotonic()
            *whole, rest = (rest + data).split(b"\n")
            yield from (json.loads(line) for line in whole if line.strip().startswith(b"{"))
        elif ended or time.monotonic() - heard > silence:
            return
        time.sleep(0.3)
