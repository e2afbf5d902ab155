"""The top level of a bpftrace program: comments, preprocessor lines, definitions, config, functions and probes.

The grammar is that of bpftrace's own parser (src/parser.cpp since v0.26, lexer.l and parser.yy before): an attach
point ends at `{`, `,` or white space; a `/` is a path when a `:` came before it and begins a predicate otherwise.
Every character is looked at a bounded number of times, so that reading takes time in proportion to the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class BpftraceSyntaxError(Exception):
    """The text is not a bpftrace program; says where."""


class ItemKind(Enum):
    """What stands at the top level."""

    PREPROCESSOR = "preprocessor"
    DEFINITION = "definition"  # struct, union or enum
    CONFIG = "config"
    IMPORT = "import"
    FUNCTION = "function"
    MACRO = "macro"
    MAP = "map"
    PROBE = "probe"


class TokenKind(Enum):
    """The words of a body that analysis looks at."""

    WORD = "word"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"  # $1, $#
    VARIABLE = "variable"
    MAP = "map"
    SYMBOL = "symbol"


@dataclass(frozen=True)
class Token:
    """One word of a body; a string's text is without quotes and escapes."""

    kind: TokenKind
    text: str


@dataclass(frozen=True)
class Item:
    """One thing at the top level: a line, or a body; for a probe the predicate, the body and its attach points."""

    kind: ItemKind
    text: str
    attach_points: tuple[str, ...] = ()


@dataclass(frozen=True)
class Script:
    """A program: the first comment, its text after the `#!` line's interpreter, and the items in order."""

    comment: str
    shebang: str
    items: tuple[Item, ...]


