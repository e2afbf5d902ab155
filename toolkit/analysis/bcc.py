"""What a bcc tool (Python with embedded C) needs and takes, read with `ast` and never imported."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping

from toolkit.analysis import NO_PARTS
from toolkit.analysis.bcc_api import needed_release
from toolkit.analysis.bcc_nodes import dotted, nodes_of, texts_of
from toolkit.analysis.bcc_options import description_of, read_signature
from toolkit.analysis.bcc_paths import Path, all_paths
from toolkit.analysis.bcc_platforms import needed_platforms
from toolkit.analysis.bcc_requirements import opened_files, path_requirements, read_everywhere
from toolkit.analysis.bcc_text import Alternatives, attached_by_text, strip_comments
from toolkit.analysis.header import summary_of
from toolkit.analysis.headers import plain_headers
from toolkit.analysis.needs import attach_points, distinct, one
from toolkit.model import Analysis, Engine, Need, NeedKind, Requirement
from toolkit.options import HELPERS

_MAX_SOURCE = 80 << 10  # twice the largest of BCC; the time that `ast` takes grows with the square of an f-string
_DRAWING = frozenset({"curses.wrapper", "curses.initscr"})
_PRAGMA = re.compile(r"#!|#\s*(?:@|-\*-|<?SPDX)")
_PYTHON_2 = re.compile(r"Missing parentheses in call to 'print|multiple exception types|leading zeros in decimal|<>")


def analyze(data: bytes, parts: Mapping[str, bytes] = NO_PARTS) -> Analysis:
    """Read a bcc tool; Python 2, and what is no Python, is a problem and not an exception."""
    if len(data) > _MAX_SOURCE:
        return Analysis(problem="larger than any Python tool is")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a plain string warns; it is not ours to mend
            tree = ast.parse(data)
    except SyntaxError as error:
        return Analysis(problem=_syntax_problem(error))
    except (ValueError, LookupError) as error:
        return Analysis(problem=f"not Python that we can read: {error}")
    texts = {name: text.decode(errors="replace") for name, text in parts.items()}
    return _analyze(tree, data.decode(errors="replace"), texts)


def _syntax_problem(error: SyntaxError) -> str:
    what = str(error.msg)
    if _PYTHON_2.search(what):
        return f"written for Python 2 (line {error.lineno}: {what})"
    return f"not Python that we can read (line {error.lineno}: {what})"


def _analyze(tree: ast.Module, source: str, parts: dict[str, str]) -> Analysis:
    paths = all_paths(tree, parts)
    attached = [needs for path in paths.found for needs in path.seen.attached]
    unfollowed = [] if attached else list(_in_texts((*texts_of(tree), *parts.values())))
    read = read_everywhere(paths)
    requirements = (
        needed_release(tree),
        *(_compiler() if _has_program(tree, paths.found) else ()),
        *(one(NeedKind.PYTHON_MODULE, module) for module in _foreign_modules(tree)),
        *needed_platforms(tree),
        *_whole_host(paths.found),
        *path_requirements(paths),
        *opened_files(paths),
        *(one(NeedKind.FILE, name) for path in paths.found for name in path.seen.missing),
        *(Requirement(any_of=(need,)) for need in read if need.kind is not NeedKind.HEADERS),
        *plain_headers(tuple(need.name for need in read if need.kind is NeedKind.HEADERS), Engine.BCC),
        *(Requirement(any_of=needs) for needs in unfollowed),
        *_beside_programs(tree),
    )
    return Analysis(
        probes=attach_points(need for needs in (*attached, *unfollowed) for need in needs),
        requirements=distinct(requirements),
        signature=read_signature(tree),
        summary=_summary(tree, source),
    )


def _in_texts(texts: Iterable[str]) -> Iterator[Alternatives]:
    """What the only C text of a tool attaches, where the way to it through classes could not be followed."""
    codes = [strip_comments(text) for text in texts]
    found = [needs for code in codes if (needs := [item for item in attached_by_text(code) if item[0].name])]
    if len(found) == 1:
        yield from found[0]


def _summary(tree: ast.Module, source: str) -> str:
    header = summary_of(_header(source))
    return header if " " in header else description_of(tree) or summary_of(ast.get_docstring(tree) or "")


def _compiler() -> tuple[Requirement, ...]:
    """bcc compiles with clang on the host, against the headers of the running kernel or its kheaders."""
    return (one(NeedKind.HEADERS),)


def _has_program(tree: ast.Module, paths: tuple[Path, ...]) -> bool:
    """Whether the tool compiles C: on a path, or anywhere in classes that are not followed."""
    if any(path.seen.compiled for path in paths):
        return True
    calls = (node.func for node in nodes_of(tree, ast.Call) if node.args or node.keywords)
    return any(isinstance(called, ast.Name) and called.id == "BPF" for called in calls)


def _beside_programs(tree: ast.Module) -> Iterator[Requirement]:
    """What shows in the Python alone, or anywhere in texts that are put together at run time."""
    names = {dotted(call.func) for call in nodes_of(tree, ast.Call)}
    if names & _DRAWING:
        yield one(NeedKind.TERMINAL)
    texts = texts_of(tree)
    yield from (one(NeedKind.HELPER, name) for name in HELPERS if any(f"{name}(" in text for text in texts))
    if "USDT" in names and any(text.startswith("/proc/%d/comm") for text in texts):
        processes = tuple(Need(kind=NeedKind.USDT, name=name) for name in _listed_names(tree))
        yield from (Requirement(any_of=processes, essential=False) for _ in processes[:1])


def _listed_names(tree: ast.Module) -> Iterator[str]:
    """The names in lists that are arguments of calls: of the processes that it looks for."""
    found = (item for call in nodes_of(tree, ast.Call) for item in call.args if isinstance(item, ast.List))
    items = (item.value for names in found for item in names.elts if isinstance(item, ast.Constant))
    yield from dict.fromkeys(name for name in items if isinstance(name, str) and name.isidentifier())


def _whole_host(paths: tuple[Path, ...]) -> tuple[Requirement, ...]:
    """What has no name of its own: kprobes at all, and the symbols whose addresses a tool puts into its program."""
    symbols = [needs for path in paths for needs in path.seen.symbols]
    found = [Requirement(any_of=needs) for needs in symbols]
    # BPF.get_kprobe_functions reads <debugfs>/kprobes/blacklist and raises where there is none.
    if paths and all(path.seen.lists_functions for path in paths):
        found.append(one(NeedKind.KPROBE))
    return tuple(found)


def _foreign_modules(tree: ast.Module) -> tuple[str, ...]:
    """Modules that are imported at the top without a try and come with neither Python nor bcc."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.extend(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    tops = dict.fromkeys(name.partition(".")[0] for name in names)
    return tuple(top for top in tops if top and top != "bcc" and top not in sys.stdlib_module_names)


def _header(source: str) -> str:
    """The comment at the top of the file, without `#!` and pragmas."""
    lines: list[str] = []
    for line in source.splitlines()[:60]:
        if not line.startswith("#"):
            if line.strip():
                break
            continue
        if not _PRAGMA.match(line):
            lines.append(line.lstrip("#").rstrip())
    return "\n".join(line[1:] if line.startswith(" ") else line for line in lines)
