"""Which variant of a tool to start for these arguments, and why not the others. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.compat import judge
from toolkit.model import Arguments, Choice, Engine, Facts, Judged, Status, Value, Variant, Verdict
from toolkit.runs import Trial
from toolkit.trials import apply_trial
from toolkit.versions import parse_version

# Cheapest start first: a libbpf tool needs 0.1 s, bpftrace compiles for about 0.7 s, BCC runs clang for seconds.
ENGINE_ORDER = (Engine.NATIVE, Engine.BPFTRACE, Engine.BCC, Engine.SHELL)
ENGINE_WORDS = {
    Engine.NATIVE: "it is compiled ahead and starts at once",
    Engine.BPFTRACE: "bpftrace starts in under a second",
    Engine.BCC: "it is what remains: BCC compiles at start",
    Engine.SHELL: "it is what remains",
}
UPSTREAM_ORDER = ("inhouse", "libbpf-tools", "bpftrace", "bcc", "book")
STATUS_ORDER = (Status.RUNS, Status.UNKNOWN, Status.PARTIAL, Status.BLOCKED)
NO_TRIALS: Mapping[str, Trial] = {}
NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?", re.ASCII)


class Fit(Value, frozen=True, kw_only=False):
    """How a variant would be called; `awkward` ranks it behind those that take the arguments as they are."""

    arguments: tuple[str, ...]
    duration: float | None = None
    ends_itself: bool = False
    awkward: bool = False
    note: str = ""


class Misfit(Value, frozen=True, kw_only=False):
    """Why a variant cannot take the given arguments."""

    why: str


def fit_arguments(variant: Variant, arguments: tuple[str, ...]) -> Fit | Misfit:
    """Translate what a person typed after the tool's name into what this variant takes, or say why it cannot."""
    signature = variant.analysis.signature
    if not arguments:
        if signature.required:
            return Misfit("it needs an argument" + (f": {signature.usage}" if signature.usage else ""))
        return Fit(())
    if len(arguments) <= 2 and all(NUMBER.fullmatch(one) for one in arguments):
        return _fit_interval(signature.style, arguments)
    if signature.style is Arguments.NONE:
        return Misfit("it takes no arguments")
    if variant.engine is Engine.BPFTRACE and any(one.startswith("-") for one in arguments):
        # bpftrace would take them for its own, wherever they stand: `-c` runs a command.
        return Misfit("a bpftrace script takes no options")
    unknown = _find_unknown_option(signature.options, arguments)
    return Misfit(f"it has no option {unknown}") if unknown else Fit(arguments)


def _fit_interval(style: Arguments, arguments: tuple[str, ...]) -> Fit | Misfit:
    both = len(arguments) == 2
    duration = float(arguments[0]) * float(arguments[1]) if both else None
    if duration == 0:
        return Misfit("an interval or a count of 0 means nothing")
    if style in (Arguments.INTERVAL, Arguments.POSITIONAL) and any("." in one for one in arguments):
        return Misfit("it takes whole numbers")
    if style in (Arguments.INTERVAL, Arguments.POSITIONAL, Arguments.UNKNOWN):
        ends_itself = both and style is Arguments.INTERVAL
        return Fit(arguments, duration=duration if ends_itself else None, ends_itself=ends_itself)
    # It prints when it ends: for one interval that is the same; for several it is a poorer answer.
    once = both and float(arguments[1]) == 1
    note = "" if once else "it takes no interval, and prints a summary, if any, once at its end"
    return Fit((), duration=duration, awkward=not once, note=note)


