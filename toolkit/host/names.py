"""Tens of thousands of names as one value that costs nothing until somebody asks it.

A host has about 55,000 functions in each of two sets, which as a frozenset take 6 ms each to read from the cache;
`toolkit run` asks for a handful of names, `toolkit --version` for none. The first few are looked up in the text, at
0.01 ms each, and where that is a part of a file that is mapped, only what is looked at is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

FEW = 50  # questions after which a frozenset is worth its price


class Names(AbstractSet[str]):
    """An immutable set of names without line ends, kept as one sorted text until it is first asked."""

    __slots__ = ("_data", "_end", "_members", "_questions", "_start")

    def __init__(self, text: str) -> None:
        """Of a name a line, sorted, no line end after the last."""
        self._hold(text.encode(errors="surrogateescape"))

    def _hold(self, data: bytes | mmap, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._start = start
        self._end = len(data) if end is None else end
        self._members: frozenset[str] | None = None
        self._questions = 0

    @classmethod
    def within(cls, data: bytes | mmap, start: int, end: int) -> Names:
        """The set whose text lies between two places of these bytes."""
        names = cls.__new__(cls)
        names._hold(data, start, end)
        return names

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """The set of these names, which must not hold line ends."""
        return cls("\n".join(sorted(set(names))))

    @property
    def text(self) -> str:
        """All names, one a line."""
        return self._data[self._start : self._end].decode(errors="surrogateescape")

    def __contains__(self, name: object) -> bool:
        if self._members is None and self._questions < FEW and isinstance(name, str):
            self._questions += 1
            return self._find(name.encode(errors="replace"))
        return name in self._asked()

    def _find(self, name: bytes) -> bool:
        """Halve the text until the line is found: it is sorted."""
        low, high = self._start, self._end  # where a line may begin
        while low < high:
            start = self._data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = self._data.find(b"\n", start, self._end)
            line = self._data[start : end if end >= 0 else self._end]
            if line == name:
                return True
            if end < 0 and line < name:
                return False
            low, high = (end + 1, high) if line < name else (low, start - 1)
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked())

    def __len__(self) -> int:
        return len(self._asked())

    def __repr__(self) -> str:
        return f"Names({len(self)} names)"

    def _asked(self) -> frozenset[str]:
        if self._members is None:
            text = self.text
            self._members = frozenset(text.split("\n") if text else ())
        return self._members

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]  # what &, | and - give
        return frozenset(it)
