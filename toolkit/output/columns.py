"""Headers, and the cells of rows below them.

A header is `strong` where its words alone tell (`PID COMM LAT(ms)`), and weak where only the row below it does, by
numbers that stand in line with words. A row whose words are as many as the columns is split at the spaces. One whose
words are more or fewer (a process named "Web Content", an empty last cell) is held against the header, by where its
words begin or end: tools pad cells to the left or to the right.
"""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from toolkit.output.units import read_column_units

LONGEST_HEADER = 512  # characters
MOST_COLUMNS = 64
HEADER_WORD = re.compile(r"\[[^\]\[]{0,20}[)\]](?!\S)|# \S+|[^\s(]+ \(\w{1,8}\)(?!\S)|\S+")
STRONG = re.compile(
    r"[A-Z%#*<(\[][A-Z0-9_%#/:.*<>=+-]*(?:[_/][A-Za-z]{1,6}|(?<=[A-Z]{2})s)?(?: ?\([\w/%]{1,12}\))?|# [A-Z]+|->|>|-",
    re.ASCII,
)
WEAK = re.compile(r"[A-Za-z%#(\[<@][^\s,;=|]*(?: \(\w+\))?|# \S+|\[[^\]]*[)\]]|\d[\d.]*|->|>|-", re.ASCII)
NUMBER = re.compile(r"[-+]?[<~>]?(?:0x[0-9a-fA-F]+|\d[\d.,:]*)(?:[a-zA-Z]{1,5}|%)?|-+|\?+|N/A|nan")
SEPARATORS = frozenset({"->", ">", "|", "<->", "=>"})
SIGNS = (">", "|")  # that separators are made of
# Columns that hold a number in every tool.
NUMERIC = frozenset({"PID", "TID", "PPID", "UID", "CPU", "FD", "ERR", "COUNT", "LPORT", "RPORT", "DPORT", "SPORT"})
ARROWS = ("->", "<-", "<", ">")  # a call that is printed deeper is made deeper


class Span(NamedTuple):
    """A word and where it stands."""

    start: int
    end: int
    text: str


def find_words(text: str) -> tuple[Span, ...]:
    """The words of a row."""
    words: list[Span] = []
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        words.append(Span(start, end, word))
    return tuple(words)


def find_names(header: str) -> tuple[Span, ...]:
    """The names of columns in a header."""
    return tuple(Span(*found.span(), found[0]) for found in HEADER_WORD.finditer(header))


