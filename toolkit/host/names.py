"""Tens of thousands of names as one value that costs nothing until somebody asks it.

A host has about 55,000 functions in each of two sets. Reading them from the cache as text takes 0.1 ms a set, as a
frozenset 6 ms; `toolkit run` asks for a handful of names, `toolkit --version` for none. The first few are looked up in
the text, at 0.01 ms each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

FEW = 50  # questions after which a frozenset is worth its price


class Names(AbstractSet[str]):
    """An immutable set of names without line ends, kept as one sorted text until it is first asked."""

    __slots__ = ("_members", "_questions", "text")

    def __init__(self, text: str) -> None:
        self.text = text  # one name a line, sorted, no line end after the last
        self._members: frozenset[str] | None = None
        self._questions = 0

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """The set of these names, which must not hold line ends."""
        return cls("\n".join(sorted(set(names))))

    def __contains__(self, name: object) -> bool:
        if self._members is None and self._questions < FEW and isinstance(name, str):
            self._questions += 1
            return self._find(name)
        return name in self._asked()

    def _find(self, name: str) -> bool:
        """Halve the text until the line is found: it is sorted."""
        low, high = 0, len(self.text)  # where a line may begin
        while low < high:
            start = self.text.rfind("\n", low, (low + high) // 2) + 1 or low
            end = self.text.find("\n", start)
            line = self.text[start : end if end >= 0 else None]
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
            self._members = frozenset(self.text.split("\n") if self.text else ())
        return self._members

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]  # what &, | and - give
        return frozenset(it)
