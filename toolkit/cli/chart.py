"""Histograms drawn: by `run --chart` as they come, above a heat map that stays, and by `recordings show --chart`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from toolkit.cli import render
from toolkit.cli.sinks import Tap
from toolkit.launch.outgoing import Outgoing
from toolkit.launch.supervise import Sinks
from toolkit.output.chart import Style
from toolkit.output.frames import Frame, Histogram
from toolkit.output.page import Page, join_lines
from toolkit.output.parser import open_parser
from toolkit.runs import Form, Result

WIDTH = 80  # columns, and
HEIGHT = 48  # lines of all heat maps together, where no terminal says how large it is
BELOW = 2  # lines of a terminal that stay free of the map: the prompt's, and one of what came before
GLYPHS = "█▏░▒▓…"


def choose_style() -> Style:
    """What stdout can show now: plain signs where colour is not wanted or its encoding has no others."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    unicode = not plain and render.can_print(GLYPHS)
    return Style(width=render.terminal_width() or WIDTH, unicode=unicode, colour=render.use_colour())


def choose_height() -> int:
    """Lines that heat maps may take."""
    if not sys.stdout.isatty():
        return HEIGHT
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines - BELOW
    except OSError:
        return HEIGHT


class ChartOutlet:
    """The tool's output with its histograms drawn. On a terminal the heat map is wiped before more is written, and
    written again below it; in a pipe it comes once, at the end."""

    folded = 0

    def __init__(self, tap: Tap, outgoing: Outgoing, form: Form) -> None:
        self._tap = tap
        self._outgoing = outgoing
        self._page = Page(form)
        self._live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._map: tuple[str, ...] = ()
        self._shown = 0  # lines of the map that stand on the terminal, above the cursor
        self._at_start = True  # the cursor is at the start of a line

    def sinks(self) -> Sinks:
        return Sinks(
            stdout=self._take_stdout,
            stderr=self._take_stderr,
            cost=self._tap.take_cost,
            pause=lambda: self._show(b"", self._tap.pause()),
            lost=self._tap.count_lost,
            outgoing=self._outgoing,
        )

    def finish(self, result: Result) -> None:
        frames = self._tap.finish(result)
        drawn = self._draw(b"", frames)
        self._map = self._page.heat.draw(choose_style(), choose_height() if self._live else HEIGHT)
        if self._map and not (drawn.endswith(b"\n") if drawn else self._at_start):
            drawn += b"\n"
        self._write(drawn, last=True)

    def _take_stdout(self, data: bytes) -> str:
        return self._show(data, self._tap.take("O", data))

    def _show(self, data: bytes, frames: tuple[Frame, ...]) -> str:
        drawn = self._draw(data, frames)
        if self._live and any(isinstance(frame, Histogram) for frame in frames):
            self._map = self._page.heat.draw(choose_style(), choose_height())
        return self._write(drawn) if drawn else ""

    def _take_stderr(self, data: bytes) -> str:
        self._tap.take("E", data)
        if self._shown:
            self._write(b"", wipe=True)
        return self._outgoing.put(2, data)

    def _draw(self, data: bytes, frames: Iterable[Frame]) -> bytes:
        return self._page.take(data, frames, choose_style())

    def _write(self, drawn: bytes, *, wipe: bool = False, last: bool = False) -> str:
        # To the start of the line first: a terminal shows ^C where the cursor stands.
        wiped = f"\r\x1b[{self._shown}A\x1b[J".encode() if self._shown else b""
        self._at_start = drawn.endswith(b"\n") if drawn else self._at_start
        lines = self._map if (self._live or last) and self._at_start and not wipe else ()
        self._shown = len(lines)
        return self._outgoing.put(1, wiped + drawn + join_lines(lines))


class Reader:
    """What a recorded stream printed, drawn: bytes in, bytes for a person out."""

    def __init__(self, form: Form, *, chart: bool) -> None:
        self._parser = open_parser(form)
        self._page = Page(form)
        self._chart = chart

    def take(self, data: bytes) -> bytes:
        """A piece of it."""
        return self._page.take(data, self._parser.feed(data), choose_style())

    def finish(self) -> bytes:
        """What was pending, and the heat map of all if a chart is wanted."""
        style = choose_style()
        drawn = self._page.take(b"", self._parser.finish(), style)
        return drawn + (join_lines(self._page.heat.draw(style, HEIGHT)) if self._chart else b"")
