"""What a person sees while a sync goes on: on a terminal a line a source, changed in place; in a log dated lines."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from toolkit.cli import render
from toolkit.model import Value
from toolkit.paths import Paths
from toolkit.snapshot.progress import ENDS, Phase, Progress, Step
from toolkit.sources.git_names import tidy
from toolkit.sources.git_store import GitStore

if TYPE_CHECKING:
    from rich.live import Live

PATIENCE = 0.3  # seconds before anything is drawn: most nights there is nothing to read
TICK = 0.2  # seconds between two looks; what did not change is not drawn again
UNKNOWN_SIZE = (80, 24)  # of a serial line that says it has no columns
LONGEST_NAME = 20


class Row(Value, frozen=True):
    """One line of the display."""

    name: str
    phase: Phase | None  # None: its turn has not come
    text: str
    received: int
    seconds: float


@contextlib.contextmanager
def show_progress(paths: Paths, names: tuple[str, ...]) -> Iterator[Progress]:
    """Give what a sync reports to, and show it on stderr until the block is left; nothing without names of sources."""
    if not names:
        yield lambda _: None
        return
    if not can_redraw():
        yield write_line
        return
    board = Board(names, lambda name: count_packs(GitStore(paths.sources / f"{name}.git")))
    display = Display(board)
    display.start()
    keep = True  # when we are interrupted: the lines say what was waited for
    try:
        yield board.take
        keep = not sys.stdout.isatty()  # the summary says it again where they would stand
    except Exception:
        keep = False  # and so does the error
        raise
    finally:
        display.finish(keep=keep)


def can_redraw() -> bool:
    """Whether stderr is a terminal whose cursor can be moved."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def write_line(step: Step) -> None:
    """Write a step as a dated line; nobody reading it is no reason to fail."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {format_step(step)}\n"
    with contextlib.suppress(OSError):
        click.echo(line, nl=False, err=True)


def format_step(step: Step) -> str:
    """A step as a sentence: "bcc: fetched v0.26.0, 632 KiB"."""
    source = f"{step.source}: " if step.source else ""
    word = f"{step.phase}:" if step.phase is Phase.FAILED else step.phase
    amount = f", {render.format_bytes(step.received)}" if step.received else ""
    return f"{source}{word} {tidy(step.text)}{amount}"


def count_packs(store: GitStore) -> int:
    """Bytes of a store's packs, also of the one that git is writing; 0 while they cannot be counted."""
    try:
        with os.scandir(store.packs) as entries:
            packs = (one for one in entries if one.name.endswith(".pack") or one.name.startswith("tmp_pack"))
            return sum(one.stat().st_size for one in packs)
    except OSError:  # there is no store yet, or git just gave a pack its name
        return 0


@dataclass
class Track:
    """What is known of one source while the sync goes on."""

    step: Step | None = None
    started: float = 0.0
    ended: float | None = None
    packs_before: int | None = None
    received: int = 0


class Board:
    """What each source does now; several threads write, the one that draws reads. `count` gives a source's bytes."""

    def __init__(self, names: tuple[str, ...], count: Callable[[str], int]) -> None:
        self._lock = threading.Lock()
        self._tracks = {name: Track() for name in names}
        self._count = count

    def take(self, step: Step) -> None:
        """Note a step."""
        now = time.monotonic()
        packs = self._count(step.source) if step.phase is Phase.FETCHING else 0
        with self._lock:
            track = self._tracks.setdefault(step.source, Track())
            if track.step is None:
                track.started = now
            if step.phase is Phase.FETCHING and track.packs_before is None:
                track.packs_before = packs
            track.step = step
            track.ended = now if step.phase in ENDS else None
            track.received = step.received or track.received

    def rows(self) -> tuple[Row, ...]:
        """The lines as they are now, in the order of the sources."""
        with self._lock:
            fetching = tuple(
                name for name, one in self._tracks.items() if one.step and one.step.phase is Phase.FETCHING
            )
        counted = {name: self._count(name) for name in fetching}
        now = time.monotonic()
        with self._lock:
            for name, packs in counted.items():
                track = self._tracks[name]
                # Never less than before: for a moment a pack that gets its name is not to be seen.
                track.received = max(track.received, packs - (track.packs_before or 0))
            return tuple(_make_row(name, track, now) for name, track in self._tracks.items())


