"""What a snapshot offers as found files, and what it knows of programs that a distribution compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.model import Engine, Found, Source
from toolkit.snapshot.found import discover_snapshot, document_packages
from toolkit.snapshot.layout import SHAPE, Entry, Manifest, Origin, Receipt, Role, Snapshot

REVISIONS = ("v0.25.0", "v0.26.0", "v0.31.0")
FILES = (
    ("libbpf-tools/fsslower.bpf.c", Role.TEXT, "fsslower"),
    ("libbpf-tools/fsslower.c", Role.TEXT, "fsslower"),
    ("libbpf-tools/runqlat.bpf.c", Role.TEXT, "runqlat"),
    ("libbpf-tools/runqlat.c", Role.TEXT, "runqlat"),
    ("libbpf-tools/runqlat_example.txt", Role.EXAMPLE, "runqlat"),
    ("libbpf-tools/trace_helpers.h", Role.PART, ""),
    ("man/man8/ext4slower.8", Role.MAN, "ext4slower"),
    ("man/man8/runqlat.8", Role.MAN, "runqlat"),
    ("tools/runqlat.py", Role.TOOL, "runqlat"),
    ("tools/runqlat_example.txt", Role.EXAMPLE, "runqlat"),
)
BCC = Source(name="bcc", summary="Upstream", tags="v", compiled={"libbpf-tools": ("libbpf-tools/{}.bpf.c",)})


def make_entry(revision: str, path: str, role: Role, stem: str) -> Entry:
    return Entry(
        source="bcc",
        revision=revision,
        path=path,
        role=role,
        stem=stem,
        engine=Engine.BCC if role is Role.TOOL else None,
        category="",
        made_for="",
        executable=False,
        size=0,
        sha256="",
    )


@pytest.fixture
def snapshot() -> Snapshot:
    origins = tuple(Origin(source="bcc", revision=revision, commit="a" * 40) for revision in REVISIONS)
    entries = tuple(make_entry(revision, *file) for revision in REVISIONS for file in FILES)
    manifest = Manifest(shape=SHAPE, rules={}, origins=origins, entries=entries)
    receipt = Receipt(shape=SHAPE, id="1", built=0.0, toolkit="", host="")
    return Snapshot(id="1", path="/s/1", manifest=manifest, receipt=receipt)


def compiled(stem: str, revision: str, path: str = "/usr/sbin/x") -> Found:
    return Found(
        upstream="libbpf-tools", source="packages", stem=stem, engine=Engine.NATIVE, path=path, revision=revision
    )


def test_each_tool_has_the_example_that_lies_beside_it(snapshot: Snapshot) -> None:
    found = discover_snapshot(snapshot)
    assert [one.revision for one in found] == list(REVISIONS)
    assert found[0].example == "/s/1/files/bcc/v0.25.0/tools/runqlat_example.txt"
    assert found[0].man == "/s/1/files/bcc/v0.25.0/man/man8/runqlat.8"
    assert found[0].texts == {}


@pytest.mark.parametrize(
    ("package", "release"),
    [("0.26.0+ds-1", "v0.26.0"), ("0.28.0-2", "v0.26.0"), ("0.31.0", "v0.31.0"), ("0.1", "v0.31.0"), ("", "v0.31.0")],
)
def test_a_compiled_program_has_the_text_of_its_packages_release(
    snapshot: Snapshot, package: str, release: str
) -> None:
    (one,) = document_packages((compiled("runqlat", package),), snapshot, (BCC,))
    folder = f"/s/1/files/bcc/{release}"
    assert one.texts == {
        release: (f"{folder}/libbpf-tools/runqlat.bpf.c", f"{folder}/libbpf-tools/runqlat.c"),
    }
    assert one.example == f"{folder}/libbpf-tools/runqlat_example.txt"
    assert one.man == f"{folder}/man/man8/runqlat.8"


def test_a_program_under_another_name_has_its_own_page_and_the_text_of_what_it_is(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "bpf-fsslower").write_text("ELF")
    (tmp_path / "bpf-ext4slower").symlink_to("bpf-fsslower")
    mine = compiled("ext4slower", "0.26.0", str(tmp_path / "bpf-ext4slower"))
    (one,) = document_packages((mine,), snapshot, (BCC,))
    assert [Path(text).name for text in one.texts["v0.26.0"]] == ["fsslower.bpf.c", "fsslower.c"]
    assert Path(one.man).name == "ext4slower.8"


def test_what_a_package_brought_itself_stays_and_others_are_left_alone(snapshot: Snapshot) -> None:
    own = Found(upstream="libbpf-tools", source="packages", stem="runqlat", engine=Engine.NATIVE, path="/x", man="/m")
    python = Found(upstream="bcc", source="packages", stem="runqlat", engine=Engine.BCC, path="/y", revision="0.26.0")
    found = document_packages((own, python, compiled("other", "0.26.0")), snapshot, (BCC,))
    assert found[0].man == "/m"
    assert found[1] == python
    assert found[2] == compiled("other", "0.26.0")
