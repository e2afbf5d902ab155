"""The tools that ship with this project: every one is there, and in the folder of its category."""

from __future__ import annotations

from toolkit.catalog.load import load_curated
from toolkit.paths import data_folder
from toolkit.sources import inhouse


def test_each_lies_in_the_folder_of_its_category() -> None:
    tools = {tool.name: tool for tool in load_curated(data_folder()).tools}
    found = inhouse.discover(data_folder())
    assert {one.stem for one in found} >= {"runqlat", "execsnoop", "biolatency", "syscount", "tcplife", "opensnoop"}
    assert {one.stem: one.category for one in found} == {one.stem: tools[one.stem].category for one in found}
