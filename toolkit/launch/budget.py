"""Whether a run's BPF programs cost more than they may, and which of them it is, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.model import Value
from toolkit.runs import Account

MOST = 0.9  # share of the whole from which on one program is all there is to say


class Burn(Value, frozen=True):
    """What one program costs now."""

    account: Account
    events: float  # a second
    percent: float  # of one CPU


def describe_excess(burns: Sequence[Burn], limit: float) -> str:
    """The program to blame when all together take more than `limit` percent of one CPU; empty when they do not.

    A limit of 0 is none.
    """
    total = sum(one.percent for one in burns)
    if not limit or total <= limit:
        return ""
    hot = max(burns, key=lambda one: one.percent)
    share = f"{hot.percent:.3g} % of one CPU"
    if hot.percent < MOST * total:
        share += f" of {total:.3g} % by all {len(burns)} programs"
    return f"{name_program(hot.account)} ran {hot.events:,.0f} times a second, {share}, the limit is {limit:g} %"


def name_program(account: Account) -> str:
    """A program and where it is attached: "handle_switch on raw_tracepoint sched_switch"."""
    name = account.name or "a BPF program without a name"
    places = ", ".join(dict.fromkeys(account.attached[:2]))
    more = f" and {len(account.attached) - 2} more" if len(account.attached) > 2 else ""
    return f"{name} on {places}{more}" if places else name