def _find_unknown_option(known: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """The first option given that a variant does not know; empty when all are, or when its options are not known."""
    if not known:
        return ""
    for argument in arguments:
        if argument == "--":
            return ""
        if argument.startswith("--"):
            name = argument.partition("=")[0]
            # getopt_long and argparse take any unambiguous beginning of a long option.
            if name != "--help" and not any(option.startswith(name) for option in known):
                return name
        elif re.match(r"-[A-Za-z]", argument) and argument[:2] not in known and argument[:2] != "-h":
            return argument[:2]
    return ""


class Chosen(Value, frozen=True, kw_only=False):
    """The answer for a tool: a choice, or none with every variant's verdict."""

    choice: Choice | None
    judged: tuple[Judged, ...]
    misfits: tuple[tuple[Variant, str], ...] = ()


def judge_all(
    variants: tuple[Variant, ...], facts: Facts, trials: Mapping[str, Trial] = NO_TRIALS
) -> tuple[Judged, ...]:
    """Every variant with its verdict, best first; results of trials on this host go before predictions."""
    judged = (Judged(variant=variant, verdict=judge_tried(variant, facts, trials)) for variant in variants)
    return tuple(sorted(judged, key=rank_judged))


def judge_tried(variant: Variant, facts: Facts, trials: Mapping[str, Trial] = NO_TRIALS) -> Verdict:
    """The verdict on a variant: the result of a trial on this host that still holds, else the prediction."""
    return apply_trial(variant, facts, judge(variant, facts), trials)


def choose(
    variants: tuple[Variant, ...],
    facts: Facts,
    arguments: tuple[str, ...] = (),
    *,
    pinned: bool = False,
    force: bool = False,
    trials: Mapping[str, Trial] = NO_TRIALS,
) -> Chosen:
    """Pick the variant that runs here, takes these arguments, and starts fastest; or none, with the reasons.

    `pinned` says that the name left only these variants open; `force` takes one in spite of its verdict.
    """
    judged = judge_all(variants, facts, trials)
    fits: list[tuple[Judged, Fit]] = []
    misfits: list[tuple[Variant, str]] = []
    for one in judged:
        fit = fit_arguments(one.variant, arguments)
        if isinstance(fit, Misfit):
            misfits.append((one.variant, fit.why))
        else:
            fits.append((one, fit))
    usable = [(one, fit) for one, fit in fits if force or _can_start(one.verdict)]
    if not usable:
        return Chosen(None, judged, tuple(misfits))
    best, fit = min(usable, key=lambda pair: (rank_judged(pair[0])[0], pair[1].awkward, rank_judged(pair[0])))
    others = tuple(one for one in judged if one.variant is not best.variant)
    choice = Choice(
        variant=best.variant,
        verdict=best.verdict,
        arguments=fit.arguments,
        why=_explain(best, others, tuple(misfits), pinned=pinned, note=fit.note),
        duration=fit.duration,
        ends_itself=fit.ends_itself,
        passed_over=others,
    )
    return Chosen(choice, judged, tuple(misfits))


def _can_start(verdict: Verdict) -> bool:
    """A blind variant prints nothing, which at 3 a.m. reads as "nothing happens here": it is not started unasked."""
    return verdict.status is not Status.BLOCKED and not verdict.blind


def is_for_newer(judged: Judged) -> bool:
    """Whether it came with a newer release of its engine: held to be shown, and of no use here."""
    made_for = judged.variant.found.made_for
    needs = (reason.need.name for reason in judged.verdict.reasons if reason.need)
    return bool(made_for) and made_for in needs


def rank_judged(judged: Judged) -> tuple[int, bool, bool, int, int, str, tuple[int, ...]]:
    """The order in which variants are preferred, the best first: what runs, then what starts fastest."""
    found = judged.variant.found
    upstream = UPSTREAM_ORDER.index(found.upstream) if found.upstream in UPSTREAM_ORDER else len(UPSTREAM_ORDER)
    status = STATUS_ORDER.index(judged.verdict.status)
    newest_first = tuple(-number for number in parse_version(found.revision))
    newer, blind = is_for_newer(judged), judged.verdict.blind
    return status, blind, newer, ENGINE_ORDER.index(found.engine), upstream, judged.variant.id, newest_first


def _explain(
    best: Judged,
    others: tuple[Judged, ...],
    misfits: tuple[tuple[Variant, str], ...],
    *,
    pinned: bool,
    note: str,
) -> str:
    parts: list[str] = []
    rivals = sum(_can_start(other.verdict) for other in others)
    if pinned:
        parts.append("asked for by name")
    elif not others:
        parts.append("the only variant here")
    elif not _can_start(best.verdict):
        parts.append(f"forced: none of {len(others) + 1} can run here")
    elif rivals:
        parts.append(f"{ENGINE_WORDS[best.variant.engine]}; {rivals} other{'s' * (rivals > 1)} would run too")
    else:
        parts.append(f"the only one of {len(others) + 1} that runs here")
    parts += [f"{variant.id} passed over: {why}" for variant, why in misfits[:1]]
    if note:
        parts.append(note)
    return "; ".join(parts)
