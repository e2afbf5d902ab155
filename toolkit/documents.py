"""YAML files that people write, read into our types, with mistakes named by file, line and key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from toolkit.errors import SettingsError
from toolkit.trust import open_regular

T = TypeVar("T")

KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
LARGEST = 1 << 20  # bytes: a catalog file is 30 KB; what is larger is not one


@dataclass(frozen=True)
class Entry:
    """A mapping's value with the lines of its keys, so that a mistake can be pointed at."""

    file: Path
    key: str
    line: int
    value: object
    lines: dict[str, int]  # of its keys, and of the keys of those: "key.inner"


def read_entries(file: Path) -> tuple[Entry, ...]:
    """Read the top-level mapping of a YAML file as entries in order. Raises SettingsError."""
    root = _compose(file)
    if root is None:
        return ()
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{file}:{root.start_mark.line + 1}: expected a mapping of names")
    entries: dict[str, Entry] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            raise SettingsError(f"{file}:{key.start_mark.line + 1}: a key must be a plain word")
        name = str(key.value)
        if name in entries:
            raise SettingsError(f"{file}:{key.start_mark.line + 1}: {name}: stands here twice")
        entries[name] = Entry(file, name, key.start_mark.line + 1, _construct(file, value), _key_lines(file, value))
    return tuple(entries.values())


def list_entries(entry: Entry) -> tuple[Entry, ...]:
    """The mappings that an entry holds, each an entry of its own. Raises SettingsError."""
    if entry.value is None:
        return ()
    if not isinstance(entry.value, dict):
        raise point_at(entry, "expected a mapping of names")
    found: list[Entry] = []
    for key, value in entry.value.items():
        name = str(key)
        inside = {line.removeprefix(f"{name}."): at for line, at in entry.lines.items() if line.startswith(f"{name}.")}
        found.append(Entry(entry.file, f"{entry.key}.{name}", entry.lines.get(name, entry.line), value, inside))
    return tuple(found)


def convert_entry(entry: Entry, kind: type[T]) -> T:
    """Check an entry's value against a type. Raises SettingsError that names file, line and key."""
    try:
        return msgspec.convert(entry.value, kind)
    except msgspec.ValidationError as error:
        message = str(error)
        own = message.startswith("Object contains") and " - at " not in message  # a key of it, not of what it holds
        if own and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            message += f"; there are {', '.join(f'`{one.encode_name}`' for one in msgspec.structs.fields(kind))}"
        raise point_at(entry, message) from error


def point_at(entry: Entry, message: str, key: str = "") -> SettingsError:
    """An error for an entry, or for one key of it when the key is given or named in a msgspec message."""
    text, _, path = message.partition(" - at `")
    quoted = re.search(r"field `([^`]+)`", text)
    key = key or (re.match(r"\$\.([\w-]+)", path) or quoted or [None, ""])[1] or ""
    line = entry.lines.get(key, entry.line)
    where = f"{entry.key}.{key}" if key and not quoted else entry.key
    return SettingsError(f"{entry.file}:{line}: {where}: {say_plainly(text)}")


def say_plainly(message: str) -> str:
    """A msgspec message in words of who writes a file: "Expected `float` > 0.0" -> "expected a number > 0"."""
    plain = message.replace("Object contains unknown field", "there is no")
    if message.startswith("Expected"):
        plain = re.sub(r"`([a-z |]+)`", lambda found: " or ".join(map(_name_kind, found[1].split(" | "))), plain)
        plain = re.sub(r"(?<= \d)\.0$", "", plain)
    return f"{plain[:1].lower()}{plain[1:]}"


def _name_kind(word: str) -> str:
    return KINDS.get(word, word)


def _compose(file: Path) -> yaml.Node | None:
    try:
        with open_regular(file) as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise SettingsError(f"{file}: larger than {LARGEST >> 20} MiB; this is not a file of ours")
    try:
        node: yaml.Node | None = yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{file}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid YAML: {error}") from error
    return node


def _construct(file: Path, node: yaml.Node) -> object:
    # An alias of an alias of an alias grows exponentially ("billion laughs"); nobody needs aliases here, and a node
    # that stands in two places is the only way to get one.
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            raise SettingsError(f"{file}:{current.start_mark.line + 1}: YAML aliases are not allowed")
        seen.add(id(current))
        if isinstance(current, yaml.SequenceNode):
            stack.extend(current.value)
        elif isinstance(current, yaml.MappingNode):
            stack.extend(part for pair in current.value for part in pair)
    loader = yaml.SafeLoader("")
    try:
        value: object = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise SettingsError(f"{file}:{node.start_mark.line + 1}: not valid YAML: {error.problem}") from error
    return value


def _key_lines(file: Path, node: yaml.Node) -> dict[str, int]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.value in lines:
            raise SettingsError(f"{file}:{key.start_mark.line + 1}: {key.value}: stands here twice")
        lines[str(key.value)] = key.start_mark.line + 1
    return lines | {
        f"{key.value}.{name}": line for key, value in node.value for name, line in _key_lines(file, value).items()
    }
