"""The browsable tree: scripts that a shell runs as meant, whatever a stranger's tool is called, swapped in at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.snapshot.test_store import make_manifest
from toolkit.catalog.curated import Curated
from toolkit.errors import StateError
from toolkit.model import Category, Tool
from toolkit.snapshot.layout import Snapshot
from toolkit.snapshot.store import read_snapshot, write_snapshot
from toolkit.snapshot.tree import TreeRules, fits_tree, mend_tree, name_tree, plant_tree, write_script

CURATED = Curated(
    categories=tuple(Category(name=name, summary="x") for name in ("disk", "net", "multi")),
    sources=(),
    tools=(Tool(name="biolatency", category="disk", also=("net",), summary="Block I/O latency", aliases=("old",)),),
)


def make_program(folder: Path) -> Path:
    """A program that says how it was called, where toolkit would be."""
    folder.mkdir()
    program = folder / "toolkit"
    program.write_text(
        '#!/bin/sh\nprintf "home=%s\\n" "$TOOLKIT_HOME"\nfor one; do printf "<%s>\\n" "$one"; done\nexit 42\n'
    )
    program.chmod(0o755)
    return program


def make_rules(program: Path, home: str = "") -> TreeRules:
    return TreeRules(curated=CURATED, command=(str(program),), home=home)


def plant(folder: Path, rules: TreeRules, texts: dict[str, str] | None = None) -> Snapshot:
    manifest, contents = make_manifest(texts or {"disk/x.bt": "BEGIN {}"})
    return write_snapshot(folder, manifest, contents, (), lambda built, wait: plant_tree(built, rules, wait))


def call(*command: str | Path, cwd: Path | None = None, home: str = "/elsewhere") -> tuple[int, list[str], str]:
    environ = {**os.environ, "TOOLKIT_HOME": home}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_tool_is_in_each_of_its_categories(tmp_path: Path) -> None:
    snapshot = plant(tmp_path / "s", make_rules(tmp_path / "toolkit"), {"disk/x.bt": "BEGIN {}", "disk/old.bt": "1"})
    tree = Path(snapshot.path) / "tree"
    assert files(tree) == ["disk/biolatency", "disk/x", "net/biolatency"]
    assert (tree / "disk/x").stat().st_mode & 0o777 == 0o555
    assert (tree / "disk/biolatency").read_text().splitlines()[1] == "# biolatency: Block I/O latency"


def test_it_is_no_part_of_the_snapshots_identity(tmp_path: Path) -> None:
    one = plant(tmp_path / "one", make_rules(tmp_path / "here"))
    other = plant(tmp_path / "other", make_rules(tmp_path / "there"))
    assert one.id == other.id
    assert read_snapshot(tmp_path / "one", one.id) == one


@pytest.mark.parametrize("home", ["", "/srv/a 'quoted' \"home\" $HOME `id`"])
def test_arguments_and_the_own_state_arrive_untouched(tmp_path: Path, home: str) -> None:
    program = make_program(tmp_path / "a b'c")
    tree = Path(plant(tmp_path / "s", make_rules(program, home)).path) / "tree"
    odd = ("10", "a b", "it's", '"', "$(id)", "", "-d", "*", "back\\slash\\n")
    expected = [f"home={home}", "<run>", "<disk/biolatency>", *(f"<{one}>" for one in odd)]
    assert call(tree / "disk/biolatency", *odd) == (42, expected, "")
    assert call("./biolatency", *odd, cwd=tree / "disk") == (42, expected, "")
    (tmp_path / "link").symlink_to(tree / "disk/biolatency")
    assert call(tmp_path / "link", *odd, cwd=Path("/")) == (42, expected, "")


def test_a_program_that_is_gone_is_said_in_one_line(tmp_path: Path) -> None:
    program = make_program(tmp_path / "bin")
    tree = Path(plant(tmp_path / "s", make_rules(program)).path) / "tree"
    program.unlink()
    message = f"toolkit: {program} does not start it any more; `toolkit sync` mends this file\n"
    assert call(tree / "disk/x") == (127, [], message)
    rules = TreeRules(curated=CURATED, command=("/bin/sh", "-c", "exit 0"))
    script = write_script(CURATED.tools[0], "disk", rules).replace("__main__", "gone")
    assert call("/bin/sh", "-c", script)[0] == 127


@pytest.mark.parametrize("name", ["-rf", "..", ".hidden", "a b", "a\nb", "a;b", "$(id)", "a/b", "ä", "", "a" * 300])
def test_a_strange_name_is_no_file(tmp_path: Path, name: str) -> None:
    assert not fits_tree(name)
    tool = Tool(name=name, category="disk", summary="x")
    rules = TreeRules(curated=Curated(categories=CURATED.categories, sources=(), tools=(tool,)), command=("/x",))
    assert files(Path(plant(tmp_path, rules).path) / "tree") == ["disk/x"]


def test_a_summary_cannot_become_a_command() -> None:
    for summary in ("x\ntouch /tmp/evil", "x\r\ntouch /tmp/evil", "x\u2028y", "x\x1b[2J", "\x00", "\ud800", "y\\\n"):
        text = write_script(Tool(name="x", category="disk", summary=summary), "disk", make_rules(Path("/x")))
        assert len(text.splitlines()) == 5
        assert text.splitlines()[1].startswith("# x: ")
        assert text.splitlines()[1].isprintable()


@pytest.mark.parametrize("how", ["no tree", "another command", "another catalog", "a crash"])
def test_what_is_there_is_mended_without_a_new_id(tmp_path: Path, how: str) -> None:
    rules = make_rules(tmp_path / "new")
    before = plant(tmp_path / "s", rules if how == "a crash" else make_rules(tmp_path / "old"))
    folder = Path(before.path)
    if how == "no tree":
        (folder / "tree").unlink()
        shutil.rmtree(next(folder.glob("tree-*")))
    elif how == "another catalog":
        more = Tool(name="more", category="net", summary="x")
        rules = TreeRules(curated=Curated(categories=CURATED.categories, sources=(), tools=(more,)), command=("/new",))
    elif how == "a crash":
        (folder / f".{name_tree(rules)}").mkdir()
        (folder / "tree-dead").mkdir()
        (folder / ".tree.4711").symlink_to("tree-dead")
    receipt = (folder / "receipt.json").stat().st_mtime_ns
    mend_tree(before, rules)
    assert (folder / "receipt.json").stat().st_mtime_ns == receipt
    assert os.readlink(folder / "tree") == name_tree(rules)
    assert rules.command[0] in (folder / "tree/disk/x").read_text()
    assert (folder / "tree/net/more").exists() == (how == "another catalog")
    left = {path.name for path in folder.iterdir()}
    assert left == {"files", "manifest.json", "receipt.json", "tree", name_tree(rules)}
    planted = (folder / "tree").lstat().st_mtime_ns
    mend_tree(before, rules)
    assert (folder / "tree").lstat().st_mtime_ns == planted


def test_one_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = make_rules(tmp_path / "old"), make_rules(tmp_path / "new")
    before = plant(tmp_path / "s", old)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match="cannot write the tree") as caught:
        mend_tree(before, new)
    assert "free some space" in caught.value.fix
    assert os.readlink(Path(before.path) / "tree") == name_tree(old)
    assert [path.name for path in Path(before.path).iterdir() if path.name.startswith(".")] == []
