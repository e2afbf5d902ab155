"""What a kernel boots on: a root of a Debian suite with its engines and the kernel's packages, and an image of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from scripts.kernel_matrix.table import Kernel, Suite, find_root

MIRROR = "http://deb.debian.org/debian"
DEBOOTSTRAP = Path("/usr/share/debootstrap/scripts")
# What of a kernel's dependencies is the kernel; the rest (an initramfs builder, a compiler) is not needed to boot it.
PARTS = re.compile(r"linux-(image|headers|modules|binary|kbuild|base)-\d.*")
RELEASE = "var/lib/kernel-matrix/release"  # written last


def prepare_suite(cache: Path, suite: Suite) -> Path:
    """A suite's root with its engines, made by debootstrap once. Raises CalledProcessError."""
    root = cache / "suites" / suite.name
    if not root.is_dir():
        print(f"debootstrap {suite.name}", flush=True)
        aside = _make_aside(root)
        script = DEBOOTSTRAP / suite.name
        script = script if script.exists() else DEBOOTSTRAP / "sid"  # a suite that is newer than this debootstrap
        include = ",".join(("python3", "kmod", *suite.packages))
        _run("debootstrap", "--variant=minbase", f"--include={include}", suite.name, str(aside), MIRROR, str(script))
        aside.rename(root)
    return root


def prepare_kernel(cache: Path, suite: Suite, kernel: Kernel) -> Path:
    """A root with a suite's engines and one kernel with its headers; hard links to the suite's, made once."""
    root = find_root(cache, kernel.name)
    if root.is_dir():
        return root
    base = prepare_suite(cache, suite)
    print(f"{kernel.name}: kernel and headers", flush=True)
    aside = _make_aside(root)
    _run("cp", "-al", str(base), str(aside))
    source = kernel.source or suite.name
    if kernel.source:
        (aside / f"etc/apt/sources.list.d/{source}.list").write_text(f"deb {MIRROR} {source} main\n")
    # Signatures are checked as ever; a mirror that stands still is as good for a root that nobody lives in.
    _chroot(aside, "apt-get", "-q", "-o", "Acquire::Check-Valid-Until=false", "update")
    names = [name for kind in ("image", "headers") for name in _find_parts(aside, f"linux-{kind}-amd64/{source}")]
    folder = aside / "var/cache/kernel"
    folder.mkdir(parents=True)
    _chroot(aside, "sh", "-c", 'cd /var/cache/kernel && apt-get -q download "$@"', "sh", *names)
    for package in sorted(folder.glob("*.deb")):
        _unpack(package, aside)
    shutil.rmtree(folder)
    release = next(name for name in names if name.startswith("linux-image-")).removeprefix("linux-image-")
    _run("depmod", "-b", str(aside), release)
    _straighten_links(aside, aside / "lib/modules" / release)
    (aside / RELEASE).parent.mkdir(parents=True)
    (aside / RELEASE).write_text(release)
    aside.rename(root)
    return root


def read_release(root: Path) -> str:
    """What uname -r will say on a root."""
    return (root / RELEASE).read_text()


def find_kernel(root: Path) -> Path:
    """The bootable kernel of a root; it lies beside its modules since Debian's 7.3."""
    release = read_release(root)
    places = (root / f"boot/vmlinuz-{release}", root / f"lib/modules/{release}/vmlinuz")
    return next(place for place in places if place.is_file())


def make_image(root: Path, image: Path) -> None:
    """An ext4 image of a root, sparse, made once."""
    if image.is_file():
        return
    aside = _make_aside(image)
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(aside), "6G")
    aside.rename(image)


def read_versions(root: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of some packages that are installed in a root."""
    status = (root / "var/lib/dpkg/status").read_text(errors="replace")
    found = re.findall(r"^Package: (\S+)\n(?:\S.*\n|[ \t].*\n)*?Version: (\S+)$", status, re.MULTILINE)
    return {name: version for name, version in found if name in packages}


def _find_parts(root: Path, name: str) -> list[str]:
    """The packages that a kernel's meta-package leads to."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        shown = _chroot(root, "apt-cache", "show", waiting.pop())
        depends = re.search(r"^Depends: (.*)$", shown, re.MULTILINE)
        for one in depends[1].split(",") if depends else ():
            part = one.split("|")[0].split()[0]
            if PARTS.fullmatch(part) and part not in found:
                found[part] = None
                waiting.append(part)
    return list(found)


def _unpack(package: Path, root: Path) -> None:
    # dpkg -x would put a folder /lib in the place of the link that it is since the merged /usr.
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
        command = ["tar", "-x", "--keep-directory-symlink", "-C", str(root)]
        subprocess.run(command, stdin=reader.stdout, check=True)


def _straighten_links(root: Path, folder: Path) -> None:
    """Make the links to the headers relative: an absolute one leads out of a root that is read from outside."""
    for link in (folder / "build", folder / "source"):
        target = os.readlink(link) if link.is_symlink() else ""
        if target.startswith("/"):
            link.unlink()
            link.symlink_to(os.path.relpath(root / target.lstrip("/"), link.parent.resolve()))


def _make_aside(path: Path) -> Path:
    """A place beside a path to build it, empty."""
    aside = path.with_name(f".{path.name}.part")
    if aside.is_dir():
        shutil.rmtree(aside)
    aside.unlink(missing_ok=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    return aside


def _chroot(root: Path, *argv: str) -> str:
    return _run("chroot", str(root), *argv)


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
