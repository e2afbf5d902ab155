"""Questions to the catalog: which tool is meant by a name, and what lies in a category. Pure."""

from __future__ import annotations

from toolkit.distributions import install_command
from toolkit.errors import NoSuchTool, UsageError
from toolkit.model import Index, Tool, Value, Variant

PACKAGED = {"native": "libbpf-tools", "bpftrace": "bpftrace", "bcc": "bcc"}  # what a package brings -> whose tools


class Asked(Value, frozen=True, kw_only=False):
    """What a name stands for: the tool, the variants that the name leaves open, and whether it pins some of them."""

    tool: Tool
    variants: tuple[Variant, ...]
    pinned: bool


def resolve_name(index: Index, name: str) -> Asked:
    """Understand `runqlat`, `cpu/runqlat`, `bcc/runqlat`, `packages/runqlat` and `bcc/runqlat@v0.26.0`.

    Raises NoSuchTool with near names, or UsageError when the part before the slash is nothing we know.
    """
    plain, _, revision = name.partition("@")
    prefix, slash, last = plain.rpartition("/")
    tool = _find_tool(index, last)
    if tool is None:
        raise NoSuchTool(f"there is no tool named {name!r}", fix=_suggest(index, last))
    variants = tuple(variant for variant in index.variants if variant.tool == tool.name)
    if revision:
        held = tuple(one for one in variants if one.found.revision == revision)
        if not held:
            known = ", ".join(sorted({one.found.revision for one in variants} - {""}))
            raise NoSuchTool(f"{last} is not held at revision {revision!r}", fix=f"it is at {known or 'none'}")
        variants = held
    # biolatency-tp is another implementation of biolatency: who asks for it by that name means that file.
    exact = tuple(variant for variant in variants if variant.found.stem == last)
    if last != tool.name and exact:
        variants = exact
    pinned_by_stem = last != tool.name and bool(exact)
    pinned = pinned_by_stem or bool(revision)
    if not slash:
        return Asked(tool, variants, pinned)
    category = find_category(index, prefix)
    if category in (tool.category, *tool.also):
        return Asked(tool, variants, pinned)
    chosen = tuple(one for one in variants if prefix in (one.found.upstream, one.found.source))
    if chosen:
        return Asked(tool, chosen, True)
    if category:
        raise NoSuchTool(f"{tool.name} is not in {category}", fix=f"it is {tool.category}/{tool.name}")
    raise NoSuchTool(f"{prefix!r} has no {last}", fix=_offer_variants(tool, variants))


def name_tool(index: Index, name: str) -> Tool | None:
    """The tool that a name is about, in whichever of these forms; None where there is none."""
    return _find_tool(index, name.partition("@")[0].rpartition("/")[2])


def find_category(index: Index, name: str) -> str | None:
    """The category of this name or long alias, or None."""
    lowered = name.lower()
    return next((one.name for one in index.categories if lowered in (one.name, *one.aliases)), None)


def require_category(index: Index, name: str) -> str:
    """Like find_category, but raises UsageError that lists what there is."""
    category = find_category(index, name)
    if category is None:
        names = " ".join(one.name for one in index.categories)
        raise UsageError(f"there is no category named {name!r}", fix=f"the categories are: {names}")
    return category


def list_tools(index: Index, category: str | None) -> tuple[Tool, ...]:
    """The tools of a category, also those whose other category it is; all of them for None."""
    if category is None:
        return index.tools
    return tuple(tool for tool in index.tools if category in (tool.category, *tool.also))


def describe_ways(index: Index, distribution: str) -> str:
    """How variants that are not on this host come to it: packages that it lacks, and git, where none was synced."""
    held = {(one.found.source, one.found.upstream) for one in index.variants}
    lacking = (what for what, upstream in PACKAGED.items() if ("packages", upstream) not in held)
    ways = [command for what in lacking if (command := install_command(distribution, what))]
    if all(source in ("packages", "inhouse") for source, _ in held):
        ways.append("`toolkit sync` fetches more tools from git")
    return "; ".join(ways) or "`toolkit doctor` says what this host lacks"


def _find_tool(index: Index, name: str) -> Tool | None:
    named = next((tool for tool in index.tools if tool.name == name), None)
    return named or next((tool for tool in index.tools if name in tool.aliases), None)


def _offer_variants(tool: Tool, variants: tuple[Variant, ...]) -> str:
    if not variants:
        return f"no variant of {tool.name} is on this host"
    return f"of {tool.name} there are: {', '.join(sorted(one.id for one in variants))}"


def _suggest(index: Index, name: str) -> str:
    import difflib  # only a mistyped name pays for it

    known = tuple(name for tool in index.tools for name in (tool.name, *tool.aliases))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    near += [other for other in known if len(name) >= 3 and name in other and other not in near][: 4 - len(near)]
    if near:
        return f"did you mean {', '.join(near)}?"
    return "`toolkit list` shows every tool"
