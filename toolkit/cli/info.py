"""`toolkit info TOOL`: everything about one tool."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import click

from toolkit.alternatives import Alternative, describe_attachment, find_alternative
from toolkit.catalog.query import describe_ways, resolve_name
from toolkit.choose import choose, judge_all
from toolkit.cli import render
from toolkit.cli.names import complete_tool
from toolkit.cli.session import Session, open_session
from toolkit.launch.policy import RISK_WORDS
from toolkit.model import Arguments, Basis, Choice, Judged, Status, Tool, Value, Variant, Verdict
from toolkit.paths import Paths


class VariantInfo(Value, frozen=True, omit_defaults=False):
    """One variant with its verdict."""

    id: str
    engine: str
    source: str
    revision: str
    path: str
    sha256: str
    example: str
    man: str
    arguments: Arguments
    usage: str
    probes: tuple[str, ...]
    verdict: Verdict


class ToolInfo(Value, frozen=True, omit_defaults=False):
    """The document of `info --json`.

    `chosen` is what `run` would take and `why`, "" when nothing runs; `instead` then is what runs and answers the same
    or a similar question, or null.
    """

    shape: int
    kernel: str
    tool: Tool
    chosen: str
    chosen_revision: str
    why: str
    through: str
    instead: Alternative | None
    variants: tuple[VariantInfo, ...]


@click.command("info")
@click.argument("tool", shell_complete=complete_tool)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")
def command(tool: str, as_json: bool) -> None:
    """Everything about one tool: its variants, whether they run here, and why not.

    TOOL is a name (runqlat), or pins a category (cpu/runqlat) or a source (bcc/runqlat).
    """
    session = open_session()
    asked = resolve_name(session.index, tool)
    judged = judge_all(asked.variants, session.facts, session.trials)
    chosen = choose(asked.variants, session.facts, pinned=asked.pinned, trials=session.trials).choice
    through = describe_attachment(chosen.variant, session.facts) if chosen else ""
    instead = (
        None if chosen else find_alternative(asked.tool, asked.variants, session.index, session.facts, session.trials)
    )
    if as_json:
        render.print_json(_make_info(session, asked.tool, judged, chosen, through, instead))
        return
    render.print_lines(_format(session, asked.tool, judged, chosen, through, instead))


def _make_info(
    session: Session,
    tool: Tool,
    judged: tuple[Judged, ...],
    chosen: Choice | None,
    through: str,
    instead: Alternative | None,
) -> ToolInfo:
    return ToolInfo(
        shape=render.SHAPE,
        kernel=session.facts.release,
        tool=tool,
        chosen=chosen.variant.id if chosen else "",
        chosen_revision=chosen.variant.found.revision if chosen else "",
        why=chosen.why if chosen else "",
        through=through,
        instead=instead,
        variants=tuple(_make_variant(one) for one in judged),
    )


def _make_variant(one: Judged) -> VariantInfo:
    found, analysis = one.variant.found, one.variant.analysis
    return VariantInfo(
        id=one.variant.id,
        engine=found.engine,
        source=found.source,
        revision=found.revision,
        path=found.path,
        sha256=one.variant.sha256,
        example=found.example,
        man=found.man,
        arguments=analysis.signature.style,
        usage=analysis.signature.usage,
        probes=tuple(map(str, analysis.probes)),
        verdict=one.verdict,
    )


def _tell_guess(tool: Tool, judged: tuple[Judged, ...]) -> str:
    """Where the category of a tool that is not in the curated catalog comes from."""
    if tool.curated:
        return ""
    by_folder = any(one.variant.found.category == tool.category for one in judged)
    return " (the folder that it lies in)" if by_folder else " (guessed from its probes)"


def _format(
    session: Session,
    tool: Tool,
    judged: tuple[Judged, ...],
    chosen: Choice | None,
    through: str,
    instead: Alternative | None,
) -> Iterator[str]:
    width = render.terminal_width()
    yield render.paint(tool.name, bold=True) + f"  {tool.summary}"
    yield ""
    yield f"  category   {', '.join((tool.category, *tool.also))}{_tell_guess(tool, judged)}"
    if tool.aliases:
        yield f"  also as    {', '.join(tool.aliases)}"
    if tool.symptoms:
        yield from _labelled("helps with", ", ".join(tool.symptoms), width)
    for risk in tool.risk:
        yield from _labelled("risk", f"{risk}: it {RISK_WORDS[risk]}", width)
    yield ""
    if not judged:
        yield "  No variant of it is on this host."
        yield from _labelled("to get it", describe_ways(session.index, session.facts.distribution), width)
        yield from _labelled("instead", f"{instead}", width) if instead else ()
        return
    taken = chosen.variant if chosen else None
    if chosen:
        yield from _labelled("run takes", f"{_name(chosen.variant)}: {chosen.why}", width)
        yield from _labelled("through", through, width) if through else ()
        yield ""
    elif instead:
        yield from _labelled("instead", f"{instead}", width)
        yield ""
    for group in _group(judged, taken):
        yield from _format_variant(group[0], width, session.paths, is_chosen=group[0].variant is taken)
        for other in group[1:]:
            yield from render.wrap(f"also held: {_describe_other(other, group[0])}", 6, width)
        yield ""


def _labelled(label: str, text: str, width: int | None) -> list[str]:
    first, *rest = render.wrap(text, 13, width)
    return [f"  {label:<10} {first.lstrip()}", *rest]


def _name(variant: Variant) -> str:
    """What pins exactly this variant: its id and revision."""
    return f"{variant.id} {variant.found.revision}".rstrip()


def _group(judged: tuple[Judged, ...], taken: Variant | None) -> list[list[Judged]]:
    """The copies and revisions of one variant together: that which `run` takes first, else the best."""
    order = {one.variant.id: at for at, one in reversed(tuple(enumerate(judged)))}
    ordered = sorted(judged, key=lambda one: (order[one.variant.id], one.variant is not taken))
    return [list(group) for _, group in groupby(ordered, key=lambda one: one.variant.id)]


def _describe_other(one: Judged, best: Judged) -> str:
    """Another copy or revision of a variant, in a line: where it is from, its verdict, and how it differs."""
    found = one.variant.found
    where = f"{found.source} {found.revision}" if found.source != found.upstream else found.revision
    text = f"{where} {render.paint_status(one.verdict.status)}"
    if one.variant.sha256 == best.variant.sha256:
        return f"{text}, the same file"
    if one.verdict.status is Status.RUNS or one.verdict.reasons == best.verdict.reasons:
        return text
    return f"{text}: {render.first_reason(one.verdict)}"


def _shorten(path: str, paths: Paths) -> str:
    """A file of the current snapshot by the link that names it, which stays the same from night to night."""
    try:
        return path.replace(f"{paths.snapshots / paths.current.readlink().name}/", f"{paths.current}/")
    except OSError:
        return path


def _format_variant(one: Judged, width: int | None, paths: Paths, *, is_chosen: bool) -> Iterator[str]:
    found, analysis = one.variant.found, one.variant.analysis
    mark = "  <- `toolkit run` takes this one" if is_chosen else ""
    basis = ", as a trial here showed" if one.verdict.basis is Basis.VERIFIED else ""
    yield f"  {one.variant.id:<26} {render.paint_status(one.verdict.status)}{basis}{mark}"
    origin = f"{_shorten(found.path, paths)}  ({found.engine}, {found.source} {found.revision})".replace(" )", ")")
    yield from render.wrap(origin, 6, width)
    if analysis.signature.usage:
        yield from render.wrap(f"usage: {analysis.signature.usage}", 6, width)
    for reason in one.verdict.reasons:
        yield from render.wrap(reason.text, 6, width)
        if reason.fix:
            yield from render.wrap(f"to mend it: {reason.fix}", 8, width)
        if reason.link:
            yield from render.wrap(f"see {reason.link}", 8, width)
    if found.example:
        yield from render.wrap(f"examples: {_shorten(found.example, paths)}", 6, width)
