"""What tools name outside of the kernel: looked for once, and again when something changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.support.elf import library
from toolkit.host import looked
from toolkit.host.looked import Known, look_up
from toolkit.host.tree import Tree
from toolkit.model import Need, NeedKind

Write = Callable[..., Path]
FOLDER = "/usr/lib/x86_64-linux-gnu"


def need(text: str) -> Need:
    kind, _, name = text.partition(":")
    return Need(kind=NeedKind(kind), name=name)


@pytest.fixture
def host(tmp_path: Path, write: Write) -> Path:
    root = tmp_path / "host"
    write(root, "/usr/bin/java")
    write(root, f"{FOLDER}/libssl.so", "INPUT(libssl.so.3)")
    write(root, f"{FOLDER}/libssl.so.3").write_bytes(library(("SSL_read",), ("openssl:handshake",)))
    (root / "usr/lib/x86_64-linux-gnu/libgone.so.1").symlink_to("libgone.so.1.0")
    write(root, "/usr/include/sys/../linux/types.h")
    write(root, "/usr/include/x86_64-linux-gnu/sys/socket.h")
    write(root, "/usr/lib/python3/dist-packages/elftools/__init__.py")
    write(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    write(root, "/proc/cpuinfo", "vendor_id\t: GenuineIntel\n")
    return root


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("program:java", True),
        ("program:/usr/bin/java", True),
        ("program:ruby", False),
        ("program:libssl", True),
        ("program:ssl", True),
        ("program:libgone", False),
        ("program:/usr/bin/java\0x", False),
        ("uprobe:libssl:SSL_read", True),
        ("uprobe:libssl:SSL_*", True),
        ("uprobe:libssl:SSL_read+4", True),
        ("uprobe:libssl:SSL_write", False),
        (f"uprobe:{FOLDER}/libssl.so.3:SSL_read", True),
        ("uprobe:libnone:SSL_read", False),
        ("uprobe:/usr/include:x", False),
        ("usdt:libssl:openssl:handshake", True),
        ("usdt:libssl:handshake", True),
        ("usdt:libssl:openssl:shake", False),
        ("user_header:linux/types.h", True),
        ("user_header:sys/socket.h", True),
        ("user_header:sys/none.h", False),
        ("python_module:elftools.elf", True),
        ("python_module:numpy", False),
        ("file:/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", True),
        ("file:/no/such/file", False),
        ("platform:GenuineIntel", True),
        ("platform:AuthenticAMD", False),
        ("file:relative", None),
        ("uprobe:", None),
        ("kprobe:vfs_read", None),
    ],
)
def test_each_kind_of_thing_is_found_or_not(text: str, answer: bool | None, host: Path) -> None:
    assert look_up([need(text)], Tree(host)).get(text) is answer


def test_a_pipe_in_place_of_a_program_does_not_hang(host: Path) -> None:
    os.mkfifo(host / "pipe")
    assert look_up([need("uprobe:/pipe:main")], Tree(host)) == {"uprobe:/pipe:main": False}


# --- What is kept -------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "looked.msgpack"


def test_the_second_time_no_file_is_read(host: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [need("uprobe:libssl:SSL_read"), need("program:libnone")]
    first = look_up(wanted, Tree(host), cache)
    monkeypatch.setattr(looked, "_ask_file", None)
    monkeypatch.setattr(looked, "_find_library", None)
    before = cache.stat().st_mtime_ns
    assert look_up(wanted, Tree(host), cache) == first
    assert cache.stat().st_mtime_ns == before


def test_another_file_in_its_place_is_read(host: Path, cache: Path) -> None:
    wanted = [need("uprobe:libssl:SSL_write")]
    assert look_up(wanted, Tree(host), cache) == {"uprobe:libssl:SSL_write": False}
    place = host / "usr/lib/x86_64-linux-gnu/libssl.so.3"
    aside = place.with_name("new")
    aside.write_bytes(library(("SSL_write",)))
    os.replace(aside, place)
    assert look_up(wanted, Tree(host), cache) == {"uprobe:libssl:SSL_write": True}


def test_a_library_that_is_installed_is_found(host: Path, cache: Path, write: Write) -> None:
    wanted = [need("program:libnew")]
    assert look_up(wanted, Tree(host), cache) == {"program:libnew": False}
    write(host, f"{FOLDER}/libnew.so.1")
    assert look_up(wanted, Tree(host), cache) == {"program:libnew": True}


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x91" * 100_000, msgspec.msgpack.encode(Known(edition=1))])
def test_what_is_no_cache_of_ours_is_replaced(content: bytes, host: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_bytes(content)
    assert look_up([need("program:java")], Tree(host), cache) == {"program:java": True}
    look_up([need("program:libssl")], Tree(host), cache)
    assert msgspec.msgpack.decode(cache.read_bytes(), type=Known).libraries == {"libssl": f"{FOLDER}/libssl.so.3"}


def test_a_cache_that_cannot_be_written_is_no_error(host: Path) -> None:
    assert look_up([need("program:libssl")], Tree(host), Path("/proc/no/such")) == {"program:libssl": True}