_LAYOUT = re.compile(r"(?:\s+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)+")
_COMMENT = re.compile(r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_KEYWORD = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r"(?:[^\\\n]|\\.)*", re.DOTALL)
# Everything up to the next character that can change what braces and slashes mean.
_PLAIN = re.compile(r'[^{}()/"]+')
_POINT = re.compile(r'(?:[^\s{,"/]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<unended>"[\s\S]*|/\*[\s\S]*)
      | (?P<number>\d[\w.]*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<parameter>\$(?:\d+|\#))
      | (?P<variable>\$\w+)
      | (?P<map>@\w*)
      | (?P<symbol>->|\+\+|--|[=!<>]=|<<|>>|&&|\|\||\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_DEFINITION = re.compile(r"(?:struct|union|enum)\b[^{};()/]*\{")
_BLOCK_KINDS = {"config": ItemKind.CONFIG, "fn": ItemKind.FUNCTION, "macro": ItemKind.MACRO}


def parse(text: str) -> Script:
    """Read a whole program; raises BpftraceSyntaxError where it cannot be one."""
    shebang = ""
    position = 0
    if text.startswith("#!"):
        shebang = text.partition("\n")[0]
        position = len(shebang)
    items = tuple(_Reader(text, position).items())
    return Script(comment=_first_comment(text, position), shebang=shebang, items=items)


def tokens(body: str) -> tuple[Token, ...]:
    """The words of a body, without comments and white space."""
    found: list[Token] = []
    for match in _TOKEN.finditer(body):
        kind = match.lastgroup or "skip"
        if kind not in ("skip", "unended"):
            word = match.group()
            found.append(Token(TokenKind(kind), _unquoted(word) if kind == "string" else word))
    return tuple(found)


def attach_point_parts(point: str) -> tuple[str, ...]:
    """The colon-separated parts of an attach point; colons in quotes do not separate, quotes and escapes go."""
    parts: list[str] = [""]
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|:|[^":]+', point, re.DOTALL):
        if piece == ":":
            parts.append("")
        else:
            parts[-1] += _unquoted(piece) if piece.startswith('"') else piece
    return tuple(part.strip() for part in parts)


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)


def _first_comment(text: str, position: int) -> str:
    """The header: the first block comment, or the first run of line comments, without its decoration."""
    start = position + len(text[position:]) - len(text[position:].lstrip())
    if text.startswith("/*", start):
        end = text.find("*/", start)
        body = text[start + 2 : end if end >= 0 else len(text)]
        return "\n".join(line.strip().removeprefix("*").strip() for line in body.strip("*").splitlines())
    lines: list[str] = []
    for line in text[start:].splitlines():
        if not line.lstrip().startswith("//"):
            break
        lines.append(line.strip().lstrip("/").strip())
    return "\n".join(lines)


class _Reader:
    """A position in the text, moving forward only."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def items(self) -> list[Item]:
        found: list[Item] = []
        while True:
            self._skip_layout()
            if self.position >= len(self.text):
                return found
            found.append(self._item())

    def _item(self) -> Item:
        if self.text[self.position] == "#":
            return Item(ItemKind.PREPROCESSOR, self._take(_LINE))
        if _DEFINITION.match(self.text, self.position):
            return self._definition()
        word = self._peek_word()
        if word in ("import", "let"):
            return self._statement(ItemKind.IMPORT if word == "import" else ItemKind.MAP)
        if word in _BLOCK_KINDS and not self.text.startswith(":", self.position + len(word)):
            start = self.position
            self._skip_until("{")
            return Item(_BLOCK_KINDS[word], self.text[start : self.position] + "{" + self._block() + "}")
        return self._probe()

    def _definition(self) -> Item:
        start = self.position
        self._skip_until("{")
        self._block()
        end = self.position
        # Attributes and the semicolon after the closing brace.
        self.position = _match_end(re.compile(r"[\s\w(),]*;|(?:\s*__attribute__\s*\(\([^)]*\)+)*"), self.text, end)
        return Item(ItemKind.DEFINITION, self.text[start:end])

    def _statement(self, kind: ItemKind) -> Item:
        start = self.position
        while self.position < len(self.text) and self.text[self.position] not in ";\n":
            if self.text[self.position] == '"':
                self._step('"')
            else:
                self.position += 1
        text = self.text[start : self.position]
        self.position += 1
        return Item(kind, text)

    def _probe(self) -> Item:
        points = [self._attach_point()]
        self._skip_layout()
        while self.text.startswith(",", self.position):
            self.position += 1
            self._skip_layout()
            if self.text[self.position : self.position + 1] not in ("{", "/"):  # a trailing comma is allowed
                points.append(self._attach_point())
                self._skip_layout()
        start = self.position
        if self.text.startswith("/", self.position):
            self._skip_predicate()
        predicate = self.text[start : self.position]
        return Item(ItemKind.PROBE, predicate + "\n" + self._block(), tuple(points))

    def _attach_point(self) -> str:
        start = self.position
        while self.position < len(self.text):
            self.position = _match_end(_POINT, self.text, self.position) or self.position
            if not self.text.startswith("/", self.position) or self.text.find(":", start, self.position) < 0:
                break
            self.position += 1
        if self.position == start:
            raise self._error("an attach point was expected")
        return self.text[start : self.position]

    def _skip_predicate(self) -> None:
        """To the `{` that follows the closing slash; a division's slash is followed by something else."""
        if self.text.startswith("/*", self.position):
            raise self._error("a comment does not end")
        self.position += 1
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == "/" and not _COMMENT.match(self.text, self.position):
                self.position += 1
                self._skip_layout()
                if self.text.startswith("{", self.position):
                    return
                continue
            self._step(character)
        raise self._error("a predicate does not end")

    def _block(self) -> str:
        """The text between the braces that begin here."""
        if not self.text.startswith("{", self.position):
            raise self._error("a block was expected")
        start = self.position + 1
        depth = 0
        while self.position < len(self.text):
            character = self.text[self.position]
            depth += (character == "{") - (character == "}")
            self._step(character)
            if depth == 0:
                return self.text[start : self.position - 1]
        raise self._error("a block does not end")

    def _step(self, character: str) -> None:
        """Past a comment, a string, plain text or one character."""
        if character == "/":
            end = _match_end(_COMMENT, self.text, self.position)
        elif character == '"':
            end = _match_end(_STRING, self.text, self.position)
        else:
            end = _match_end(_PLAIN, self.text, self.position)
        # To go on after what does not end would mean to look for its end again and again.
        if not end and (character == '"' or self.text.startswith("/*", self.position)):
            raise self._error("a string or comment does not end")
        self.position = end or self.position + 1

    def _skip_until(self, wanted: str) -> None:
        while self.position < len(self.text) and self.text[self.position] != wanted:
            self._step(self.text[self.position])

    def _skip_layout(self) -> None:
        self.position = _match_end(_LAYOUT, self.text, self.position) or self.position

    def _peek_word(self) -> str:
        match = _KEYWORD.match(self.text, self.position)
        return match.group() if match else ""

    def _take(self, pattern: re.Pattern[str]) -> str:
        start = self.position
        self.position = max(_match_end(pattern, self.text, start), start + 1)
        return self.text[start : self.position]

    def _error(self, what: str) -> BpftraceSyntaxError:
        line = self.text.count("\n", 0, self.position) + 1
        return BpftraceSyntaxError(f"line {line}: {what}")


def _match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a match that begins at this position ends; 0 when there is none."""
    match = pattern.match(text, position)
    return match.end() if match else 0
