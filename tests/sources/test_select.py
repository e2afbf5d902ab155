"""Rules of a source against the paths of a repository: what is a tool, what documents it, what it needs beside it."""

from __future__ import annotations

from toolkit.catalog.load import load_sources
from toolkit.model import Engine, Source
from toolkit.paths import data_folder
from toolkit.sources.select import list_folders, select_files

SOURCES = {source.name: source for source in load_sources(data_folder())}
BCC = (
    "README.md",
    "libbpf-tools/runqlat.c",
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
    assert chosen.examples == {"runqlat": "tools/runqlat_example.txt", "ucalls": "tools/lib/ucalls_example.txt"}
    assert chosen.man == {"runqlat": "man/man8/runqlat.8"}
    assert chosen.parts == ("tools/netqtop.c",)
    assert list_folders(SOURCES["bcc"]) == ("man", "tools")


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
