"""`toolkit sync`: the latest tools from git, at the revision that fits each engine, swapped in at once.

The servers are asked before most of this program is loaded: on most nights their answer is what it waits for.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping

import click

from toolkit.cli.failing import fail_with_one
from toolkit.cli.numbers import Number
from toolkit.cli.places import own_paths
from toolkit.cli.reading import open_reading
from toolkit.cli.remembered import recall_settings, recall_sources
from toolkit.config import Settings
from toolkit.errors import UsageError
from toolkit.model import Source, Value
from toolkit.paths import Paths, data_folder
from toolkit.snapshot.asking import ask_ahead
from toolkit.snapshot.hold import find_held
from toolkit.snapshot.layout import Origin, current_name
from toolkit.snapshot.origins import merge_sources

# Seconds after which a thread that computes lets another one go on, 0.005 by default: those that start git need Python
# for some microseconds, several times, while this one still loads modules.
SWITCH = 0.0005
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Call(Value, frozen=True):
    """What a sync was called with, and what the settings say."""

    paths: Paths
    settings: Settings
    catalog: tuple[Source, ...]
    sources: tuple[Source, ...]
    asked: tuple[Source, ...]
    pins: dict[str, tuple[Origin, ...]]
    seconds: float  # for a source
    wait: float  # seconds, for another sync
    verify: bool
    quiet: bool
    as_json: bool


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--pinned", is_flag=True, help="Exactly the commits that this release was tested with.")
@click.option(
    "--timeout",
    default=300,
    type=Number(1, 86400),
    show_default=True,
    metavar="SECONDS",
    help="The longest time for a source.",
)
@click.option(
    "--wait",
    default=10,
    type=Number(0, 3600),
    show_default=True,
    metavar="SECONDS",
    help="How long another sync is waited for.",
)
@click.option("--verify/--no-verify", default=None, help="Try what changed afterwards; the setting `verify`.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong: for cron.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@fail_with_one
def command(
    names: tuple[str, ...], pinned: bool, timeout: int, wait: int, verify: bool | None, quiet: bool, as_json: bool
) -> int:
    """Fetch the latest tools from git, build a snapshot aside, and swap it in.

    SOURCE limits what is asked; the others stay as they are. A source that fails keeps what was held of it. After
    `snapshots rollback` nothing is asked until `snapshots unhold`.

    Exits with 0 when it is done or nothing is new, 1 when anything failed, and 125 for a wrong option or setting.
    With --quiet it says nothing at all when it exits with 0; sync.log in the state folder says it always.

    With --verify, what has no result of a trial that still holds is tried afterwards, as `toolkit verify --changed`
    does: for ten minutes at most, not on a busy host, and nothing that has a risk.
    """
    paths = own_paths()
    settings, catalog = recall_settings(paths), recall_sources(paths)
    sources = merge_sources(catalog, settings.sources)
    asked = _choose_sources(sources, names)
    pins: dict[str, tuple[Origin, ...]] = {}
    if pinned:
        from toolkit.snapshot.pins import load_pins  # and YAML with it

        pins = load_pins(data_folder())
        asked = _choose_pinned(asked, pins, quiet=quiet)
    call = Call(
        paths=paths,
        settings=settings,
        catalog=catalog,
        sources=sources,
        asked=asked,
        pins=pins,
        seconds=float(timeout),
        wait=float(wait),
        verify=settings.verify if verify is None else verify,
        quiet=quiet,
        as_json=as_json,
    )
    sys.setswitchinterval(SWITCH)
    to_ask = () if pinned or find_held(paths.hold, paths.current) else asked
    with (
        _end_cleanly(paths),
        open_reading(paths) as reading,
        ask_ahead(to_ask, seconds=call.seconds) as answers,
    ):
        # Here, since to load these takes as long as half an answer; and the engines are asked before the second.
        from toolkit.cli.ahead import load_ahead

        with load_ahead(paths, settings, reading) as ahead:
            from toolkit.cli.sync_run import run_sync

            return run_sync(call, answers, ahead)


def _choose_sources(sources: tuple[Source, ...], names: tuple[str, ...]) -> tuple[Source, ...]:
    known = {source.name: source for source in sources}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no git source named {name!r}", fix=f"there are: {', '.join(known)}")
    return tuple(known[name] for name in names) if names else sources


def _choose_pinned(
    asked: tuple[Source, ...], pins: Mapping[str, tuple[Origin, ...]], *, quiet: bool
) -> tuple[Source, ...]:
    """Those of the sources that are pinned; the others are named, and stay as they are."""
    for one in asked:
        if one.name not in pins and not quiet:
            click.echo(f"toolkit: {one.name} is not pinned; it stays as it is", err=True)
    return tuple(one for one in asked if one.name in pins)


@contextlib.contextmanager
def _end_cleanly(paths: Paths) -> Iterator[None]:
    """Let ^C, SIGTERM and SIGHUP end the block alike: git is stopped, the terminal put right, the lock released."""

    def leave(number: int, _: object) -> None:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)  # what follows takes a moment, and is not to be cut short
        raise SystemExit(128 + number)

    for one in ENDING:
        if signal.getsignal(one) is not signal.SIG_IGN:  # nohup, and a job in the background
            signal.signal(one, leave)
    try:
        yield
    except SystemExit:
        from toolkit.cli.narrate import say

        name = current_name(paths.current)
        say(f"interrupted; {f'the current snapshot is {name}' if name else 'there is no snapshot yet'}")
        raise
