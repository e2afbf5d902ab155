"""Which files of a repository are tools, and which document them: rules of a source against paths. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from toolkit.model import Engine, Source, ToolFiles, Value

# A repository that says nothing of itself: the folder is the category, the file is the tool.
BY_SUFFIX = (
    ToolFiles(folder="*", files="*.bt", engine=Engine.BPFTRACE),
    ToolFiles(folder="*", files="*.py", engine=Engine.BCC),
    ToolFiles(folder="*", files="*.sh", engine=Engine.SHELL),
)


class ToolFile(Value, frozen=True):
    """A path that is a tool: its stem, its engine, and the category that its folder hints at."""

    path: str
    stem: str
    engine: Engine
    category: str


class Selection(Value, frozen=True):
    """What to take of a repository: the tools, and by path the stem of each document."""

    tools: tuple[ToolFile, ...]
    examples: dict[str, str]
    man: dict[str, str]
    texts: dict[str, str]  # C text of programs that others compile
    parts: tuple[str, ...]
    hidden: dict[str, str]  # files that would be tools, each with the one that has its name already

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path to fetch, in order, each once."""
        every = (*(tool.path for tool in self.tools), *self.examples, *self.man, *self.texts, *self.parts)
        return tuple(sorted(dict.fromkeys(every)))


def list_folders(source: Source) -> tuple[str, ...]:
    """The folders to list in a repository; the whole of it for a source that names none."""
    if not source.tools:
        return ()
    patterns = (
        *(rule.folder + "/" for rule in source.tools),
        *source.examples,
        *source.man,
        *source.parts,
        *(pattern for patterns in source.compiled.values() for pattern in patterns),
    )
    return tuple(dict.fromkeys(pattern.partition("/")[0] for pattern in sorted(patterns)))


def select_files(source: Source, paths: tuple[str, ...]) -> Selection:
    """Apply a source's rules to the paths of a commit."""
    tools: dict[str, ToolFile] = {}
    hidden: dict[str, str] = {}
    for rule in source.tools or BY_SUFFIX:
        for path in paths:
            tool = _take_tool(source, rule, PurePosixPath(path))
            if tool is not None and tools.setdefault(tool.stem, tool).path != path:
                hidden[path] = tools[tool.stem].path
    known = frozenset(paths)
    texts = _find_texts(source, known)
    chosen = {*(tool.path for tool in tools.values()), *texts}
    stems = sorted({*tools, *texts.values()})
    parts = (path for path in paths if path not in chosen and any(_fits(path, part) for part in source.parts))
    return Selection(
        tools=tuple(tools[stem] for stem in sorted(tools)),
        examples=_find_documents(source.examples, stems, known),
        man=_find_documents(source.man, stems, known),
        texts=texts,
        parts=tuple(parts),
        hidden=hidden,
    )


def _take_tool(source: Source, rule: ToolFiles, path: PurePosixPath) -> ToolFile | None:
    folder = str(path.parent)
    if not fnmatchcase(path.name, rule.files) or folder.count("/") > rule.folder.count("/"):
        return None
    if not fnmatchcase(folder, rule.folder) or path.name.startswith((".", "_", "-")):
        return None
    hint = source.hints.get(path.parent.name, "" if source.tools else path.parent.name)
    return ToolFile(path=str(path), stem=path.stem, engine=rule.engine, category=hint)


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")


def _find_texts(source: Source, known: frozenset[str]) -> dict[str, str]:
    """The C texts of the programs that each first pattern finds."""
    texts: dict[str, str] = {}
    for patterns in source.compiled.values():
        stems = {_read_stem(path, patterns[0]) for path in known} - {""}
        texts |= _find_documents(patterns, sorted(stems), known)
    return texts


def _read_stem(path: str, pattern: str) -> str:
    """What stands in a path where its pattern has {}; empty when they do not fit."""
    before, _, after = pattern.partition("{}")
    stem = path.removeprefix(before).removesuffix(after)
    return stem if path == before + stem + after and "/" not in stem else ""


def _find_documents(patterns: tuple[str, ...], stems: list[str], known: frozenset[str]) -> dict[str, str]:
    return {path: stem for stem in stems for pattern in patterns if (path := pattern.format(stem)) in known}
