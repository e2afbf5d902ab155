"""`toolkit facts`: what this host offers, or another one whose facts or captures lie here; and the file of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import click
import msgspec

from toolkit.cli import render
from toolkit.cli.engines import parse_engines
from toolkit.cli.files import NAMED
from toolkit.cli.narrate import say
from toolkit.cli.places import own_paths
from toolkit.compat import find_missing_rights
from toolkit.errors import StateError, UsageError
from toolkit.host import load_facts
from toolkit.host.cache import BIG
from toolkit.host.looked import look_up
from toolkit.host.tree import Tree
from toolkit.matrix import set_engines
from toolkit.model import Engine, EngineFact, Fact, Facts, Need, Value
from toolkit.paths import capture_script as find_capture_script
from toolkit.snapshot.index import load_index

GROUPS = {
    "Kernel": ("config", "btf", "headers", "modules", "loaded", "filesystems", "lockdown"),
    "Rights": ("bpf", "memlock", "perf_event_paranoid", "unprivileged_bpf_disabled", "kptr_restrict"),
    "Events": ("tracefs", "tracepoints", "formats", "kprobes", "functions", "uprobes", "pmus", "counters"),
    "Types": ("fentry", "btf_functions", "fields", "symbols", "features"),
}
COLUMN = 29


class Shown(Value, frozen=True, omit_defaults=False):
    """One fact in `facts --json`: of a big set only how many names it has."""

    value: object
    count: int | None
    unknown: str
    origin: str


class Document(Value, frozen=True, omit_defaults=False):
    """The document of `facts --json`."""

    shape: int
    source: str  # the folder or file that they are from; empty for this host
    release: str
    machine: str
    distribution: str
    capabilities: tuple[str, ...]
    facts: dict[str, Shown]
    program_kinds: dict[str, Shown]
    engines: tuple[EngineFact, ...]
    missing_engines: dict[str, str]
    looked: dict[str, bool]
    not_looked: tuple[str, ...]


@click.command("facts")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md); big sets as counts.")
@click.option(
    "--export", "target", type=NAMED, metavar="FILE", help="Write them for another machine; .gz packs, - is stdout."
)
@click.option(
    "--from", "source", type=NAMED, metavar="PATH", help="Not of this host: a folder of captures, or an exported file."
)
@click.option(
    "--root", type=NAMED, metavar="TREE", help="Look for programs, libraries and headers in this file system."
)
@click.option("--capture-script", is_flag=True, help="Print the shell script that takes captures, and do nothing else.")
@click.option(
    "--engine",
    "-e",
    "engines",
    multiple=True,
    callback=parse_engines,
    metavar="NAME=VERSION",
    help="In place of what is there.",
)
def command(
    as_json: bool,
    target: str | None,
    source: str | None,
    root: str | None,
    capture_script: bool,
    engines: tuple[tuple[Engine, str], ...],
) -> None:
    """What this host offers to BPF tools: each fact with its origin, or why it is unknown.

    --export writes them as a file with which another machine can judge for this one; nothing secret is in it.
    Captures are what a plain shell script takes on a host where nothing can be installed.

    \b
    toolkit facts --capture-script | ssh prod-b 'sh -s -- captures && tar -c captures' | tar -x
    toolkit facts --export prod-a.json.gz
    toolkit facts --from captures/ --engine bpftrace=0.23.2 --export prod-b.json
    """
    if capture_script:
        click.echo(find_capture_script().read_text(), nl=False)
        return
    wanted = load_index(own_paths()).outside
    facts = set_engines(_load(source, root, wanted), engines)
    if target is not None:
        _export(facts, target)
    if as_json and target != "-":
        render.print_json(_describe(facts, source or "", wanted))
    elif target is None:
        render.print_lines(_format(facts, wanted))


def _load(source: str | None, root: str | None, wanted: tuple[Need, ...]) -> Facts:
    """The facts of this host, of captures, or of a file, with the answers to what the catalog's variants look for."""
    if root is not None and not Path(root).is_dir():
        raise UsageError(f"{root} is no folder", fix="give the root of a file system: a mounted image, a chroot")
    if source is None:
        paths = own_paths()
        facts = load_facts(paths.facts)
        looked = look_up(wanted, cache=paths.looked) if root is None else {}
    elif Path(source).is_dir():
        from toolkit.host.capture import look_up_captured, read_capture

        facts = read_capture(Path(source))
        looked = look_up_captured(wanted, Path(source)) if root is None else {}
    else:
        from toolkit.host.exported import read_facts

        facts = read_facts(Path(source))
        looked = facts.looked
    if root is not None:
        looked = look_up(wanted, Tree(Path(root).absolute()))
    return msgspec.structs.replace(facts, looked=looked)


