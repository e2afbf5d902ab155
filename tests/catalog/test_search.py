"""Searching: by name, by symptom in a person's own words, by what a document says; the best first."""

from __future__ import annotations

import pytest

from toolkit.catalog.load import load_curated
from toolkit.catalog.search import rank_tools, split_words
from toolkit.model import Tool
from toolkit.paths import data_folder

TOOLS = (
    Tool(name="biolatency", category="disk", summary="Block I/O latency as a histogram", symptoms=("slow disk",)),
    Tool(name="tcpconnect", category="net", summary="Outbound connections", symptoms=("who is connecting",)),
    Tool(name="disksnoop", category="multi", summary="Something else entirely"),
)


def names(words: str, documents: dict[str, str] | None = None) -> list[str]:
    return [hit.tool.name for hit in rank_tools(TOOLS, words, documents or {})]


@pytest.mark.parametrize("words", ["slow disk", "slow disks", "disk is slow", "the slow Disk!"])
def test_a_symptom_is_found_in_whatever_words(words: str) -> None:
    assert names(words) == ["biolatency"]


def test_every_word_has_to_fit() -> None:
    assert names("slow network") == []
    assert names("") == []
    assert names("the of") == []


def test_a_name_means_more_than_a_document() -> None:
    documents = {"tcpconnect": "like biolatency, but for sockets"}
    assert names("biolatency", documents) == ["biolatency", "tcpconnect"]


def test_the_beginning_of_a_word_is_enough() -> None:
    assert names("biolat") == ["biolatency"]
    assert names("disk")[0] in ("biolatency", "disksnoop")


def test_words_meet_in_their_stems() -> None:
    assert split_words("connecting connects connected connection")[:3] == ("connect",) * 3
    assert split_words("queries") == split_words("query")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("slow disk", "biolatency"),
        ("cpu saturation", "runqlat"),
        ("slow dns", "gethostlatency"),
        ("memory leak", "memleak"),
    ],
)
def test_the_real_catalog_answers_what_people_ask(words: str, expected: str) -> None:
    hits = rank_tools(load_curated(data_folder()).tools, words, {})
    assert expected in [hit.tool.name for hit in hits[:4]]
