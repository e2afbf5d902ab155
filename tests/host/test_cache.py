"""Facts kept between commands: only a saving, never a source of errors."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from toolkit.host import cache as caching
from toolkit.host import load_facts, probe, probe_facts
from toolkit.host.cache import LENGTH, pack, strip_names, unpack
from toolkit.host.names import Names
from toolkit.host.probe import Probed
from toolkit.model import Fact, Facts


class Host:
    """A host that counts how often it is probed."""

    def __init__(self) -> None:
        self.probed = 0
        self.settled = True
        self.fingerprint = "as it was"
        self.facts = make_facts()

    def probe(self, *_: object) -> Probed:
        self.probed += 1
        return Probed(self.facts, self.settled)


def make_facts() -> Facts:
    empty = probe_facts(Path("/no/such/tree"))
    functions = Fact(Names.of(("vfs_read", "vfs_write")), origin="/sys/kernel/tracing/available_filter_functions")
    return msgspec.structs.replace(empty, release="6.1", functions=functions)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(probe, "probe", host.probe)
    monkeypatch.setattr(caching, "fingerprint", lambda: host.fingerprint)
    return host


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "facts.msgpack"


def test_the_second_time_nothing_is_probed(host: Host, file: Path) -> None:
    first = load_facts(file)
    assert load_facts(file) == first == host.facts
    assert host.probed == 1


def test_the_big_sets_come_back_with_their_origin(host: Host, file: Path) -> None:
    load_facts(file)
    functions = load_facts(file).functions
    assert functions == host.facts.functions
    assert functions.origin == "/sys/kernel/tracing/available_filter_functions"
    assert functions.value is not None
    assert "vfs_read" in functions.value


def test_what_is_unknown_stays_so(host: Host, file: Path) -> None:
    load_facts(file)
    assert load_facts(file).tracepoints.unknown == host.facts.tracepoints.unknown != ""


def test_a_changed_host_is_probed_again(host: Host, file: Path) -> None:
    load_facts(file)
    host.fingerprint = "xfs was loaded"
    load_facts(file)
    load_facts(file)
    assert host.probed == 2


def test_after_a_day_it_is_probed_again(host: Host, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_facts(file)
    tomorrow = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    load_facts(file)
    assert host.probed == 2


def test_an_engine_that_was_too_slow_is_asked_again(host: Host, file: Path) -> None:
    host.settled = False
    load_facts(file)
    assert not file.exists()


def test_without_a_file_nothing_is_kept(host: Host) -> None:
    load_facts(None)
    load_facts(None)
    assert host.probed == 2


def test_only_its_owner_can_read_it(host: Host, file: Path) -> None:
    load_facts(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80", b"\xdf\xff\xff\xff\xff", b"[" * 100_000, b"\x91" * 100_000])
def test_a_damaged_file_is_replaced(content: bytes, host: Host, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    load_facts(file)
    load_facts(file)
    assert host.probed == 1


def test_damage_anywhere_is_never_an_error(host: Host, file: Path) -> None:
    load_facts(file)
    whole = file.read_bytes()
    chance = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged[: chance.randint(1, len(damaged))])
        assert load_facts(file).release


def test_another_editions_file_is_replaced(host: Host, file: Path) -> None:
    load_facts(file)
    data = file.read_bytes()
    end = LENGTH + int.from_bytes(data[:LENGTH])
    stored = msgspec.msgpack.decode(data[LENGTH:end])
    stored["facts"]["from_the_future"] = True
    head = msgspec.msgpack.encode(stored)
    file.write_bytes(len(head).to_bytes(LENGTH) + head + data[end:])
    load_facts(file)
    load_facts(file)
    assert host.probed == 2


@pytest.mark.root
def test_what_somebody_else_wrote_is_not_believed(host: Host, file: Path) -> None:
    load_facts(file)
    os.chown(file, 1000, 1000)
    load_facts(file)
    assert host.probed == 2
    assert file.stat().st_uid == os.geteuid()


def test_what_somebody_else_can_write_is_not_believed(host: Host, file: Path) -> None:
    load_facts(file)
    file.chmod(0o666)
    load_facts(file)
    assert host.probed == 2


def test_a_link_is_not_followed(host: Host, file: Path, tmp_path: Path) -> None:
    load_facts(file)
    elsewhere = tmp_path / "elsewhere"
    os.replace(file, elsewhere)
    file.symlink_to(elsewhere)
    load_facts(file)
    assert host.probed == 2
    assert not file.is_symlink()


def test_a_pipe_in_its_place_does_not_hang(host: Host, file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    load_facts(file)
    load_facts(file)
    assert host.probed == 1


def test_a_folder_that_cannot_be_written_is_no_error(host: Host) -> None:
    assert load_facts(Path("/proc/no/such/folder/facts.msgpack")) == host.facts
    assert load_facts(Path("/dev/null/facts.msgpack")) == host.facts


def test_a_set_is_stored_whatever_kind_it_is() -> None:
    facts = msgspec.structs.replace(make_facts(), symbols=Fact(frozenset({"b", "a"}), origin="x"))
    assert strip_names(facts)[1]["symbols"] == "a\nb"
    assert unpack(pack(facts, "now"))[1] == facts


def test_names_that_do_not_fill_the_file_are_not_believed() -> None:
    whole = pack(msgspec.structs.replace(make_facts(), symbols=Fact(frozenset({"b", "a"}))), "now")
    for damaged in (whole[:-1], whole + b"c"):
        with pytest.raises(ValueError, match="do not fill"):
            unpack(damaged)


def test_55_000_functions_are_loaded_as_they_were(
    host_of: Callable[[str], Path], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = probe_facts(host_of("debian-6.1"))
    monkeypatch.setattr(probe, "probe", lambda *_: Probed(facts, True))
    load_facts(file)
    assert load_facts(file) == facts
