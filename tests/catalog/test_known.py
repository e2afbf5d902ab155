"""known.yaml: the real one is whole, and a mistake in one is named by file, line and key."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from toolkit.answers import DECIDERS
from toolkit.catalog.load import load_curated, load_troubles
from toolkit.errors import SettingsError
from toolkit.model import Status
from toolkit.paths import data_folder

GOOD = """a-cause:
  variants: [bcc/x]
  verdict: blocked
  symptom: it does not compile
  why: a header changed
  link: https://example.com/1
"""


def write(folder: Path, text: str) -> Path:
    (folder / "known.yaml").write_text(text)
    return folder


def test_the_real_ones_are_whole() -> None:
    curated = load_curated(data_folder())
    tools = {name for tool in curated.tools for name in (tool.name, *tool.aliases)}
    assert len(curated.troubles) >= 5
    for one in curated.troubles:
        for pattern in one.variants:
            assert any(fnmatchcase(name, pattern.partition("/")[2]) for name in tools), one.id
        assert all(need.kind in DECIDERS for need in (*one.has, *one.lacks))


def test_a_good_one_is_read(tmp_path: Path) -> None:
    more = "  revisions: '>=0.26,<0.27'\n  when: {has: ['struct_field:slab'], lacks: ['engine:bcc>=0.27', fentry]}\n"
    (one,) = load_troubles(write(tmp_path, GOOD + more))
    assert (one.id, one.status, one.revisions) == ("a-cause", Status.BLOCKED, ">=0.26,<0.27")
    assert [str(need) for need in (*one.has, *one.lacks)] == ["struct_field:slab", "engine:bcc>=0.27", "fentry"]


def test_none_is_needed(tmp_path: Path) -> None:
    assert load_troubles(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "  colour: red\n", r"known.yaml:7: a-cause: .*colour"),
        (GOOD.replace("  why: a header changed\n", ""), r"known.yaml:1: a-cause: .*why"),
        (GOOD.replace("bcc/x", "x"), r"known.yaml:2: a-cause.variants: expected"),
        (GOOD.replace("[bcc/x]", "[]"), r"known.yaml:2: a-cause.variants: expected"),
        (GOOD.replace("blocked", "runs"), r"known.yaml:3: a-cause.verdict: invalid"),
        (GOOD.replace("https:", "http:"), r"known.yaml:6: a-cause.link: expected"),
        (GOOD + "  revisions: older\n", r"known.yaml:7: a-cause.revisions: 'older' is not a range"),
        (GOOD + "  blind: true\n", r"known.yaml:7: a-cause.blind: only what is partial"),
        (GOOD + "  when: {has: ['kernel:6.1']}\n", r"known.yaml:7: a-cause.when: 'kernel:6.1' is not a need"),
        (GOOD + "  when: {has: ['engine:perl>=5']}\n", r"known.yaml:7: a-cause.when: 'engine:perl>=5' names no engine"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_troubles(write(tmp_path, text))