def find_cells(text: str, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The words of a row, without the arrows between cells where these make it more than the header has."""
    words = find_words(text)
    if len(words) <= len(spans) or not any(sign in text for sign in SIGNS):
        return words
    bare = tuple(word for word in words if word.text not in SEPARATORS or word.start >= spans[-1].start)
    return bare if len(bare) == len(spans) else words


def is_strong(text: str) -> bool:
    """Whether a line is a header by its words alone."""
    if len(text) > LONGEST_HEADER or not text[:LONGEST_HEADER].isascii():
        return False
    words = find_names(text)
    if not 2 <= len(words) <= MOST_COLUMNS or not all(STRONG.fullmatch(word.text) for word in words):
        return False
    return words[0].text not in SEPARATORS and sum(len(word.text) > 1 and word.text[:1].isalpha() for word in words) > 0


def is_weak(text: str) -> bool:
    """Whether a line may be a header, if the row below it says so."""
    text = text.rstrip()
    if len(text) > LONGEST_HEADER or text.endswith((".", ":", "!", "?")):
        return False
    words = find_names(text)
    if not 2 <= len(words) <= MOST_COLUMNS or words[0].text[:1].isdigit():
        return False
    return all(WEAK.fullmatch(word.text) for word in words)


def join_header(header: str, row: str) -> tuple[Span, ...] | None:
    """The columns of a weak header, which the row below it shows; None if it is no header of that row."""
    words = find_names(header)
    cells = find_cells(row, words)
    if len(words) < len(cells):
        starts = {cell.start: cell.text for cell in cells}
        told = [_is_number(starts[word.start]) for word in words if word.start in starts and not _is_number(word.text)]
        return words if len(told) == len(words) and any(told) else None
    if len(words) != len(cells):
        words = _merge(words, cells, by_end=True) or _merge(words, cells, by_end=False)
    if not 2 <= len(words) == len(cells):
        return None
    aligned = sum(map(_in_line, words, cells))
    numbers = sum(_is_number(word.text) for word in words)
    if numbers:  # percentiles, above times with their units
        bare = any(cell.text.isdigit() for cell in cells)
        return words if aligned == len(words) == numbers + 1 > 2 and not bare else None
    numeric = sum(_is_number(cell.text) for cell in cells)
    enough = len(words) if numeric * 2 > len(words) > 3 else len(words) * 1.5
    return words if numeric and aligned * 2 >= enough else None


def _touches(word: Span, column: Span) -> bool:
    return word.start == column.start or word.end == column.end


def _in_line(word: Span, cell: Span) -> bool:
    """Whether a cell begins or ends where the word above it does, or stands below its middle."""
    return _touches(word, cell) or (word.start < cell.start and cell.end < word.end)


def _merge(words: tuple[Span, ...], cells: tuple[Span, ...], *, by_end: bool) -> tuple[Span, ...]:
    """Columns whose names are several words, one space apart: "Max spin" above a number that ends where it does."""
    if len(words) < len(cells):
        return ()
    edges = {cell.end if by_end else cell.start for cell in cells}
    groups: list[list[Span]] = [[]]
    for word in words:
        if not by_end and word.start in edges and groups[-1]:
            groups.append([])
        groups[-1].append(word)
        if by_end and word.end in edges:
            groups.append([])
    groups = [group for group in groups if group]
    if any(after.start - before.end > 1 for group in groups for before, after in itertools.pairwise(group)):
        return ()
    return tuple(Span(group[0].start, group[-1].end, " ".join(word.text for word in group)) for group in groups)


def _is_number(text: str) -> bool:
    return text.isdecimal() or NUMBER.fullmatch(text) is not None


class Columns:
    """The columns of a table, and which of them hold numbers as its first row shows."""

    def __init__(self, spans: tuple[Span, ...], row: str) -> None:
        self._spans = spans
        self._starts = {span.start: at for at, span in enumerate(spans)}
        self._ends = {span.end: at for at, span in enumerate(spans)}
        self.width = len(spans)
        words = find_cells(row, spans)
        even = len(words) == len(spans)
        cells = tuple(word.text for word in words) if even else self._align(row, words)
        self._dropped = frozenset(
            at for at, span in enumerate(spans[:-1]) if span.text in SEPARATORS and cells[at] == span.text
        )
        self.names = self._drop(tuple(span.text for span in spans))
        self.units = read_column_units(self.names)
        known = [at for at, span in enumerate(spans) if span.text in NUMERIC]
        seen = [at for at in range(len(spans)) if cells[at][-1:].isalnum() and _is_number(cells[at])]
        self._numeric = tuple(sorted({*known, *seen}))
        wide = set(range(len(spans) - 1)) - set(self._numeric)
        # The only cell before the last that is no number.
        self._wide = wide.pop() if len(wide) == 1 and self._numeric else None
        self.key = (known or seen or [-1])[0]
        self.plain = not self._dropped

    def fits(self, text: str) -> bool:
        """Whether a line that stands away from its header is a row of it: every number is in place."""
        cells = text.split(None, self.width - 1)
        if not self._numeric or len(cells) < self.width:
            return False
        row = self.read(text) if all(_is_number(cells[at]) for at in self._numeric) else None
        return row is not None and all(row)

    def read(self, text: str) -> tuple[str, ...] | None:
        """The cells of a row, None if it is none."""
        long = self._read_long(text, text.split())
        if long is not None:
            return long
        words = find_cells(text, self._spans)
        if not words or (len(words) == 1 and self.width > 2):
            return None
        cells = tuple(word.text for word in words)
        if len(cells) == self.width and self._is_plausible(cells, least=1):
            return self._drop(cells)
        aligned = self._align(text, words)
        touched = {self._starts.get(word.start) for word in words} | {self._ends.get(word.end) for word in words}
        exact = len(touched - {None}) == self.width
        if exact and all(aligned) and self._is_plausible(aligned, least=len(self._numeric)):
            return self._drop(aligned)
        if len(cells) > self.width and self._numeric and self._numeric[-1] < self.width - 1:
            split = tuple(text.split(None, self.width - 1))
            if self._is_plausible(split, least=len(self._numeric)):
                return self._drop((*split[:-1], self._read_last(text, split[-1])))
        return self._drop(aligned) if self._is_plausible(aligned, least=1) else None

    def _read_long(self, text: str, words: list[str]) -> tuple[str, ...] | None:
        """A row of more words than cells where only one of them can hold several, told by str.split alone.

        That is the last one, as command lines and paths make it, or the only one that is no number, a process's name.
        """
        if len(words) <= self.width:
            return None
        if not SEPARATORS.isdisjoint(words) and len(find_cells(text, self._spans)) <= self.width:
            return None
        last = self._spans[-1]
        if self._numeric and self._numeric[-1] < self.width - 1:
            split = tuple(text.split(None, self.width - 1))
            if text.startswith(split[-1], last.start) and self._is_plausible(split, least=len(self._numeric)):
                return self._drop((*split[:-1], split[-1].rstrip()))
        if self._wide is None or not SEPARATORS.isdisjoint(words):
            return None
        right = self._numeric[-1] == self.width - 1 and len(text.rstrip()) == last.end
        if not (right or text.startswith(words[-1], last.start)):
            return None
        end = self._wide + 1 + len(words) - self.width
        name = " ".join(words[self._wide : end])
        cells = (*words[: self._wide], name, *words[end:])
        start = self._spans[self._wide].start
        placed = text.startswith(name, start) and start + len(name) < self._spans[self._wide + 1].start
        return self._drop(cells) if placed and all(_is_number(cells[at]) for at in self._numeric) else None

    def _is_plausible(self, cells: tuple[str, ...], least: int) -> bool:
        """Whether most of the numbers are where the first row has them; without any, a row needs every cell."""
        if not self._numeric:
            return all(cells)
        filled = [cells[at] for at in self._numeric if cells[at]]
        right = sum(_is_number(cell) for cell in filled)
        return right >= least and right * 2 > len(filled) - (len(filled) > 1)

    def _read_last(self, text: str, cell: str) -> str:
        start = self._spans[-1].start
        inside = text[start:].rstrip()
        return inside if cell.startswith(ARROWS) and inside.strip() == cell.strip() else cell.rstrip()

    def _align(self, text: str, words: tuple[Span, ...]) -> tuple[str, ...]:
        """Each word to the column that it begins or ends with, one space apart to the word before it, else the next."""
        cells = [""] * self.width
        column, start, end = -1, 0, -2
        for word in words:
            found = self._find_column(word, column, glued=word.start - end == 1)
            if found != column:
                column, start = found, word.start
            end = word.end
            cells[column] = text[start:end]
        if column == self.width - 1:
            cells[column] = self._read_last(text, cells[column])
        return tuple(cells)

    def _find_column(self, word: Span, column: int, *, glued: bool) -> int:
        begun, ended = self._starts.get(word.start, -1), self._ends.get(word.end, -1)
        at = min(begun, ended) if begun > column < ended else max(begun, ended)
        if at > column:
            return at if not glued or at == column + 1 else column
        if column == self.width - 1 or (glued and column >= 0):
            return column
        overlapping = (
            at
            for at in range(column + 1, self.width)
            if word.start < self._spans[at].end and word.end > self._spans[at].start
        )
        return next(overlapping, column + 1)

    def _drop(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        if not self._dropped:
            return cells
        return tuple(cell for at, cell in enumerate(cells) if at not in self._dropped)