def _export(facts: Facts, target: str) -> None:
    from toolkit.host.exported import encode_facts, write_facts

    if target == "-":
        try:
            sys.stdout.buffer.write(encode_facts(facts))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StateError(f"cannot write to stdout: {error.strerror}") from error
        return
    write_facts(facts, Path(target))
    say(f"the facts of kernel {facts.release} are in {target}")
    if find_missing_rights(facts):
        say("they are those of a user who may not load BPF programs: all is blocked there", "take them as root")


# --- For people ---------------------------------------------------------------------------------------------------


def _format(facts: Facts, wanted: tuple[Need, ...]) -> Iterator[str]:
    first = f"{facts.release or 'unknown kernel'} {facts.machine} {facts.distribution}".rstrip()
    yield render.paint(first, bold=True)
    for title, names in GROUPS.items():
        yield from ("", title)
        for name in names:
            yield from _line(name, getattr(facts, name))
        if title == "Rights":
            yield from _line("capabilities", Fact(facts.capabilities))
    yield from ("", "Kinds of programs")
    kinds = sorted(facts.program_kinds.items())
    yield from _names("taken", tuple(name for name, fact in kinds if fact.value))
    for name, fact in kinds:
        yield from () if fact.value else _line(name, fact)
    yield from ("", "Engines")
    for engine in facts.engines:
        yield from _line(engine.name, Fact(engine.version or "yes", origin=" ".join(engine.argv)))
    for name, why in sorted(facts.missing_engines.items()):
        yield from _line(name, Fact("no", origin=why))
    yield from ("", "Outside of the kernel, of what the catalog's tools name")
    there = [need for need, answer in facts.looked.items() if answer]
    not_looked = _list_not_looked(facts, wanted)
    yield from _line("here", Fact(f"{len(there)} of {len(there) + len(_list_missing(facts)) + len(not_looked)}"))
    yield from _names("not here", _list_missing(facts))
    yield from _names("not known", not_looked)


def _line(name: str, fact: Fact[Any]) -> Iterator[str]:
    width = render.terminal_width()
    text = f"unknown: {fact.unknown}" if fact.value is None else _show(name, fact.value)
    start = f"  {name.replace('_', ' '):<{COLUMN - 2}}"
    origin = "" if fact.origin == text else fact.origin
    if not origin:
        lines = render.wrap(text, COLUMN, width)
    elif width is None or COLUMN + max(len(text), 8) + 2 + len(origin) <= width:
        lines = [f"{' ' * COLUMN}{text:<8}  {render.paint(origin, dim=True)}"]
    else:
        details = (render.paint(line, dim=True) for line in render.wrap(origin, COLUMN + 2, width))
        lines = [*render.wrap(text, COLUMN, width), *details]
    yield start + lines[0][COLUMN:]
    yield from lines[1:]


def _show(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, AbstractSet):
        return f"{len(value):,}" if len(value) > 12 else ", ".join(sorted(value)) or "none"
    if isinstance(value, dict):
        return f"{len(value):,} options"
    if name == "memlock" and isinstance(value, int):
        return "unlimited" if value < 0 else render.format_bytes(value)
    return str(value)


def _names(title: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield from _line(title, Fact(", ".join(names)))


def _list_missing(facts: Facts) -> tuple[str, ...]:
    return tuple(sorted(need for need, answer in facts.looked.items() if not answer))


def _list_not_looked(facts: Facts, wanted: tuple[Need, ...]) -> tuple[str, ...]:
    return tuple(sorted({str(need) for need in wanted if need.name} - facts.looked.keys()))


# --- For programs -------------------------------------------------------------------------------------------------


def _describe(facts: Facts, source: str, wanted: tuple[Need, ...]) -> Document:
    return Document(
        shape=render.SHAPE,
        source=source,
        release=facts.release,
        machine=facts.machine,
        distribution=facts.distribution,
        capabilities=tuple(sorted(facts.capabilities)),
        facts={name: _shown(name, getattr(facts, name)) for names in GROUPS.values() for name in names},
        program_kinds={name: _shown(name, fact) for name, fact in sorted(facts.program_kinds.items())},
        engines=facts.engines,
        missing_engines=facts.missing_engines,
        looked=dict(sorted(facts.looked.items())),
        not_looked=_list_not_looked(facts, wanted),
    )


def _shown(name: str, fact: Fact[Any]) -> Shown:
    names = fact.value if isinstance(fact.value, AbstractSet) else None
    value = fact.value if names is None else None if name in BIG else sorted(names)
    return Shown(value=value, count=None if names is None else len(names), unknown=fact.unknown, origin=fact.origin)
