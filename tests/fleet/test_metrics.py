"""toolkit.prom: what Prometheus reads, written whole, into a folder that may be another user's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

from tests.support.samples import make_variant
from toolkit.config import Settings
from toolkit.errors import StateError
from toolkit.fleet.metrics import format_metrics
from toolkit.fleet.textfile import NAME, choose_folder, write_textfile
from toolkit.model import Judged, Status, Verdict
from toolkit.paths import Paths
from toolkit.snapshot.journal import Attempt, Journal, SourceState
from toolkit.snapshot.layout import Manifest, Receipt, Snapshot

GOOD = Attempt(ended=1795572905.044, seconds=1.25, success=True, snapshot="abc")
BAD = Attempt(ended=1795572999.0, seconds=0.5, success=False, snapshot="abc", problem="no space", notes=("a", "b"))
SNAPSHOT = Snapshot(
    id="abc",
    path="/x",
    manifest=Manifest(shape=1, rules={}, origins=(), entries=()),
    receipt=Receipt(shape=1, id="abc", built=1795572903.416, toolkit="0.1.0", host="h"),
)
SAMPLE = re.compile(r'(toolkit_[a-z_]+)(?:\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"\})? (\d+(?:\.\d{1,3})?)')


def judged(tool: str, source: str, status: Status) -> Judged:
    variant = make_variant(f"bcc/{tool}")
    found = msgspec.structs.replace(variant.found, source=source)
    return Judged(variant=msgspec.structs.replace(variant, found=found), verdict=Verdict(status=status))


def test_every_number_that_a_dashboard_wants_is_there() -> None:
    journal = Journal(
        last=BAD,
        last_success=GOOD,
        sources=(
            SourceState(source="acme", asked=2.0, last_success=None, problem="gone"),
            SourceState(source="bcc", asked=2.0, last_success=2.0),
        ),
    )
    variants = (
        judged("runqlat", "bcc", Status.RUNS),
        judged("biotop", "bcc", Status.BLOCKED),
        judged("runqlat", "packages", Status.BLOCKED),
    )
    text = format_metrics(journal, SNAPSHOT, variants)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "toolkit_sync_last_attempt_timestamp_seconds 1795572999",
        "toolkit_sync_success 0",
        "toolkit_sync_duration_seconds 0.500",
        "toolkit_sync_notes 2",
        "toolkit_sync_last_success_timestamp_seconds 1795572905.044",
        'toolkit_sync_source_success{source="acme"} 0',
        'toolkit_sync_source_success{source="bcc"} 1',
        'toolkit_sync_source_last_success_timestamp_seconds{source="bcc"} 2',
        'toolkit_snapshot_info{id="abc"} 1',
        "toolkit_snapshot_built_timestamp_seconds 1795572903.416",
        'toolkit_tools{verdict="runs"} 1',
        'toolkit_tools{verdict="partial"} 0',
        'toolkit_tools{verdict="blocked"} 1',
        'toolkit_tools{verdict="unknown"} 0',
        'toolkit_variants{source="bcc"} 2',
        'toolkit_variants{source="packages"} 1',
    ]


def test_the_text_is_what_node_exporter_takes() -> None:
    hostile = 'a\\b"c\nd'
    journal = Journal(last=GOOD, sources=(SourceState(source=hostile, asked=1.0, last_success=1.0),))
    text = format_metrics(journal, None, ())
    assert 'toolkit_sync_source_success{source="a\\\\b\\"c\\nd"} 1\n' in text
    described: set[str] = set()
    for line in text.splitlines():
        if line.startswith("#"):
            word, name = line.split()[1:3]
            described.add(f"{word} {name}")
            continue
        found = SAMPLE.fullmatch(line)  # a name, labels, a value, and no timestamp
        assert found, line
        assert {f"HELP {found[1]}", f"TYPE {found[1]}"} <= described
    assert "snapshot" not in text
    assert format_metrics(Journal(), None, ()).count("toolkit_sync") == 0


def test_the_file_is_replaced_whole_and_all_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = os.umask(0o077)
    try:
        write_textfile(folder, "a 1\n")
        write_textfile(folder, "a 2\n")
    finally:
        os.umask(before)
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_text() == "a 2\n"
    assert (folder / NAME).stat().st_mode & 0o777 == 0o644


def test_links_that_the_folders_owner_laid_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / NAME).symlink_to(victim)
    os.link(victim, folder / f".{NAME}.{os.getpid()}")
    write_textfile(folder, "a 1\n")
    assert victim.read_text() == "precious"
    assert not (folder / NAME).is_symlink()
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(StateError, match="it is a link"):
        write_textfile(tmp_path / "link", "a 1\n")


@pytest.mark.parametrize("kind", ["missing", "file", "occupied"])
def test_a_folder_that_cannot_be_used_is_named_with_the_setting(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    if kind == "file":
        folder.touch()
    if kind == "occupied":
        (folder / NAME).mkdir(parents=True)
    with pytest.raises(StateError, match=f"cannot write metrics to {folder}: ") as caught:
        write_textfile(folder, "a 1\n")
    assert "textfile" in caught.value.fix
    assert kind != "occupied" or [path.name for path in folder.iterdir()] == [NAME]


def test_the_setting_decides_else_the_usual_folder_if_it_is_there(tmp_path: Path) -> None:
    usual = Paths(settings=tmp_path, state=tmp_path, textfile=tmp_path)
    absent = Paths(settings=tmp_path, state=tmp_path, textfile=tmp_path / "none")
    assert choose_folder(Settings(), usual) == tmp_path
    assert choose_folder(Settings(), absent) is None
    assert choose_folder(Settings(textfile="/metrics"), usual) == Path("/metrics")
    assert choose_folder(Settings(textfile=""), usual) is None
