"""Rules of a source against the paths of a repository: what is a tool, what documents it, what it needs beside it."""

from __future__ import annotations

from toolkit.catalog.load import load_sources
from toolkit.model import Engine, Source
from toolkit.paths import data_folder
from toolkit.sources.select import list_folders, select_files

SOURCES = {source.name: source for source in load_sources(data_folder())}
BCC = (
    "README.md",
    "libbpf-tools/Makefile",
    "libbpf-tools/fsslower.bpf.c",
    "libbpf-tools/fsslower.c",
    "libbpf-tools/runqlat.bpf.c",
    "libbpf-tools/runqlat.c",
    "libbpf-tools/runqlat.h",
    "libbpf-tools/runqlat_example.txt",
    "libbpf-tools/trace_helpers.c",
    "libbpf-tools/vfsstat.bpf.c",
    "libbpf-tools/vfsstat.h",
    "libbpf-tools/vmlinux.h",
    "libbpf-tools/vmlinux_505.h",
    "libbpf-tools/x86/vmlinux.h",
    "libbpf-tools/x86/runqlat.bpf.c",
    "man/man8/fsslower.8",
    "man/man8/runqlat.8",
    "tools/javacalls.sh",
    "tools/lib/ucalls.py",
    "tools/lib/ucalls_example.txt",
    "tools/netqtop.c",
    "tools/old/runqlat.py",
    "tools/runqlat.py",
    "tools/runqlat_example.txt",
    "tools/tcplife.lua",
)


def test_bcc_has_tools_examples_manual_pages_and_parts() -> None:
    chosen = select_files(SOURCES["bcc"], BCC)
    assert {tool.stem: tool.engine for tool in chosen.tools} == {
        "javacalls": Engine.SHELL,
        "runqlat": Engine.BCC,
        "ucalls": Engine.BCC,
    }
    assert chosen.examples == {
        "libbpf-tools/runqlat_example.txt": "runqlat",
        "tools/lib/ucalls_example.txt": "ucalls",
        "tools/runqlat_example.txt": "runqlat",
    }
    assert chosen.man == {"man/man8/fsslower.8": "fsslower", "man/man8/runqlat.8": "runqlat"}
    assert chosen.parts == ("libbpf-tools/trace_helpers.c", "tools/netqtop.c")
    assert list_folders(SOURCES["bcc"]) == ("libbpf-tools", "man", "tools")


def test_the_c_text_of_compiled_programs_is_taken_but_for_the_kernels_types() -> None:
    chosen = select_files(SOURCES["bcc"], BCC)
    assert chosen.texts == {
        "libbpf-tools/fsslower.bpf.c": "fsslower",
        "libbpf-tools/fsslower.c": "fsslower",
        "libbpf-tools/runqlat.bpf.c": "runqlat",
        "libbpf-tools/runqlat.c": "runqlat",
        "libbpf-tools/runqlat.h": "runqlat",
        "libbpf-tools/vfsstat.bpf.c": "vfsstat",
        "libbpf-tools/vfsstat.h": "vfsstat",
    }
    taken = [path for path in chosen.paths if path.startswith("libbpf-tools/")]
    assert taken == sorted([*chosen.texts, "libbpf-tools/runqlat_example.txt", "libbpf-tools/trace_helpers.c"])
    assert "fsslower" not in [tool.stem for tool in chosen.tools]


def test_tools_for_old_kernels_do_not_hide_the_new_ones() -> None:
    paths = [tool.path for tool in select_files(SOURCES["bcc"], BCC).tools]
    assert "tools/old/runqlat.py" not in paths


def test_what_the_book_updated_wins_over_its_originals() -> None:
    paths = ("originals/Ch10_Networking/tcplife.bt", "updated/Ch10_Networking/tcplife.bt", "originals/Ch06_CPUs/x.bt")
    chosen = select_files(SOURCES["book"], paths)
    assert [(tool.path, tool.category) for tool in chosen.tools] == [
        ("updated/Ch10_Networking/tcplife.bt", "net"),
        ("originals/Ch06_CPUs/x.bt", "cpu"),
    ]


def test_a_companys_repository_needs_no_rules() -> None:
    own = Source(name="acme", summary="Ours", url="https://git.acme.example/tools.git")
    chosen = select_files(own, ("disk/slowio.bt", "net/who.py", "README.md", "disk/.hidden.bt", "disk/-rf.bt"))
    assert [(tool.stem, tool.category, tool.engine) for tool in chosen.tools] == [
        ("slowio", "disk", Engine.BPFTRACE),
        ("who", "net", Engine.BCC),
    ]
