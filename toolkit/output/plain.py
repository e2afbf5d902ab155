"""Foreign output made safe to show: control characters become signs for them, and a terminal gets only what moves
its cursor, clears, and colours. Pure.

Output that a terminal obeys can do more than look odd: it can set the clipboard, or have the terminal answer as if the
reader had typed.
"""

from __future__ import annotations

import codecs
import re

HARMLESS = re.compile(r"\x1b\[[0-9;]{0,24}[ABCDEFGHJKfm]")  # cursor, clear, colour
BEGUN = re.compile(r"\x1b(?:\[[0-9;]{0,24})?\Z")  # one of these that is cut in two


class _Signs(dict[int, int]):
    """What stands for each character: itself, or a picture or U+FFFD where it does not print. It grows."""

    def __missing__(self, code: int) -> int:
        printable = chr(code).isprintable() or code in (0x09, 0x0A)
        # Unicode has a picture for each of the ASCII controls: U+241B shows ESC.
        picture = 0x2400 + code if code < 0x20 else 0x2421 if code == 0x7F else 0xFFFD
        self[code] = code if printable else picture
        return self[code]


_SIGNS = _Signs()
_MOVING = _Signs({0x0D: 0x0D, 0x08: 0x08})


def show_controls(text: str) -> str:
    """Text of any lines, in which nothing but the ends of lines and tabs is a command."""
    return text.translate(_SIGNS)


class Plain:
    """Bytes in any pieces as text without commands; a character that is cut in two is put together again."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Take more; `final` says that there is no more."""
        text = self._held + self._decoder.decode(data, final)
        self._held = "\r" if text.endswith("\r") and not final else ""
        return show_controls(text.removesuffix(self._held).replace("\r\n", "\n"))


class Screen:
    """Bytes in any pieces as what a terminal may be given: with CR before LF, as a terminal's driver would add it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Take more; `final` says that there is no more."""
        text = self._held + self._decoder.decode(data, final)
        begun = None if final else BEGUN.search(text, max(0, len(text) - 32))
        self._held = begun[0] if begun else ""
        text = text[: len(text) - len(self._held)]
        if not text:
            return ""
        at, parts = 0, []
        for command in HARMLESS.finditer(text):
            parts += [text[at : command.start()].translate(_MOVING), command[0]]
            at = command.end()
        parts.append(text[at:].translate(_MOVING))
        return "".join(parts).replace("\r\n", "\n").replace("\n", "\r\n")
