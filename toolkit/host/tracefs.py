"""What tracefs tells: where it is mounted, which tracepoints there are, and which functions can be traced."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from toolkit.host.names import Names
from toolkit.host.places import KPROBES_BLACKLIST, TRACEFS
from toolkit.host.symbols import Symbols
from toolkit.host.tree import Tree, explain
from toolkit.model import Fact

# Weak functions that the linker dropped, kept as place holders: commit b39181f7c690 (v5.18).
DROPPED = "__ftrace_invalid_address_"


def find_tracefs(tree: Tree) -> Fact[str]:
    """Where tracefs is mounted and can be read by this user."""
    why = [_unusable(tree, place) for place in TRACEFS]
    for place, problem in zip(TRACEFS, why, strict=True):
        if not problem:
            return Fact(place, origin=place)
    # What is said of the first place is what a person mends: the second follows from mounting debugfs.
    return Fact(unknown=why[0])


def _unusable(tree: Tree, place: str) -> str:
    """Why tracefs cannot be used at a place, or nothing when it can."""
    try:
        entries = tree.entries(place)
    except FileNotFoundError:
        return f"there is no tracefs: {place} does not exist"
    except OSError as error:
        return explain(place, error)
    # An empty folder is the mount point that the kernel made.
    return "" if "events" in entries else f"tracefs is not mounted at {place}"


def read_tracepoints(tree: Tree, tracefs: Fact[str]) -> Fact[AbstractSet[str]]:
    """Every event as system:name, of the kernel and of the modules that are loaded now."""
    if tracefs.value is None:
        return Fact(unknown=tracefs.unknown)
    listing = f"{tracefs.value}/available_events"
    try:
        return _some(tree.text(listing).split(), listing)
    except FileNotFoundError:
        pass
    except OSError as error:
        return Fact(unknown=explain(listing, error))
    folder = f"{tracefs.value}/events"
    try:
        return _some(_walk_events(tree, folder), folder)
    except OSError as error:
        return Fact(unknown=explain(folder, error))


def _some(events: Iterable[str], place: str) -> Fact[AbstractSet[str]]:
    names = Names.of(events)
    return Fact(names, origin=place) if names else Fact(unknown=f"{place} is empty")


def _walk_events(tree: Tree, folder: str) -> tuple[str, ...]:
    """Events from folders events/SYSTEM/EVENT. Raises OSError."""
    found: list[str] = []
    for system in tree.entries(folder):
        try:
            events = tree.entries(f"{folder}/{system}")
        except (NotADirectoryError, FileNotFoundError):
            continue  # enable, header_page, header_event; or a module's that was unloaded
        found += [f"{system}:{event}" for event in events if tree.exists(f"{folder}/{system}/{event}/format")]
    return tuple(found)


def read_functions(
    tree: Tree, tracefs: Fact[str], kprobes: Fact[bool], symbols: Fact[Symbols]
) -> Fact[AbstractSet[str]]:
    """Functions that a kprobe can attach to.

    Where the kernel has no list of traceable functions (no dynamic ftrace), kallsyms' code symbols stand in for it:
    more than can be attached, and `origin` says so. What kprobes forbid is taken out where debugfs tells it.
    """
    if tracefs.value is None:
        return Fact(unknown=tracefs.unknown)
    listing = f"{tracefs.value}/available_filter_functions"
    try:
        names = parse_functions(tree.text(listing))
        origin = listing
    except FileNotFoundError as error:
        if not kprobes.value or symbols.value is None:
            return Fact(unknown=explain(listing, error))
        names = symbols.value.code
        origin = f"{symbols.origin}, as {listing} does not exist: not all of these can be attached"
    except OSError as error:
        return Fact(unknown=explain(listing, error))
    if not names:
        return Fact(unknown=f"{listing} is empty")
    forbidden = _read_blacklist(tree)
    note = f" without {KPROBES_BLACKLIST}" if forbidden else ""
    return Fact(Names.of(names - forbidden), origin=origin + note)


def parse_functions(text: str) -> frozenset[str]:
    """Names from lines of "function" or "function [module]"."""
    names = (line.split(" ", 1)[0].rstrip() for line in text.splitlines())
    return frozenset(name for name in names if name and not name.startswith(DROPPED))


def _read_blacklist(tree: Tree) -> frozenset[str]:
    """Functions that kprobes refuse, from lines of "0xstart-0xend name"; none where debugfs is not readable."""
    try:
        lines = tree.text(KPROBES_BLACKLIST).splitlines()
    except OSError:
        return frozenset()
    return frozenset(fields[-1] for line in lines if (fields := line.split()))
