"""Snapshots on disk: named by their content, whole or not there, swapped in at once, removed when old."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolkit.errors import StateError
from toolkit.model import Engine
from toolkit.snapshot.layout import SHAPE, Entry, Manifest, Origin, Role, current_name
from toolkit.snapshot.store import (
    collect_garbage,
    find_garbage,
    list_snapshots,
    make_current,
    name_snapshot,
    read_current,
    read_snapshot,
    write_snapshot,
)
from toolkit.snapshot.use import use_snapshot


def make_manifest(texts: dict[str, str], commit: str = "a" * 40) -> tuple[Manifest, dict[str, bytes]]:
    contents = {hashlib.sha256(text.encode()).hexdigest(): text.encode() for text in texts.values()}
    entries = tuple(
        Entry(
            source="acme",
            revision="v1",
            path=path,
            role=Role.TOOL,
            stem=Path(path).stem,
            engine=Engine.BPFTRACE,
            category="disk",
            made_for="",
            executable=True,
            size=len(text),
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
        for path, text in sorted(texts.items())
    )
    origin = Origin(source="acme", revision="v1", commit=commit)
    return Manifest(shape=SHAPE, rules={}, origins=(origin,), entries=entries), contents


def put(root: Path, texts: dict[str, str]) -> str:
    return write_snapshot(root, *make_manifest(texts)).id


def test_it_is_named_by_its_content_on_every_machine(tmp_path: Path) -> None:
    one = put(tmp_path / "here", {"disk/x.bt": "BEGIN {}"})
    other = put(tmp_path / "there", {"disk/x.bt": "BEGIN {}"})
    assert one == other
    assert put(tmp_path / "here", {"disk/x.bt": "END {}"}) != one
    assert name_snapshot(make_manifest({"disk/x.bt": "BEGIN {}"}, "b" * 40)[0]) != one


def test_its_files_are_what_was_given_and_nobody_changes_them(tmp_path: Path) -> None:
    name = put(tmp_path, {"disk/x.bt": "BEGIN {}"})
    file = tmp_path / name / "files/acme/v1/disk/x.bt"
    assert file.read_text() == "BEGIN {}"
    assert file.stat().st_mode & 0o777 == 0o555


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    name = put(tmp_path, {"x.bt": "1"})
    before = (tmp_path / name / "receipt.json").stat().st_mtime_ns
    assert put(tmp_path, {"x.bt": "1"}) == name
    assert (tmp_path / name / "receipt.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_one_without_a_receipt_or_with_another_content_is_none(tmp_path: Path) -> None:
    name = put(tmp_path, {"x.bt": "1"})
    receipt = tmp_path / name / "receipt.json"
    text = receipt.read_bytes()
    receipt.unlink()
    assert read_snapshot(tmp_path, name) is None
    assert put(tmp_path, {"x.bt": "1"}) == name  # it is made again, whole
    receipt.write_bytes(text)
    (tmp_path / name / "manifest.json").chmod(0o600)
    (tmp_path / name / "manifest.json").write_text('{"shape": 1, "rules": {}, "origins": [], "entries": []}')
    assert read_snapshot(tmp_path, name) is None


@pytest.mark.parametrize("damage", [b"", b'{"shape": 1', b'{"id": "\xff\xfe"}', b'{"id": ' + b"[" * 100_000])
@pytest.mark.parametrize("file", ["receipt.json", "manifest.json"])
def test_one_that_a_disk_damaged_is_made_again(tmp_path: Path, file: str, damage: bytes) -> None:
    name = put(tmp_path, {"x.bt": "1"})
    (tmp_path / name / file).chmod(0o600)
    (tmp_path / name / file).write_bytes(damage)
    assert read_snapshot(tmp_path, name) is None
    assert put(tmp_path, {"x.bt": "1"}) == name
    assert read_snapshot(tmp_path, name) is not None


def test_no_space_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = put(tmp_path, {"x.bt": "1"})

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match="No space left"):
        put(tmp_path, {"x.bt": "2"})
    assert [one.id for one in list_snapshots(tmp_path)] == [first]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_readers_never_see_current_missing(tmp_path: Path) -> None:
    root, current = tmp_path / "snapshots", tmp_path / "current"
    names = [put(root, {"x.bt": str(number)}) for number in (1, 2)]
    make_current(root, current, names[0])
    seen: set[str | None] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(current_name(current))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        make_current(root, current, names[number % 2])
    done.set()
    reader.join()
    assert seen <= set(names)
    found = read_current(root, current)
    assert found is not None
    assert found.id == names[1]


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("toolkit.snapshot.store.time.time", lambda: seconds)


def test_garbage_is_what_is_old_and_not_current(tmp_path: Path) -> None:
    root, current = tmp_path / "snapshots", tmp_path / "current"
    names = [put(root, {"x.bt": str(number)}) for number in range(5)]
    make_current(root, current, names[0])
    (root / ".building-1-dead").mkdir()
    (root / "a stray file").write_text("")
    assert set(find_garbage(root, current, 2)) == {names[1], names[2], "a stray file"}
    assert set(collect_garbage(root, current, 2)) == {names[1], names[2], "a stray file"}
    assert {one.id for one in list_snapshots(root)} == {names[0], names[3], names[4]}
    assert {path.name for path in root.iterdir()} == {names[0], names[3], names[4]}


def test_a_clock_that_jumps_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, current = tmp_path / "snapshots", tmp_path / "current"
    names = []
    for number, clock in enumerate((1.7e9, 1.9e9, 1.8e9, 0.0, 1.7e9)):  # to 2030 and back, a dead battery
        set_clock(monkeypatch, clock)
        names.append(put(root, {"x.bt": str(number)}))
    make_current(root, current, names[-1])
    assert [one.id for one in list_snapshots(root)] == names[::-1]
    assert [one.receipt.serial for one in list_snapshots(root)] == [5, 4, 3, 2, 1]
    assert set(collect_garbage(root, current, 2)) == set(names[:3])


def test_receipts_without_a_serial_are_older_than_those_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for number in range(3):
        set_clock(monkeypatch, 2e9 - number)
        names.append(put(tmp_path, {"x.bt": str(number)}))
        receipt = tmp_path / names[-1] / "receipt.json"
        if number < 2:
            without = json.loads(receipt.read_text())
            del without["serial"]
            receipt.write_text(json.dumps(without))
    assert [one.id for one in list_snapshots(tmp_path)] == [names[2], names[0], names[1]]


def test_what_is_synced_again_is_the_newest_again(tmp_path: Path) -> None:
    names = [put(tmp_path, {"x.bt": text}) for text in ("1", "2", "1")]
    assert names[0] == names[2]
    assert [one.id for one in list_snapshots(tmp_path)] == [names[0], names[1]]


def test_what_a_crash_left_is_swept_but_what_is_used_stays(tmp_path: Path) -> None:
    root, current = tmp_path / "snapshots", tmp_path / "current"
    names = [put(root, {"x.bt": text}) for text in ("1", "2")]
    make_current(root, current, names[1])
    (tmp_path / ".current.4711").symlink_to("snapshots/gone")
    with use_snapshot(root, root / names[0] / "files" / "x.bt"):
        assert collect_garbage(root, current, 1) == ()
        assert read_snapshot(root, names[0]) is not None
    assert collect_garbage(root, current, 1) == (names[0],)
    assert not (tmp_path / ".current.4711").is_symlink()


def test_killed_at_any_moment_it_is_whole_or_not_there(tmp_path: Path) -> None:
    root = tmp_path / "snapshots"
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.snapshot.test_store import put\n"
        "print('ready', flush=True)\n"
        "for n in range(10**6): put(Path(sys.argv[1]), {f'{k}.bt': f'{n} {k}' for k in range(20)})"
    )
    for moment in range(12):
        writer = subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.003 * moment)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        for snapshot in list_snapshots(root):
            for entry in snapshot.manifest.entries:
                data = (Path(snapshot.path) / entry.file).read_bytes()
                assert hashlib.sha256(data).hexdigest() == entry.sha256
        collect_garbage(root, tmp_path / "current", 100)
        assert not list(root.glob(".building-*"))
