"""The three upstreams on a git server of our own: mirrors that are named or made, served whole and packed."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.bench.measure import Options, print_line
from tests.support.git_repos import AUTHOR
from toolkit.catalog.load import load_curated
from toolkit.model import Source
from toolkit.paths import data_folder

CACHE = Path(__file__).parent.parent.parent / "vendored" / "mirrors"  # git-ignored, as all folders there
PATIENCE = 1800  # seconds for one clone from a forge


def list_upstreams() -> tuple[Source, ...]:
    """The catalog's sources that are fetched from git."""
    return tuple(one for one in load_curated(data_folder()).sources if one.url)


@functools.cache
def copy_upstreams(options: Options) -> Path | None:
    """A folder of bare repositories to serve, NAME.git each; None, and a line that says why, where there are none."""
    folder = tempfile.mkdtemp(prefix="toolkit-bench-served-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        for source in list_upstreams():
            _copy_whole(find_mirror(options.mirrors, source), Path(folder) / f"{source.name}.git")
    except (OSError, subprocess.SubprocessError) as error:
        said = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else ""
        print_line("no mirrors to serve", said or str(error))
        print_line("", "name a folder that holds bcc.git, bpftrace.git and book.git: make bench MIRRORS=/path")
        return None
    return Path(folder)


def find_mirror(given: Path | None, source: Source) -> Path:
    """The mirror of a source: in the folder that was given, else in the cache, where it is cloned once."""
    mirror = (given or CACHE) / f"{source.name}.git"
    if mirror.is_dir():
        return mirror
    if given:
        sys.exit(f"bench: there is no {mirror}")
    print_line("no MIRRORS", f"cloning {source.url} into {CACHE}, once")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as aside:
        # What a proxy or a certificate needs is in the environment of whoever calls us.
        command = ["git", "clone", "--quiet", "--mirror", source.url, f"{aside}/mirror"]
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, env=environment)
        Path(aside, "mirror").rename(mirror)
    return mirror


def _copy_whole(mirror: Path, copy: Path) -> None:
    """Copy a mirror as a forge would serve it: every ref, filters allowed, one pack with a bitmap."""
    make_bare(copy)
    alternates = copy / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{(mirror / 'objects').resolve()}\n")
    refs = run_git(mirror, "for-each-ref", "--format=create %(refname) %(objectname)")
    run_git(copy, "update-ref", "--stdin", stdin=refs)
    run_git(copy, "symbolic-ref", "HEAD", run_git(mirror, "symbolic-ref", "HEAD").decode().strip())
    for missing in _find_missing(copy):
        _replace_blob(copy, missing)
    if _find_missing(copy):
        raise OSError(f"{mirror} is not whole, and not only files are missing")
    run_git(copy, "repack", "-adq")
    alternates.unlink()
    run_git(copy, "repack", "-adbq")


def _find_missing(repository: Path) -> list[str]:
    listed = run_git(repository, "rev-list", "--objects", "--all", "--missing=print").decode().splitlines()
    return [line[1:] for line in listed if line.startswith("?")]


def _replace_blob(copy: Path, missing: str) -> None:
    """Put an empty file in the place of one that a stored mirror lacks; a full clone would fail without it.

    The commits from the one that brings the file on get other ids. The ancestor's clone is smaller by that file, and
    our ratio so much the worse.
    """
    found = run_git(copy, "log", "--all", "--no-renames", f"--find-object={missing}", "--format=%P").decode()
    before = [f"^{parent}" for parent in found.split()]
    options = ("--no-data", "--reference-excluded-parents", "--signed-tags=strip", "--tag-of-filtered-object=rewrite")
    history = run_git(copy, "fast-export", *options, "--all", *before)
    stand_in = run_git(copy, "hash-object", "-w", "--stdin")
    run_git(copy, "fast-import", "--force", "--quiet", stdin=history.replace(missing.encode(), stand_in.strip()))
    print_line(copy.name, f"lacks the file {missing[:12]}: an empty one stands in, so a clone of it is too small")


def make_bare(path: Path) -> None:
    """An empty bare repository that serves filtered fetches."""
    path.mkdir()
    run_git(path, "init", "--quiet", "--bare", "-b", "main")
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        run_git(path, "config", setting, "true")


def run_git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What git prints; raises CalledProcessError."""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=AUTHOR).stdout
