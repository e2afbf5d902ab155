"""`toolkit attach RUN`: follow what a run prints, both streams, in the order in which they came."""

from __future__ import annotations

import codecs
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from toolkit.cli import narrate
from toolkit.cli.events import OutputEvent, ResultEvent, raise_problem
from toolkit.cli.places import own_paths
from toolkit.errors import NoSuchRecording, NoSuchRun, StateError, ToolkitError
from toolkit.launch.outgoing import GiveUp, write_all
from toolkit.launch.register import Entry
from toolkit.launch.stop import Launcher, find_run
from toolkit.paths import SYSTEM_RUNS
from toolkit.recordings.layout import STREAMS
from toolkit.recordings.read import find_recording
from toolkit.runs import Result
from toolkit.trust import open_regular

LOOK_EVERY = 0.1  # seconds
DESCRIPTORS = {"O": 1, "E": 2}
CHUNK = 1 << 20

Show = Callable[[str, bytes, GiveUp], str]


@click.command("attach")
@click.argument("run")
@click.option("--stop", "stops", is_flag=True, help="^C ends the run; without this it only lets go of it.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing of our own unless something is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: output, result (docs/json.md).")
def command(run: str, stops: bool, quiet: bool, as_json: bool) -> int:
    """Follow what RUN prints, from its beginning until it ends; the exit status is then the run's.

    ^C lets go of it, and it goes on. RUN is its name, the beginning or the last letters of it, or its tool.
    """
    folder = own_paths().runs
    entry = find_run(folder, run, SYSTEM_RUNS)
    if not entry.recording:
        raise NoSuchRun(
            f"{entry.id} is not recorded, so there is nothing to follow", fix="it prints where it was started"
        )
    launcher = Launcher(folder, entry)
    show = JsonShow() if as_json else show_plain
    quiet = quiet or as_json
    try:
        with Following(Path(entry.recording)) as following:
            return _follow(entry, launcher, following, show, stops=stops, quiet=quiet)
    finally:
        launcher.close()


def _follow(entry: Entry, launcher: Launcher, following: Following, show: Show, *, stops: bool, quiet: bool) -> int:
    with _count_interrupts() as interrupts:
        asked = 0
        while True:
            ended = launcher.wait(LOOK_EVERY)
            for stream, data in following.read():
                # A reader that does not read is waited for until ^C, or with --stop until the second.
                closed = show(stream, data, lambda: len(interrupts) > int(stops))
                if closed and len(interrupts) > int(stops):
                    return _let_go(entry)
                raise_problem(closed)
            if ended:
                return _tell_end(entry, show, quiet=quiet)
            if interrupts and not stops:
                return _let_go(entry)
            if len(interrupts) > asked:
                launcher.ask(now=asked > 0)
                asked = len(interrupts)


def _let_go(entry: Entry) -> int:
    narrate.say(f"{entry.id} goes on: toolkit attach {entry.id}, toolkit stop {entry.id}")
    return 0


@contextmanager
def _count_interrupts() -> Iterator[list[int]]:
    """The SIGINTs that came. An exception in their place would lose what is half written."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def _tell_end(entry: Entry, show: Show, *, quiet: bool) -> int:
    try:
        result = find_recording(Path(entry.recording).parent, entry.id).result
    except NoSuchRecording:
        result = None
    if result is None:
        raise ToolkitError(
            f"the launcher of {entry.id} died", fix="its tool was ended; the recording has what it printed"
        )
    if isinstance(show, JsonShow):
        show.finish(result)
    elif not quiet:
        narrate.say(narrate.describe_end(result))
    return result.status


def show_plain(stream: str, data: bytes, give_up: GiveUp) -> str:
    """Bytes of one stream to our own of the same kind; gives why nobody takes them."""
    return write_all(DESCRIPTORS[stream], data, give_up)


class JsonShow:
    """One JSON object a line, as `run --json` prints them."""

    def __init__(self) -> None:
        kind = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: kind("replace") for name in STREAMS}

    def __call__(self, stream: str, data: bytes, give_up: GiveUp) -> str:
        text = self._decoders[stream].decode(data)
        return self._emit(OutputEvent(stream=STREAMS[stream], text=text), give_up) if text else ""

    def finish(self, result: Result) -> None:
        """What was cut in the middle of a character, and how the run ended."""
        for stream, decoder in self._decoders.items():
            text = decoder.decode(b"", final=True)
            if text:
                self._emit(OutputEvent(stream=STREAMS[stream], text=text))
        self._emit(ResultEvent(result=result))

    def _emit(self, event: OutputEvent | ResultEvent, give_up: GiveUp = lambda: False) -> str:
        return write_all(1, msgspec.json.encode(event) + b"\n", give_up)


class Following:
    """A recording that is read while it is written: `timing` tells which stream came next, and how much."""

    def __init__(self, folder: Path) -> None:
        """Open its files. Raises StateError."""
        self._files: dict[str, BinaryIO] = {}
        self._line = b""
        try:
            for name in ("timing", *STREAMS.values()):
                self._files[name] = open_regular(folder / name)
        except OSError as error:
            self._close()
            raise StateError(f"cannot read {folder}: {error.strerror}") from error

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for file in self._files.values():
            file.close()

    def read(self) -> Iterator[tuple[str, bytes]]:
        """What has come since: stream and bytes. The bytes of a line of `timing` are written before it is."""
        while data := self._files["timing"].read(CHUNK):
            *lines, self._line = (self._line + data).split(b"\n")
            for line in lines:
                words = line.split()
                stream = words[0].decode("ascii", "replace") if len(words) == 3 else ""
                if stream in STREAMS and words[2].isdigit():
                    yield from self._take(stream, int(words[2]))

    def _take(self, stream: str, size: int) -> Iterator[tuple[str, bytes]]:
        while size > 0:
            data = self._files[STREAMS[stream]].read(min(size, CHUNK))
            if not data:
                return
            size -= len(data)
            yield stream, data
