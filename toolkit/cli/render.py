"""How results look on a terminal, in a pipe and as JSON. Colour is restraint: it marks verdicts, nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

import click

from toolkit.errors import StateError
from toolkit.model import Status, Verdict

SHAPE = 1  # of every --json document; docs/json.md says what is in them
LONGEST_SENTENCE = 1000  # characters: what is longer tells of a name or an argument that nobody meant
COPIED = ("command", "file", "folder", "sha256")

COLOURS = {Status.RUNS: "green", Status.PARTIAL: "yellow", Status.UNKNOWN: "yellow", Status.BLOCKED: "red"}


def use_colour(stream: TextIO | None = None) -> bool:
    """Whether a stream (stdout) is a terminal that wants colour (https://no-color.org)."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """Text in a colour, where colour is wanted."""
    return click.style(text, fg=colour, bold=bold or None, dim=dim or None) if use_colour() else text


def paint_status(status: Status, width: int = 0) -> str:
    """A verdict's word in its colour, padded to a width in columns."""
    return paint(f"{status:<{width}}", COLOURS[status])


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Columns of the terminal behind a stream (stdout); None in a pipe, where nothing is cut."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def can_print(text: str) -> bool:
    """Whether stdout's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Text of a foreign file or name without what could command a terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in text)


def cut(text: str, width: int) -> str:
    """Text in at most `width` columns; what is cut shows as an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def cut_middle(text: str, most: int = LONGEST_SENTENCE) -> str:
    """Text of about so many characters at most: of a longer one both ends, and how much is left out between."""
    if len(text) <= most:
        return text
    last = most // 4
    return f"{text[: most - last]} … {len(text) - most:,} characters … {text[-last:]}"


def print_lines(lines: Iterable[str]) -> None:
    """Print lines at once, so that a pipe's reader sees them together. Raises StateError."""
    _print("\n".join(lines))


def print_json(value: object) -> None:
    """Print one JSON document, indented; values of our types become objects. Raises StateError."""
    import msgspec

    _print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_document(value: object) -> None:
    """Print a value of our types as a document of its own: its fields behind `shape`. Raises StateError."""
    import msgspec

    print_json({"shape": SHAPE, **msgspec.to_builtins(value)})


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StateError(f"cannot write to stdout: {error.strerror}") from error


def first_reason(verdict: Verdict) -> str:
    """The first reason of a verdict, in one line."""
    return verdict.reasons[0].text if verdict.reasons else ""


def wrap(text: str, indent: int, width: int | None) -> list[str]:
    """Break text into lines of at most `width` columns, indented; unbroken in a pipe."""
    if width is None:
        return [" " * indent + text]
    import textwrap

    return textwrap.wrap(
        text,
        width=max(width, indent + 30),
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrap_facts(facts: Iterable[str], indent: int, width: int | None) -> Iterator[str]:
    """Wrap lines of a word and what it is, below the second; what may be copied, such as a command, stays a line."""
    for fact in facts:
        word = fact[:indent]
        if width is None or len(fact) <= width or word.strip() in COPIED:
            yield fact
            continue
        first, *rest = wrap(fact[indent:], indent, width)
        yield word + first[indent:]
        yield from rest


def format_bytes(size: float) -> str:
    """1536 -> 1.5 KiB."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def format_percent(share: float) -> str:
    """0.417 -> 0.42 %, 31.4 -> 31 %; what is not nothing never looks like it."""
    if 0 < share < 0.01:
        return "under 0.01 %"
    return f"{share:.2f} %" if share < 10 else f"{share:.0f} %"


def format_age(seconds: float) -> str:
    """75 -> 1m15s, 3 h 2 min -> 3h02m, for columns; what is past is 0s."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def format_duration(seconds: float) -> str:
    """0.53 -> 0.5 s, 75 -> 1 min 15 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
