"""Foreign output made safe: what is handed on, what becomes a sign, and that pieces may be cut anywhere."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from toolkit.output.plain import HARMLESS, Plain, Screen, show_controls

COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def feed(kind: type[Plain] | type[Screen], pieces: list[bytes]) -> str:
    reader = kind()
    return "".join(reader.feed(piece) for piece in pieces) + reader.feed(b"", final=True)


def test_controls_become_signs_for_them() -> None:
    assert show_controls("a\x1b[2Jb\x00\tc\nd\x7f\x9b\u202e") == "a␛[2Jb␀\tc\nd␡\ufffd\ufffd"


def test_text_keeps_its_lines_and_loses_carriage_returns_before_them() -> None:
    assert feed(Plain, [b"one\r", b"\ntwo\rthree\n"]) == "one\ntwo␍three\n"
    assert feed(Plain, [b"last\r"]) == "last␍"


def test_a_character_that_is_cut_in_two_is_put_together() -> None:
    word = "ä€😀".encode()
    assert feed(Plain, [bytes([byte]) for byte in word]) == "ä€😀"
    assert feed(Screen, [bytes([byte]) for byte in word]) == "ä€😀"
    assert feed(Plain, [b"\xff\xc3"]) == "\ufffd\ufffd"


def test_a_terminal_gets_colours_and_clearing_but_nothing_that_it_answers_or_keeps() -> None:
    assert feed(Screen, [b"\x1b[2J\x1b[1;31mred\x1b[0m\n"]) == "\x1b[2J\x1b[1;31mred\x1b[0m\r\n"
    assert feed(Screen, [b"\x1b]52;c;ZXZpbA==\x07\x1b[6n\x1b[?1000h\x1bc"]) == "␛]52;c;ZXZpbA==␇␛[6n␛[?1000h␛c"
    assert feed(Screen, [b"\x1b", b"[", b"3", b"1", b"m", b"\x1b"]) == "\x1b[31m␛"


@given(st.lists(st.binary(max_size=12)))
def test_no_command_gets_through_however_it_is_cut(pieces: list[bytes]) -> None:
    assert not COMMANDS.search(feed(Plain, pieces))
    left = HARMLESS.sub("", feed(Screen, pieces))
    assert not COMMANDS.search(left.replace("\r", "").replace("\x08", ""))


@given(st.lists(st.sampled_from([b"\x1b", b"[", b"3", b";", b"m", b"J", b"\n", b"\r", b"x"]), max_size=30))
def test_how_it_is_cut_changes_nothing(pieces: list[bytes]) -> None:
    assert feed(Plain, pieces) == feed(Plain, [b"".join(pieces)])
    whole = feed(Screen, [b"".join(pieces)])
    assert feed(Screen, pieces).replace("\r", "") == whole.replace("\r", "")
