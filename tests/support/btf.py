"""BTF made by hand: types as their words, and the strings that they name."""

from __future__ import annotations

import struct

from toolkit.host.btf import HEADER

INT, PTR, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, CONST, FUNC, FUNC_PROTO, ENUM64 = 1, 2, 3, 4, 5, 6, 8, 10, 12, 13, 19


def kind(which: int, members: int = 0) -> int:
    """The second word of a type."""
    return which << 24 | members


def make_btf(types: tuple[tuple[int, ...], ...], strings: bytes) -> bytes:
    """BTF of types given as their words."""
    section = b"".join(struct.pack(f"={len(words)}I", *words) for words in types)
    header = HEADER.pack(0xEB9F, 1, 0, HEADER.size, 0, len(section), len(section), len(strings))
    return header + section + strings


class Strings:
    """A string section that grows; offsets go on from those of a base."""

    def __init__(self, base: bytes = b"") -> None:
        self.base = len(base)
        self.data = b"\0"

    def __call__(self, text: str) -> int:
        """The offset of a string."""
        at = self.base + len(self.data)
        self.data += text.encode() + b"\0"
        return at
