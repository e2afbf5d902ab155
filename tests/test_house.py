"""The house rules that a machine can check: layers, sizes, the one place that starts processes, no leftovers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "toolkit"

# Low to high; an import points only downwards, or stays in its own room. The first prefix that fits decides.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("model", "runs", "errors"),
    (
        "answer",
        "answers",
        "outside",
        "kernels",
        "distributions",
        "mending",
        "options",
        "versions",
        "troubles",
        "alternatives",
        "matrix",
        "compat",
        "choose",
        "diagnose",
        "complaints",
        "remarks",
        "trials",
        "revisions",
        "launch.plan",
        "launch.window",
        "launch.budget",
        "launch.load",
        "launch.bounds",
        "launch.policy",
        "output",
        "catalog.query",
        "catalog.guess",
        "catalog.search",
        "fleet.cron",
        "recordings.layout",
        "recordings.retain",
    ),
    ("paths", "command", "documents", "trust", "lock", "stamps"),
    ("config", "policies", "host", "sources", "analysis", "recordings", "catalog", "verified"),
    ("snapshot", "launch"),
    ("fleet",),
    ("cli",),
    ("__main__",),
)
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 40


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def find_layer(module: str) -> int | None:
    """The layer of a module: that of the longest prefix that a layer names."""
    fitting = [
        (len(prefix), layer)
        for layer, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(fitting)[1] if fitting else None


def find_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module of ours that a file imports, with the line, also those imported inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "toolkit":
            base = (node.module or "").removeprefix("toolkit").lstrip(".")
            for alias in node.names:
                joined = f"{base}.{alias.name}".lstrip(".")
                is_module = (PACKAGE / joined.replace(".", "/")).with_suffix(".py").exists() or (
                    PACKAGE / joined.replace(".", "/") / "__init__.py"
                ).exists()
                yield node.lineno, joined if is_module else base
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, one.name[8:]) for one in node.names if one.name.startswith("toolkit."))


def room(module: str) -> str:
    return module.split(".")[0]


def test_every_module_has_a_layer() -> None:
    homeless = [module_name(path) for path in MODULES if module_name(path) and find_layer(module_name(path)) is None]
    assert homeless == []


def test_imports_point_downwards() -> None:
    wrong: list[str] = []
    for path in MODULES:
        module = module_name(path)
        mine = find_layer(module)
        for line, imported in find_imports(path):
            theirs = find_layer(imported)
            if not imported or theirs is None or mine is None or room(imported) == room(module):
                continue
            if theirs >= mine and not (theirs == mine and mine <= 2):
                wrong.append(f"{module}:{line} imports {imported}")
    assert wrong == []


def test_pure_modules_touch_nothing_outside() -> None:
    effects = {"os", "subprocess", "socket", "pathlib", "time", "shutil", "tempfile", "ctypes"}
    wrong: list[str] = []
    for path in MODULES:
        if find_layer(module_name(path)) not in (0, 1):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{module_name(path)} imports {name}" for name in names if name.split(".")[0] in effects]
    assert wrong == []


def test_only_few_modules_start_processes() -> None:
    starters = {"subprocess", "os.system", "os.popen", "os.execv", "os.posix_spawn", "pty", "multiprocessing"}
    found = {
        module_name(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(one.name in starters for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module in starters)
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in starters | {"os.fork"})
    }
    assert found == {
        "command",
        "launch.detach",
        "launch.keeper",
        "launch.processes",
        "launch.warden",
        "launch.workload",
    }


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and _body_lines(node) > LONGEST_FUNCTION
    ]
    assert long == []


def _body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring, which for a command is its help text."""
    first = node.body[1] if len(node.body) > 1 and ast.get_docstring(node) else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert len(docstring) > 20


def test_no_shell_is_ever_asked() -> None:
    assert [path for path in MODULES if "shell=True" in path.read_text()] == []


def find_loaded(module: str, heavy: tuple[str, ...]) -> str:
    """Those of the heavy modules that are loaded with one of ours, as a list's text."""
    import subprocess
    import sys

    code = f"import sys, toolkit.cli.app, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_listing_loads_nothing_that_it_does_not_use() -> None:
    heavy = ("yaml", "elftools", "requests", "git", "tuf", "rich", "toolkit.analysis", "toolkit.launch.supervise")
    assert find_loaded("toolkit.cli.list", heavy) == "[]"


def test_a_tool_waits_for_nothing_that_only_watches_it() -> None:
    heavy = ("yaml", "toolkit.cli.sinks", "toolkit.output", "toolkit.launch.meter")
    assert find_loaded("toolkit.cli.run", heavy) == "[]"
