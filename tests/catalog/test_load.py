"""The curated catalog: the real one is whole, and a mistake in one is named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.catalog.load import load_curated
from toolkit.errors import SettingsError
from toolkit.model import Risk
from toolkit.paths import data_folder
from toolkit.sources.registry import PACKAGES

CATEGORIES = "cpu:\n  summary: The processors\ndisk:\n  summary: The disks\n"
GOOD = "runqlat:\n  summary: Time tasks wait for a processor\n  symptoms: [slow]\n"


def write_catalog(folder: Path, tools: str, file: str = "cpu.yaml") -> Path:
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "categories.yaml").write_text(CATEGORIES)
    (folder / "sources.yaml").write_text("packages:\n  summary: What is installed\n")
    (folder / "tools" / file).write_text(tools)
    return folder


def test_the_real_catalog_is_whole() -> None:
    curated = load_curated(data_folder())
    names = {tool.name for tool in curated.tools}
    assert " ".join(category.name for category in curated.categories) == (
        "cpu mem disk fs net lang app kernel hyper container security multi"
    )
    assert len(names) >= 209
    assert {"runqlat", "biolatency", "ext4slower", "tcplife", "javagc", "xenhyper", "pidnss", "ttysnoop"} <= names
    assert all(tool.symptoms and tool.summary for tool in curated.tools)


@pytest.mark.packages
def test_every_tool_that_the_distribution_packs_is_in_the_catalog() -> None:
    known = {name for tool in load_curated(data_folder()).tools for name in (tool.name, *tool.aliases)}
    found = PACKAGES.discover(Path("/"))
    assert len(found) > 100
    assert {f"{one.upstream}/{one.stem}" for one in found if one.stem not in known} == set()


def test_tools_that_show_what_people_type_are_sensitive() -> None:
    tools = {tool.name: tool for tool in load_curated(data_folder()).tools}
    for name in ("sslsniff", "ttysnoop", "bashreadline"):
        assert Risk.SENSITIVE in tools[name].risk
    assert Risk.DESTRUCTIVE in tools["inject"].risk
    assert tools["runqlat"].category == "cpu"


def test_a_good_catalog_is_read(tmp_path: Path) -> None:
    curated = load_curated(write_catalog(tmp_path, GOOD))
    assert [(tool.name, tool.category) for tool in curated.tools] == [("runqlat", "cpu")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runqlat:\n  symptoms: [slow]\n", r"cpu.yaml:1: runqlat: .*summary"),
        (GOOD + "  colour: red\n", r"cpu.yaml:4: runqlat: .*colour"),
        (GOOD.replace("Time tasks wait for a processor", "x" * 60), r"cpu.yaml:2: runqlat.summary: .*length"),
        (GOOD.replace("processor", "processor."), r"cpu.yaml:2: runqlat.summary: .*full stop"),
        (GOOD + "  risk: [dangerous]\n", r"cpu.yaml:4: runqlat.risk: .*dangerous"),
        (GOOD + "  also: [cpus]\n", r"cpu.yaml:4: runqlat.also: 'cpus' is not another category"),
        (
            GOOD + GOOD.replace("runqlat", "runqlen") + "  aliases: [runqlat]\n",
            r"cpu.yaml:4: runqlen: 'runqlat' is al",
        ),
        (GOOD + "  instead: [runqlen]\n", r"cpu.yaml:4: runqlat.instead: 'runqlen' is not another tool"),
        (GOOD + "  instead: [runqlat]\n", r"cpu.yaml:4: runqlat.instead: 'runqlat' is not another tool"),
        (GOOD.replace("runqlat", "../etc"), r"cpu.yaml:1: ../etc: .*not a name"),
        (GOOD + GOOD, r"cpu.yaml:4: runqlat: stands here twice"),
        (GOOD.replace("[slow]", "slow"), r"cpu.yaml:3: runqlat.symptoms: expected"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_curated(write_catalog(tmp_path, text))


def test_a_file_that_is_no_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"disks.yaml:1: disks is not a category"):
        load_curated(write_catalog(tmp_path, GOOD, "disks.yaml"))
