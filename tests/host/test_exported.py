"""Facts as a file: whole when they come back, refused when somebody made them up."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.samples import make_facts
from toolkit.errors import StateError, UsageError
from toolkit.host import exported, probe_facts
from toolkit.host.exported import encode_facts, read_facts, write_facts
from toolkit.host.names import Names
from toolkit.model import Fact, Facts

WHOLE = encode_facts(make_facts(functions=Fact(Names.of(("vfs_read", "vfs_write")), origin="tracefs")))


@pytest.mark.parametrize("name", ["facts.json", "facts.json.gz"])
def test_they_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    facts = msgspec.structs.replace(probe_facts(), looked={"program:java": True, "program:ruby": False})
    path = tmp_path / "out" / name
    path.parent.mkdir()
    write_facts(facts, path)
    assert read_facts(path) == facts
    assert path.read_bytes().startswith(b"\x1f\x8b" if name.endswith(".gz") else b"{")
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_the_same_facts_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert encode_facts(make_facts(), packed=True) == encode_facts(make_facts(), packed=True)


def test_nothing_that_names_the_host_or_a_user_is_in_it() -> None:
    text = encode_facts(probe_facts()).decode()
    assert f'"{os.uname().nodename}"' not in text
    assert "ffffffff8" not in text


def test_a_link_stays_one_and_a_pipe_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_facts(make_facts(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read_facts(tmp_path / "target") == make_facts()
    os.mkfifo(tmp_path / "pipe")
    got: list[Facts] = []
    reader = threading.Thread(target=lambda: got.append(read_facts(tmp_path / "pipe")))
    reader.start()
    write_facts(make_facts(), tmp_path / "pipe")
    reader.join()
    assert got == [make_facts()]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("place", ["none/facts.json", "file/facts.json", ""])
def test_what_cannot_be_written_is_said(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot write"):
        write_facts(make_facts(), tmp_path / place)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out" / "facts.json"
    path.parent.mkdir()
    path.write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match="No space left"):
        write_facts(make_facts(), path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


# --- What somebody else wrote -------------------------------------------------------------------------------------


def change(**paths: Any) -> bytes:
    """The document with values replaced: change(facts__release=1)."""
    document = json.loads(WHOLE)
    for path, value in paths.items():
        *parents, last = path.split("__")
        place = document
        for one in parents:
            place = place[one]
        place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b"\x00\xff", "malformed"),
        (b"[" * 100_000, "is no file of facts"),
        (b'{"format": "other", "version": 1}', "its format is 'other'"),
        (b'{"format": "toolkit facts", "version": 2}', "has version 2 of the facts format"),
        (WHOLE[:200], "truncated"),
        (gzip.compress(WHOLE, mtime=0)[:-20], "cut off"),
        (gzip.compress(WHOLE, mtime=0)[:30] + b"\xff" * 30, "damaged"),
        (change(facts__release=5), "Expected `str`, got `int` - at `$.facts.release`"),
        (change(facts__future={}), "unknown field `future`"),
        (change(**{"facts__\x1b[2J": {}}), "unknown field `?[2J`"),
        (change(facts__bpf={"value": "yes"}), "Expected `bool"),
        (change(facts__bpf={}), "bpf needs a value or a reason"),
        (change(facts__bpf={"value": True, "unknown": "no"}), "bpf needs a value or a reason"),
        (change(facts__functions={"unknown": "no", "origin": "x"}), "functions needs a value or a reason"),
        (change(facts__functions={"value": ["a"], "origin": "x"}), "its names belong in names"),
        (change(facts__program_kinds={"xdp": {}}), "xdp needs a value or a reason"),
        (change(names__memlock="a"), "names has 'memlock'"),
        (change(names__functions="vfs_read\n\x1b[2Jx"), "names.functions holds what cannot be printed"),
        (change(names__functions=["a"]), "Expected `str`"),
        (change(facts__release="6.1\x1b]0;x"), "cannot be printed: '6.1\\x1b"),
        (change(facts__release="6" * 5000), "too long"),
        (change(facts__bpf={"value": True, "origin": "a\nb"}), "cannot be printed"),
        (change(facts__looked={"\x9b": True}), "cannot be printed"),
        (change(facts__memlock={"value": 10**30}), "a number that no kernel has"),
    ],
    ids=lambda one: one if isinstance(one, str) else "it",  # the bytes differ from process to process
)
def test_what_is_not_right_is_refused_with_the_files_name(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prod-a.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_facts(path)
    assert str(path) in caught.value.what
    assert words in caught.value.what
    assert caught.value.fix


def test_what_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "LARGEST", 1 << 20)
    for data in (gzip.compress(bytes(64 << 20)), bytes(2 << 20)):
        (tmp_path / "bomb").write_bytes(data)
        with pytest.raises(UsageError, match="larger than 1 MiB"):
            read_facts(tmp_path / "bomb")


def test_what_is_not_there_or_a_folder_without_captures_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read {tmp_path / 'none'}"):
        read_facts(tmp_path / "none")
    with pytest.raises(UsageError, match=f"{tmp_path} holds no captures"):
        read_facts(tmp_path)


def test_an_older_file_lacks_what_was_not_known_then(tmp_path: Path) -> None:
    document = json.loads(WHOLE)
    for field in ("program_kinds", "counters", "loaded", "looked"):
        document["facts"].pop(field, None)
    (tmp_path / "old.json").write_text(json.dumps(document))
    assert read_facts(tmp_path / "old.json").loaded.unknown == "it was not read"


@given(place=st.integers(0, len(WHOLE) - 1), change=st.binary(min_size=1, max_size=6), packed=st.booleans())
@settings(max_examples=300, deadline=None)
def test_damage_anywhere_is_facts_or_a_clear_error(
    place: int, change: bytes, packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    data = gzip.compress(WHOLE) if packed else WHOLE
    at = place % len(data)
    path.write_bytes(data[:at] + change + data[at + len(change) :])
    with suppress(UsageError):
        assert read_facts(path).release.isprintable()


def test_a_captured_kernel_comes_back(host_of: Callable[[str], Path], tmp_path: Path) -> None:
    facts = probe_facts(host_of("debian-6.1"))
    write_facts(facts, tmp_path / "x.json.gz")
    assert read_facts(tmp_path / "x.json.gz") == facts