def _make_row(name: str, track: Track, now: float) -> Row:
    if track.step is None:
        return Row(name=name, phase=None, text="", received=0, seconds=0.0)
    return Row(
        name=name,
        phase=track.step.phase,
        text=tidy(track.step.text),
        received=track.received,
        seconds=(now if track.ended is None else track.ended) - track.started,
    )


def format_rows(rows: tuple[Row, ...], width: int, height: int) -> tuple[tuple[str, Phase | None], ...]:
    """The lines for a terminal of this size, each in one row of it; what does not fit is counted."""
    room = max(height - 2, 1)  # the cursor and the command line stay in view
    shown = rows if len(rows) <= room else _choose_rows(rows, room - 1)
    names = min(max((len(row.name) for row in shown), default=0), LONGEST_NAME)
    lines = [(render.cut(_format_row(row, names), width - 1), row.phase) for row in shown]
    if len(shown) < len(rows):
        ended = sum(row.phase in ENDS for row in rows)
        lines.append((render.cut(f"{ended} of {len(rows)} are done", width - 1), None))
    return tuple(lines)


def _choose_rows(rows: tuple[Row, ...], room: int) -> tuple[Row, ...]:
    """As many as there is room for, in their order; what goes on before what failed, before what waits or is done."""

    def rank(row: Row) -> int:
        if row.phase is not None and row.phase not in ENDS:
            return 0
        return 1 if row.phase is Phase.FAILED else 2

    chosen = sorted(range(len(rows)), key=lambda at: rank(rows[at]))[:room]
    return tuple(rows[at] for at in sorted(chosen))


def _format_row(row: Row, names: int) -> str:
    name = render.cut(row.name, names)
    if row.phase is None:
        return f"{name:<{names}}  waiting"
    word = "FAILED" if row.phase is Phase.FAILED else row.phase
    amount = render.format_bytes(row.received) if row.received else ""
    return f"{name:<{names}}  {word:<10}  {amount:>8}  {format_clock(row.seconds):>5}  {row.text}".rstrip()


def format_clock(seconds: float) -> str:
    """75.9 -> 1:15: whole seconds, so that a line changes once in one."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display:
    """Draws a board, in a thread of its own: a terminal that takes nothing (^S) does not hold up the sync."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._ending = threading.Event()
        self._keep = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to draw, unless it is over soon."""
        self._thread.start()

    def finish(self, *, keep: bool) -> None:
        """Draw the last state and leave it, or nothing, on the terminal."""
        self._keep = keep
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        if self._ending.wait(PATIENCE):
            return
        with contextlib.suppress(OSError):  # the terminal is gone: nobody looks
            live = _make_live()
            if not self._ending.is_set():  # loading rich took a moment, too
                self._draw_until_the_end(live)

    def _draw_until_the_end(self, live: Live) -> None:
        live.start()
        live.console.show_cursor(True)  # who stops or kills us meanwhile (^Z, SIGKILL) would be left without one
        drawn: object = None
        while True:
            over = self._ending.is_set()
            size = _measure_terminal()
            lines = format_rows(self._board.rows(), *size)
            if drawn != (size, lines):
                drawn = (size, lines)
                _draw(live, size, lines)
            if over:
                break
            self._ending.wait(TICK)
        live.transient = not self._keep
        live.stop()


def _measure_terminal() -> tuple[int, int]:
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return UNKNOWN_SIZE
    return (columns or UNKNOWN_SIZE[0], lines or UNKNOWN_SIZE[1])


def _make_live() -> Live:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr, force_terminal=True, force_interactive=True, legacy_windows=False)
    return Live(
        console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop"
    )


def _draw(live: Live, size: tuple[int, int], lines: tuple[tuple[str, Phase | None], ...]) -> None:
    from rich.console import Group
    from rich.text import Text

    live.console.size = size
    red = "red" if render.use_colour(sys.stderr) else ""
    # A Text is shown as it is; a str would be read for rich's markup.
    texts = (
        Text(line, red if phase is Phase.FAILED else "", no_wrap=True, overflow="ellipsis") for line, phase in lines
    )
    live.update(Group(*texts), refresh=True)
