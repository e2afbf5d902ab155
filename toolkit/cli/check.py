"""`toolkit check`: which tools, or files, run on which kernels with which engines."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click
import msgspec

from toolkit.catalog.query import describe_ways, resolve_name
from toolkit.cli import render
from toolkit.cli.check_data import format_csv, make_document
from toolkit.cli.check_report import format_matrix, sum_up
from toolkit.cli.check_why import explain_rows
from toolkit.cli.engines import parse_engines
from toolkit.cli.names import complete_tool
from toolkit.cli.places import own_paths
from toolkit.cli.session import open_session
from toolkit.errors import NoSuchTool, UsageError
from toolkit.host.looked import look_up
from toolkit.matrix import FailOn, Subject, judge_rows, list_failures, make_columns
from toolkit.model import Engine, Facts, Index, Value, Variant
from toolkit.outside import find_outside
from toolkit.snapshot.given import read_given
from toolkit.snapshot.index import load_index

HERE = "this host"


class Request(Value, frozen=True):
    """What is asked, and of which hosts; no facts: of this one."""

    index: Index
    subjects: tuple[Subject, ...]
    hosts: tuple[tuple[str, Facts], ...]


@click.command("check")
@click.argument("what", nargs=-1, metavar="[TOOL|FILE|FOLDER]...", shell_complete=complete_tool)
@click.option("--all", "-a", "everything", is_flag=True, help="Every tool of the catalog that is on this host.")
@click.option(
    "--facts",
    "-f",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Facts of another host: a file, or a folder of captures. Without it: this host.",
)
@click.option(
    "--engine", "-e", multiple=True, callback=parse_engines, metavar="NAME=VERSION", help="In place of what is there."
)
@click.option(
    "--fail-on",
    type=click.Choice([one.value for one in FailOn]),
    default=FailOn.BLOCKED.value,
    show_default=True,
    help="The least trouble that makes the exit status 1.",
)
@click.option("--variants", is_flag=True, help="With --all: also each variant; for tools that are named it is so.")
@click.option("--why", "-w", is_flag=True, help="Also the reasons, what mends them, and what to use instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line for each row and kernel.")
def command(
    what: tuple[str, ...],
    everything: bool,
    facts: tuple[Path, ...],
    engine: tuple[tuple[Engine, str], ...],
    fail_on: str,
    variants: bool,
    why: bool,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Which tools run on which kernels with which engines. Nothing is started; facts of other hosts need no rights.

    TOOL is a name of the catalog; bcc/runqlat pins a variant. Anything else is a FILE, or a FOLDER with everything in
    it that is a BPF tool; ./runqlat is one for sure. Each kernel of --facts is combined with each --engine.

    \b
    toolkit check runqlat --why
    toolkit check ./tools --facts prod-a.json --facts prod-b.json
    toolkit check --all --facts prod-a.json --engine bpftrace=0.17.0 --engine bpftrace=0.23.2

    Exits with 0 when all run on every kernel, 1 when one is blocked or would attach to nothing (--fail-on partial:
    also when one is partial; unknown: also when it cannot be told), and 125 for a wrong call. A tool counts by its
    best variant.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    request = _read_request(what, facts, everything=everything)
    columns = make_columns(request.hosts, engine)
    level = FailOn(fail_on)
    rows = judge_rows(request.subjects, columns, variants=variants or not everything)
    failed = list_failures(rows, level)
    if as_json:
        render.print_json(make_document(rows, columns, level))
    elif as_csv:
        render.print_lines(format_csv(rows, columns))
    else:
        width = render.terminal_width()
        reasons = explain_rows(rows, columns, request.index, width) if why else ()
        hint = " --why says why." if failed and not why else ""
        ending = render.wrap(sum_up(rows, columns, level) + hint, 0, width)
        render.print_lines((*format_matrix(rows, columns, level, width), *reasons, "", *ending))
    return 1 if failed else 0


def _read_request(what: tuple[str, ...], facts: tuple[Path, ...], *, everything: bool) -> Request:
    if not what and not everything:
        raise UsageError("what should be checked?", fix="name tools, files or folders, or give --all")
    if not facts:
        session = open_session()
        subjects = _find_subjects(session.index, what, everything=everything)
        needs = find_outside(one for subject in subjects for one in subject.variants)
        known = frozenset(session.index.outside)  # looked up already, with what earlier commands found out
        looked = {**session.facts.looked, **look_up(need for need in needs if need not in known)}
        return Request(
            index=session.index,
            subjects=subjects,
            hosts=((HERE, msgspec.structs.replace(session.facts, looked=looked)),),
        )
    from toolkit.host.exported import read_facts  # it imports every probe

    index = load_index(own_paths())
    hosts = tuple(zip(_name_hosts(facts), map(read_facts, facts), strict=True))
    # Whether root may run the file that lies here says nothing of another host's.
    subjects = tuple(_trust(one) for one in _find_subjects(index, what, everything=everything))
    return Request(index=index, subjects=subjects, hosts=hosts)


def _trust(subject: Subject) -> Subject:
    variants = tuple(msgspec.structs.replace(one, distrust="") for one in subject.variants)
    return Subject(name=subject.name, variants=variants)


def _name_hosts(facts: tuple[Path, ...]) -> tuple[str, ...]:
    """A short name for each: prod-a for prod-a.json.gz; the folder too where two would be called the same."""
    names = tuple(path.resolve().name.removesuffix(".gz").removesuffix(".json") for path in facts)
    counted = Counter(names)
    unique = (name if counted[name] == 1 else str(path) for name, path in zip(names, facts, strict=True))
    return tuple(map(render.printable, unique))


def _find_subjects(index: Index, what: tuple[str, ...], *, everything: bool) -> tuple[Subject, ...]:
    by_tool: dict[str, list[Variant]] = {}
    for variant in sorted(index.variants, key=lambda one: one.id):
        by_tool.setdefault(variant.tool, []).append(variant)
    named = tuple(
        Subject(name=tool.name, variants=tuple(by_tool[tool.name]))
        for tool in (index.tools if everything else ())
        if tool.name in by_tool
    )
    asked = (subject for text in what for subject in _find_subject(index, text))
    return tuple({_list_paths(subject): subject for subject in (*named, *asked)}.values())


def _list_paths(subject: Subject) -> tuple[str, ...]:
    return tuple(variant.found.path for variant in subject.variants)


def _find_subject(index: Index, text: str) -> tuple[Subject, ...]:
    path = Path(text)
    if text.startswith(("/", "./", "../")) or text in (".", ".."):
        return _read_files(index, path)
    try:
        asked = resolve_name(index, text)
    except NoSuchTool as error:
        if text and path.exists():
            return _read_files(index, path)
        raise UsageError(f"there is neither a tool nor a file named {text!r}", fix=error.fix) from error
    if not asked.variants:
        raise UsageError(f"no variant of {asked.tool.name} is on this host", fix=describe_ways(index, ""))
    variants = tuple(sorted(asked.variants, key=lambda one: one.id))
    return (Subject(name=text if asked.pinned else asked.tool.name, variants=variants),)


def _read_files(index: Index, path: Path) -> tuple[Subject, ...]:
    """A file, or those of a folder; of one that the catalog holds too, it knows more than its text says.

    A link stays one: xfsslower is a link to fsslower, which acts on the name that it is started by.
    """
    known = {one.found.path: one for one in index.variants}
    found = read_given(path)
    return tuple(
        Subject(name=render.printable(one.found.path), variants=(known.get(os.path.abspath(one.found.path), one),))
        for one in found
    )
