"""Facts out of captures: those of known kernels, of a folder made by hand, and of one that somebody damaged."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.captures import FILES, FORMAT, make_captures, make_tar
from tests.support.elf import library
from toolkit.errors import ToolkitError, UsageError
from toolkit.host.capture import look_up_captured, read_capture
from toolkit.host.capture_files import find_failure, read_members
from toolkit.host.exported import encode_facts, read_facts
from toolkit.host.tree import Damaged
from toolkit.model import Engine, Facts, Need, NeedKind

CaptureOf = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_captures(tmp_path / "captures")


def test_a_folder_made_by_hand(folder: Path) -> None:
    facts = read_capture(folder)
    assert (facts.release, facts.machine, facts.distribution) == ("6.1.0-test", "aarch64", "fedora")
    assert facts.tracepoints.value == {"sched:sched_switch"}
    assert facts.formats.value == {"sched:sched_switch.prev_pid"}
    assert facts.functions.value == {"vfs_read", "vfs_write"}
    assert facts.symbols.value == {"avenrun"}
    assert facts.modules.value == {"xfs", "btrfs"}
    assert facts.loaded.value == {"xfs"}
    assert facts.memlock.value == -1
    assert (facts.lockdown.value, facts.perf_event_paranoid.value) == ("none", 2)
    assert facts.kptr_restrict.unknown.endswith("which is no number")
    assert facts.headers.value == "/lib/modules/6.1.0-test/build"
    assert facts.counters.value == frozenset()
    assert len(facts.capabilities) == 41


def test_one_text_of_all_formats_and_one_of_all_symbols_say_the_same(folder: Path) -> None:
    before = read_capture(folder)
    for name in ("events-formats.tgz", "kallsyms-names.gz", "kallsyms-letters.gz"):
        (folder / name).unlink()
    assert not read_capture(folder).formats.known
    text = b"==> events/sched/sched_switch/format <==\n" + FORMAT + b"\n==> ../../etc/format <==\n" + FORMAT
    (folder / "events-formats.gz").write_bytes(gzip.compress(text))
    (folder / "kallsyms.gz").write_bytes(gzip.compress(b"T vfs_read\nD avenrun\nt xfs_go\t[xfs]\n"))
    (folder / "config.gz").write_bytes(gzip.compress(FILES["config.gz"]))
    assert read_capture(folder) == before


def test_what_can_only_be_tried_is_what_the_engines_said(folder: Path) -> None:
    facts = read_capture(folder)
    assert facts.bpf.value is True
    assert (facts.fentry.value, facts.fentry.origin) == (False, "bpftrace --info, captured there")
    assert facts.program_kinds["kprobe.multi"].value is True
    assert facts.program_kinds["xdp"].origin == "bpftool feature probe, captured there"
    assert facts.program_kinds["xdp"].value is False
    versions = {engine.name: engine.version for engine in facts.engines}
    assert versions[Engine.BPFTRACE] == "0.20.1"
    assert versions[Engine.BCC] == "0.29.1"


def test_without_the_engines_words_a_configuration_that_can_be_believed_decides(folder: Path) -> None:
    for name in ("bpftrace-info.txt", "bpftool-feature.json", "bpftrace-version.txt", "packages.txt"):
        (folder / name).unlink()
    facts = read_capture(folder)
    assert facts.bpf.unknown == "no captured bpftool feature probe tells"
    assert facts.fentry.unknown.startswith("the kernel has no BTF")
    assert facts.missing_engines[Engine.BPFTRACE] == "no captured file names its version"
    (folder / "config.gz").write_bytes(gzip.compress(b"# CONFIG_BPF_SYSCALL is not set\n"))
    assert read_capture(folder).bpf.value is False


@pytest.mark.parametrize(("kernel", "fentry"), [("debian-6.1", True), ("minimal-6.18", None)])
def test_fentry_where_nothing_was_tried(
    kernel: str, fentry: bool | None, capture_of: CaptureOf, tmp_path: Path
) -> None:
    for one in capture_of(kernel).iterdir():
        if not one.name.startswith(("bpftrace-info", "bpftool-feature")):
            (tmp_path / one.name).symlink_to(one)
    fact = read_capture(tmp_path).fentry
    assert fact.value is fentry
    assert "not tried" in fact.origin or "available_filter_functions" in fact.unknown


@pytest.mark.parametrize("kernel", ["debian-6.1", "minimal-6.18"])
def test_captured_kernels_are_what_their_files_say(kernel: str, capture_of: CaptureOf) -> None:
    facts = read_capture(capture_of(kernel))
    minimal = kernel == "minimal-6.18"
    assert facts.kprobes.value is not minimal
    assert facts.fentry.value is not minimal
    assert facts.program_kinds["lsm"].value is not minimal
    assert facts.program_kinds["iter"].value is True
    assert ("reading" in facts.functions.unknown) is minimal
    assert {engine.name for engine in facts.engines} == set(Engine)
    assert facts.counters.value == frozenset()


# --- What is outside of the kernel --------------------------------------------------------------------------------


def answers(folder: Path, *names: str) -> dict[str, bool]:
    needs = [Need(kind=NeedKind(name.partition(":")[0]), name=name.partition(":")[2]) for name in names]
    return look_up_captured(needs, folder)


def test_what_was_listed_is_there_or_not_and_all_else_unknown(folder: Path) -> None:
    wanted = (
        "program:/usr/bin/java",
        "program:/usr/bin/ruby",
        "program:/opt/acme/server",
        "program:/usr/sbin/mysqld",
        "program:/usr/lib/jvm/x",
        "user_header:sys/socket.h",
        "platform:GenuineIntel",
        "uprobe:/usr/bin/java:main",
    )
    assert answers(folder, *wanted) == {
        "program:/usr/bin/java": True,
        "program:/usr/bin/ruby": False,
        "program:/opt/acme/server": False,
        "program:/usr/sbin/mysqld": False,  # /usr is listed, and has no sbin
        "user_header:sys/socket.h": False,
        "platform:GenuineIntel": True,
    }


def test_symbols_are_those_of_the_copies(folder: Path) -> None:
    (folder / "elf.tgz").write_bytes(make_tar(usr__bin__java=library(("main",), ("hotspot:gc",))))
    assert answers(folder, "uprobe:/usr/bin/java:main", "uprobe:/usr/bin/java:x", "usdt:/usr/bin/java:hotspot:gc") == {
        "uprobe:/usr/bin/java:main": True,
        "uprobe:/usr/bin/java:x": False,
        "usdt:/usr/bin/java:hotspot:gc": True,
    }


def test_copied_headers_tell_what_they_say_and_no_others(folder: Path) -> None:
    old, new = (f"header_text:linux/{name}.h:tcp_sk" for name in ("minmax", "tcp"))
    assert answers(folder, old, new) == {}
    place = "lib__modules__6.1.0-test__source__include__linux"
    (folder / "elf.tgz").write_bytes(make_tar(**{f"{place}__tcp.h": b"#define tcp_sk(ptr)\n"}))
    assert answers(folder, old, new) == {new: True}


def test_without_a_listing_only_what_every_host_has_is_known(folder: Path) -> None:
    (folder / "paths.txt").unlink()
    wanted = ("program:bash", "program:libc", "uprobe:libc:malloc", "uprobe:libc:pthread_create", "program:java")
    assert answers(folder, *wanted) == {"program:bash": True, "program:libc": True, "uprobe:libc:malloc": True}


# --- What somebody damaged ----------------------------------------------------------------------------------------


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no uname-r"):
        read_capture(tmp_path)
    (tmp_path / "uname-r").write_text("\x1b[2J\n")
    with pytest.raises(UsageError, match="names no kernel"):
        read_capture(tmp_path)
    (tmp_path / "uname-r").unlink()
    os.mkfifo(tmp_path / "uname-r")
    with pytest.raises(UsageError, match="there is no uname-r"):
        read_capture(tmp_path)


def test_one_file_alone_makes_facts_that_are_unknown_with_reasons(tmp_path: Path) -> None:
    (tmp_path / "uname-r").write_text("6.1")
    facts = read_capture(tmp_path)
    assert facts.tracepoints.unknown
    assert facts.config.unknown
    assert facts.capabilities == frozenset()
    check_export(facts, tmp_path)


@pytest.mark.parametrize("name", ["available_filter_functions.gz", "btf-vmlinux.gz", "config.gz", "kallsyms-names.gz"])
@pytest.mark.parametrize("cut", [True, False])
def test_damage_is_unknown_and_said_to_be_damage(name: str, cut: bool, folder: Path) -> None:
    whole = gzip.compress(os.urandom(1000))
    (folder / name).write_bytes(whole[:200] if cut else whole[:20] + b"\xff" * 40 + whole[60:])
    facts = read_capture(folder)
    reasons = [getattr(facts, field).unknown for field in ("functions", "btf", "config", "symbols")]
    assert [f"{name} is {'cut off' if cut else 'damaged'}" in reason for reason in reasons].count(True) == 1


def test_half_an_archive_of_formats_is_none(folder: Path) -> None:
    whole = (folder / "events-formats.tgz").read_bytes()
    (folder / "events-formats.tgz").write_bytes(whole[: len(whole) // 2])
    assert "events-formats.tgz is cut off" in read_capture(folder).formats.unknown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"cat: /sys/kernel/tracing/available_events: Permission denied\n", "reading"),
        (b"cat: can't open '/sys/kernel/tracing/available_events': No such file or directory\n", "does not exist"),
    ],
)
def test_a_file_that_holds_only_an_error_is_unknown_for_that_reason(text: bytes, words: str, folder: Path) -> None:
    (folder / "tracepoints.txt").write_bytes(text)
    assert words in read_capture(folder).tracepoints.unknown


def test_without_a_list_of_events_their_formats_are_one(folder: Path) -> None:
    (folder / "tracepoints.txt").unlink()
    assert read_capture(folder).tracepoints.value == {"sched:sched_switch"}


def test_a_message_is_told_from_a_text_that_ends_like_one() -> None:
    assert find_failure(b"cut: /proc/modules: No such file or directory\n") == 2
    assert find_failure(b"tcp: udp: sctp\nvfs: read\n") == 0


def test_an_archive_that_unpacks_without_end_is_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.host.capture_files.LARGEST", 1 << 20)
    (folder / "elf.tgz").write_bytes(gzip.compress(bytes(8 << 20)))
    with pytest.raises(Damaged, match="larger than 1 MiB"):
        list(read_members(folder, "elf.tgz"))
    assert answers(folder, "program:/usr/bin/java") == {"program:/usr/bin/java": True}


def test_links_in_an_archive_are_nothing(folder: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("usr/bin/java")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    (folder / "elf.tgz").write_bytes(buffer.getvalue())
    assert list(read_members(folder, "elf.tgz")) == []


def test_names_that_no_kernel_has_are_dropped(folder: Path) -> None:
    (folder / "tracepoints.txt").write_bytes(b"sched:sched_switch\n\x1b[2Jevil:evil\n")
    (folder / "os-release").write_bytes(b"ID=\x1b[31mred\n")
    facts = read_capture(folder)
    assert facts.tracepoints.value == {"sched:sched_switch"}
    assert facts.distribution == ""
    check_export(facts, folder)


@given(
    name=st.sampled_from(sorted((*FILES, "events-formats.gz", "kallsyms.gz"))),
    data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    packed=st.booleans(),
    kept=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_any_bytes_in_any_file_give_facts_or_a_clear_error(
    name: str, data: bytes, packed: bool, kept: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_captures(tmp_path_factory.mktemp("captures") / "x")
    before = FILES.get(name, b"")
    content = (before[: len(before) // 2] + data + before[len(before) // 2 :]) if kept else data
    (folder / name).write_bytes(gzip.compress(content) if packed else content)
    try:
        facts = read_capture(folder)
    except UsageError:
        assert name == "uname-r"
    else:
        check_export(facts, folder)
    answers(folder, "program:java", "uprobe:libc:malloc", "user_header:a.h")
    shutil.rmtree(folder)


def check_export(facts: Facts, folder: Path) -> None:
    """Whatever a capture holds, what is exported of it can be imported."""
    (folder / "exported.json").write_bytes(encode_facts(facts))
    try:
        assert read_facts(folder / "exported.json") == facts
    except ToolkitError as error:
        pytest.fail(error.what)
