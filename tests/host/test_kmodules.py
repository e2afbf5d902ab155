"""File systems and modules of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.host.kmodules import read_filesystems, read_modules
from toolkit.host.tree import Tree

Write = Callable[..., Path]
FOLDER = "/lib/modules/6.1"


def test_the_last_word_of_a_line_is_the_file_system(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/proc/filesystems", "nodev\tproc\n\text4\n\n")
    assert read_filesystems(Tree(tmp_path)).value == {"proc", "ext4"}


def test_no_file_of_them_is_unknown(tmp_path: Path) -> None:
    assert read_filesystems(Tree(tmp_path)).unknown == "/proc/filesystems does not exist"
    known, loaded = read_modules(Tree(tmp_path), "6.1")
    assert known.unknown == f"{FOLDER}/modules.dep does not exist"
    assert loaded.unknown == "/proc/modules does not exist"


def test_what_is_loaded_is_told_from_what_could_be(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/proc/modules", "nf_tables 1 0 - Live 0x0\n")
    write(tmp_path, f"{FOLDER}/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
    write(tmp_path, f"{FOLDER}/modules.dep", "kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/x/a-b.ko:\n")
    known, loaded = read_modules(Tree(tmp_path), "6.1")
    assert loaded.value == {"nf_tables", "ext4"}
    assert known.value == {"nf_tables", "ext4", "xfs", "a_b"}
    assert loaded.origin == f"/proc/modules, {FOLDER}/modules.builtin"


def test_without_depmods_list_what_is_loaded_is_still_known(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "/proc/modules", "xfs 1 0 - Live 0x0\n")
    known, loaded = read_modules(Tree(tmp_path), "6.1")
    assert known.value == loaded.value == {"xfs"}
    assert known.origin == "/proc/modules"


def test_files_alone_do_not_say_what_is_loaded(tmp_path: Path, write: Write) -> None:
    write(tmp_path, f"{FOLDER}/modules.dep", "kernel/fs/xfs/xfs.ko:\n")
    known, loaded = read_modules(Tree(tmp_path), "6.1")
    assert known.value == {"xfs"}
    assert loaded.value is None


def test_any_bytes_are_names_or_nothing(tmp_path: Path) -> None:
    place = tmp_path / "proc" / "modules"
    place.parent.mkdir()
    place.write_bytes(b"\xff\xfe \0\n   \n:\n")
    assert len(read_modules(Tree(tmp_path), "6.1").loaded.value or ()) >= 1
