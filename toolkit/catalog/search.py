"""Find tools by what they do or help with: names, summaries, symptoms, and the text of their documents. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from toolkit.model import Tool, Value

# Where a word is found says how much it means. A document mentions many things, a name means one.
WEIGHTS = {"name": 12.0, "alias": 8.0, "symptom": 6.0, "summary": 4.0, "category": 2.0, "document": 1.0}
# A word that only begins another ("disk" in "disks") counts less than the word itself.
BEGINNING = 0.6
ENDINGS = ("ings", "ing", "ies", "es", "ed", "s", "e", "y")
WORD = re.compile(r"[a-z0-9_]+")
SILENT = frozenset(
    {"a", "an", "and", "by", "for", "in", "is", "my", "of", "on", "or", "the", "to", "what", "which", "who", "why"}
)


class Hit(Value, frozen=True):
    """A tool that fits, and how well; `found` says where."""

    tool: Tool
    score: float
    found: tuple[str, ...]


def split_words(text: str) -> tuple[str, ...]:
    """The words of a text, without those that say nothing, each cut to its stem."""
    return tuple(_cut(word) for word in WORD.findall(text.lower()) if word not in SILENT)


def rank_tools(tools: Iterable[Tool], words: str, documents: dict[str, str]) -> tuple[Hit, ...]:
    """The tools that every word speaks of, best first; `documents` holds the text of a tool's documents by its name."""
    wanted = split_words(words)
    hits = (_weigh(tool, wanted, documents.get(tool.name, "")) for tool in tools) if wanted else ()
    return tuple(sorted((hit for hit in hits if hit), key=lambda hit: (-hit.score, hit.tool.name)))


def _weigh(tool: Tool, wanted: tuple[str, ...], document: str) -> Hit | None:
    places = {
        "name": split_words(tool.name),
        "alias": split_words(" ".join(tool.aliases)),
        "symptom": split_words(" ".join(tool.symptoms)),
        "summary": split_words(tool.summary),
        "category": (tool.category, *tool.also),
        "document": frozenset(split_words(document)) if document else (),
    }
    score = 0.0
    found: dict[str, None] = {}
    for word in wanted:
        best, where = max((_fit(word, words) * WEIGHTS[place], place) for place, words in places.items())
        if not best:
            return None
        score += best
        found[where] = None
    return Hit(tool=tool, score=score, found=tuple(found))


def _fit(word: str, words: Iterable[str]) -> float:
    if word in words:
        return 1.0
    if len(word) < 3:
        return 0.0
    return BEGINNING if any(other.startswith(word) for other in words) else 0.0


def _cut(word: str) -> str:
    """The stem of an English word, crudely: the same for connect, connects, connected and connecting."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word
